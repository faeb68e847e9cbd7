/**
 * Tries the 95 % intervals on data whose truth is known: `npm run intervals -- [draws] [seed]`.
 * Prints how often each held at least, by the number of entities, and the settings where it held less than 93 %.
 */
import { ALL, coverages, settingsOf, type Coverage } from './coverage.ts';
import { seeded } from './draws.ts';

const draws = Number(process.argv[2] ?? 10_000);
const seed = Number(process.argv[3] ?? 20);
const worst = new Map<string, Coverage>();
const low: Coverage[] = [];
for (const one of coverages(settingsOf(ALL), seeded(seed), draws, draws * 300)) {
  const key = `${one.interval}\t${one.n}`;
  const before = worst.get(key);
  if (before === undefined || one.held < before.held) worst.set(key, one);
  if (one.held < 0.93) low.push(one);
}
const row = ({ interval, n, held, draws: drawn, setting }: Coverage): Record<string, unknown> => ({
  interval,
  n,
  'held at least': Number(held.toFixed(3)),
  draws: drawn,
  in: setting,
});
console.table([...worst.values()].toSorted((a, b) => a.interval.localeCompare(b.interval) || a.n - b.n).map(row));
if (low.length > 0) console.table(low.map(row));
