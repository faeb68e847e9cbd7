/** The 95 % interval of hits in n: Wilson with continuity correction, as Fleiss has it. */
export function wilson(hits: number, n: number): [low: number, high: number] {
  const [z, z2, share] = [1.959963984540054, 1.959963984540054 ** 2, hits / n];
  const bound = (side: 1 | -1): number => {
    const spread = z2 + side * 2 - 1 / n + 4 * share * (n - hits - side);
    return (2 * hits + z2 + side * (1 + z * Math.sqrt(spread))) / (2 * (n + z2));
  };
  return [hits === 0 ? 0 : bound(-1), hits === n ? 1 : bound(1)];
}
