import { expect, test } from '@jest/globals';

import { NumberBins } from '../../src/monitor/number-bins.ts';
import { cloneDatabase } from '../support/database.ts';
import { stageFeatures, type StagedFeature } from './golden/staged-features.ts';

const database = await cloneDatabase();
const superuser = await database.client();

/** An unlucky baseline is unlucky for all of its windows: so there are many, with few windows each. */
const BASELINES = 60;
const WINDOWS = 4;
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
    return { name: `number, ${n} rows`, kind: 'number', ...bins, baseline, windows };
  });
}

/** A category that never changes: of fifty the first is a hundred times as frequent as the last. */
function steadyCategory(m: number, n: number, random: () => number): StagedFeature {
  const categories = Array.from({ length: 50 }, (_, k) => `c${k}`);
  const draw = (): number => 2 + Math.floor((100 ** random() - 1) / 1.98);
  const counts = (rows: number) => countsOf(53, Array.from({ length: rows }, draw));
  return {
    name: `category, ${n} rows`,
    kind: 'category',
    categories,
    baseline: counts(m),
    windows: windowsOf(() => counts(n)),
  };
}

test('where nothing changes, at most one window in fifty is beyond the noise, from twenty rows a bin on', async () => {
  const random = generator(SEED);
  const features: StagedFeature[] = [];
  for (const m of [1000, 10_000]) {
    for (let baseline = 0; baseline < BASELINES; baseline += 1) {
      features.push(...(await steadyNumbers(m, [260, 500, 2000], random)));
      for (const n of [1060, 4000]) features.push(steadyCategory(m, n, random));
    }
  }
  await stageFeatures(superuser, 'steady', features);
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query<{ feature: string; judged: number; beyond: number; drifted: number }>(
    `select feature_name as feature, count(*)::int as judged, (avg((psi >= psi_noise_limit)::int))::float8 as beyond,
            avg((status in ('warning', 'alert'))::int)::float8 as drifted
       from pgscore_bi.feature_drift_daily where model_name = 'steady' and status <> 'insufficient_data' group by 1 order by 1`,
  );
  expect(rows.map(({ judged }) => judged)).toEqual([1060, 4000, 260, 500, 2000].map(() => 2 * BASELINES * WINDOWS));
  expect(rows.filter(({ beyond, drifted }) => beyond > 0.02 || drifted > 0.02)).toEqual([]);
}, 300_000);
