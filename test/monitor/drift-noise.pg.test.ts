import { expect, test } from '@jest/globals';
import { NumberBins } from '../../src/monitor/value-bins.ts';
import { cloneDatabase } from '../support/database.ts';
import { howMany } from '../support/night.ts';
import { stageFeatures, type StagedFeature } from './golden/staged-features.ts';

const database = await cloneDatabase();
const superuser = await database.client();

/** An unlucky baseline is unlucky for all of its windows: so there are many, with few windows each. */
const BASELINES = howMany(10, 80);
const WINDOWS = 6;
const SEED = 20260325;

/** Mulberry32: the same numbers on every machine. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function countsOf(size: number, slots: Iterable<number>): number[] {
  const counts = Array.from({ length: size }, () => 0);
  for (const slot of slots) counts[slot]! += 1;
  return counts;
}

const days = Array.from({ length: WINDOWS }, (_, n) => new Date(Date.UTC(2024, 0, 1 + n)).toISOString());
const windowsOf = (counts: () => number[]) => Object.fromEntries(days.map((day) => [day, counts()]));

type Bins = { low: number; high: number; edges: number[]; centers: number[]; coarse: number[] };

/** Numbers that never change: each of a baseline of m rows, which the bins are made of too, and of windows of so many. */
async function steadyNumbers(m: number, sizes: readonly number[], random: () => number): Promise<StagedFeature[]> {
  const draw = (): number => -Math.log(1 - random());
  const sample = Array.from({ length: m }, draw);
  const { rows } = await superuser.query<Bins>('select * from pgscore_data._number_bins($1)', [sample]);
  const [bins] = rows;
  if (bins === undefined) throw new Error('no bins were made');
  const counted = new NumberBins(bins.low, bins.high, bins.edges);
  const countsOfNumbers = (numbers: number[]): number[] => {
    const slots = new Uint8Array(numbers.length);
    counted.slotsOf(Float64Array.from(numbers), numbers.length, slots);
    return countsOf(counted.size, slots);
  };
  const baseline = countsOfNumbers(sample);
  return sizes.map((n) => {
    const windows = windowsOf(() => countsOfNumbers(Array.from({ length: n }, draw)));
    return { name: `number, ${n} rows against ${m}`, kind: 'number', ...bins, baseline, windows };
  });
}

/** Of so many categories, the first is `ratio` times as frequent as the last. */
type Setting = { readonly categories: number; readonly ratio: number; readonly n: number; readonly m: number };

/** A category that never changes. */
function steadyCategory({ categories: count, ratio, n, m }: Setting, random: () => number): StagedFeature {
  const shares = Array.from({ length: count }, (_, k) => ratio ** (-k / (count - 1)));
  const total = shares.reduce((sum, share) => sum + share, 0);
  const draw = (): number => {
    let left = random() * total;
    const at = shares.findIndex((share) => (left -= share) < 0);
    return 2 + (at < 0 ? count - 1 : at);
  };
  const counts = (rows: number) => countsOf(count + 3, Array.from({ length: rows }, draw));
  return {
    name: `${count} categories as unequal as 1 to ${ratio}, ${n} rows against ${m}`,
    kind: 'category',
    categories: Array.from({ length: count }, (_, k) => `c${k}`),
    baseline: counts(m),
    windows: windowsOf(() => counts(n)),
  };
}

/** Those that were worst in a simulation of many, among others. */
const CATEGORIES: readonly Setting[] = [
  { categories: 2, ratio: 100, n: 200, m: 10_000 },
  { categories: 2, ratio: 1, n: 1000, m: 1000 },
  { categories: 3, ratio: 1000, n: 200, m: 1000 },
  { categories: 3, ratio: 10_000, n: 1000, m: 10_000 },
  { categories: 10, ratio: 10, n: 500, m: 1000 },
  { categories: 50, ratio: 100, n: 1060, m: 1000 },
];

test('where nothing changes, psi stays below its noise limit in 99 windows of 100, from twenty rows a bin on', async () => {
  const random = generator(SEED);
  const features: StagedFeature[] = [];
  for (let baseline = 0; baseline < BASELINES; baseline += 1) {
    features.push(...(await steadyNumbers(1000, [260, 500, 2000], random)));
    for (const setting of CATEGORIES) features.push(steadyCategory(setting, random));
  }
  await stageFeatures(superuser, 'steady', features);
  await superuser.query('select pgscore.refresh()');
  type Judged = { feature: string; judged: number; beyond: number };
  const { rows } = await superuser.query<Judged>(
    `select feature_name as feature, count(*)::int as judged, count(*) filter (where psi >= psi_noise_limit)::int as beyond
       from pgscore_bi.feature_drift_daily where model_name = 'steady' and status <> 'insufficient_data' group by 1 order by 1`,
  );
  expect(rows).toHaveLength(3 + CATEGORIES.length);
  const windows = BASELINES * WINDOWS;
  expect(rows.map(({ judged }) => judged)).toEqual(rows.map(() => windows));
  // What chance leaves of a share of 0.01 in a hundredth of such samples.
  const most = 0.01 + 2.326 * Math.sqrt((0.01 * 0.99) / windows);
  expect(rows.filter(({ beyond }) => beyond / windows > most)).toEqual([]);
  expect(rows.reduce((sum, { beyond }) => sum + beyond, 0) / (windows * rows.length)).toBeLessThanOrEqual(0.01);
}, 300_000);
