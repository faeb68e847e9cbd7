/** The 95 % interval of hits in n: Wilson 1927, by its roots. */
export function wilson(hits: number, n: number): [low: number, high: number] {
  const z2 = 1.959963984540054 ** 2;
  const [middle, spread] = [hits + z2 / 2, Math.sqrt(z2) * Math.sqrt((hits * (n - hits)) / n + z2 / 4)];
  return [(middle - spread) / (n + z2), (middle + spread) / (n + z2)];
}
