import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { howMany } from '../support/night.ts';
import { at, evaluate, told } from './alert-days.ts';
import { stageFeatures, unitBins } from './golden/staged-features.ts';
import { Random } from './slow-drops/random.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const BINS = 10;
const DAYS = howMany(25, 60);

/** Rows of a day by slot: missing, below, the bins, above. */
function rowsOf(random: Random, n: number, missing: number): number[] {
  const isMissing = random.hits(n, missing);
  const slots = [isMissing, 0, ...Array.from({ length: BINS }, () => 0), 0];
  for (let row = isMissing; row < n; row += 1) {
    const slot = 2 + Math.floor(random.uniform() * BINS);
    slots[slot] = (slots[slot] ?? 0) + 1;
  }
  return slots;
}

type Case = { readonly from: number; readonly to: number; readonly n: number };

/** Days, looked at one after the other, of a feature of which more is missing than in its baseline. */
async function lived(name: string, { from, to, n }: Case): Promise<void> {
  const random = new Random(n);
  const feature = { name: 'x', kind: 'number' as const, ...unitBins(BINS) };
  const model = await stageFeatures(superuser, name, [
    { ...feature, baseline: rowsOf(random, 10_000, from), windows: {} },
  ]);
  for (let day = 0; day < DAYS; day += 1) {
    const put = `with put as (
        insert into pgscore_data.cell_feature select set_id, $2, 1, $3::bigint[], 0, 0 from pgscore_data.feature_set where version_id = $1
      ) insert into pgscore_data.touched_feature select set_id, $2 from pgscore_data.feature_set where version_id = $1`;
    await superuser.query(put, [model.versionId, at(day), rowsOf(random, n, to)]);
    await superuser.query('select pgscore_data._compute_drift()');
    await evaluate(superuser, at(day + 1, 6));
  }
}

test.each<[string, Case]>([
  ['few_rows', { from: 0.02, to: 0.12, n: 300 }],
  ['more_rows', { from: 0.02, to: 0.12, n: 1000 }],
])('ten points more missing for weeks raise feature_drift and missing_values once at most: %s', async (name, days) => {
  await lived(name, days);
  const psi = `select count(*) filter (where psi >= 0.2)::int as above, count(*) filter (where psi < 0.2)::int as below from pgscore_bi.feature_drift_daily where model_name = $1`;
  const { rows } = await superuser.query<{ above: number; below: number }>(psi, [name]);
  expect(Math.min(rows[0]?.above ?? 0, rows[0]?.below ?? 0)).toBeGreaterThan(5);
  expect((await told(superuser, name, 'feature_drift')).map(({ event }) => event)).toEqual(['firing']);
  expect(await told(superuser, name, 'missing_values')).toEqual([
    { event: 'firing', day: 1, value: expect.closeTo(0.1, 1) },
  ]);
});

test('as much missing as in the baseline raises nothing, however much that is', async () => {
  await lived('usual', { from: 0.5, to: 0.5, n: 300 });
  expect(await told(superuser, 'usual', 'missing_values')).toEqual([]);
  expect(await told(superuser, 'usual', 'feature_drift')).toEqual([]);
});
