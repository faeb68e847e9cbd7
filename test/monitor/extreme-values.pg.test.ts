import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { stageFeatures, unitBins } from './golden/staged-features.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
const EVEN = [0, 0, ...Array.from({ length: 10 }, () => 100), 0];
const DAY = '2026-03-02 00:00+00';

test.each([
  [1e-170, 'small_a'],
  [1e-200, 'small_b'],
  [5e-324, 'small_c'],
])('numbers as small as %s have a drift', async (unit, name) => {
  const { low = 0, high = 0, edges = [], centers = [], coarse = [] } = unitBins(10);
  const bins = {
    low: low * unit,
    high: high * unit,
    edges: edges.map((e) => e * unit),
    centers: centers.map((c) => c * unit),
    coarse,
  };
  await stageFeatures(superuser, name, [
    { name: 'x', kind: 'number', ...bins, baseline: EVEN, windows: { [DAY]: EVEN } },
  ]);
  await superuser.query(`update pgscore_data.cell_feature set n_measured = 1000, sum = ($1::float8)::numeric`, [unit]);
  await superuser.query('select pgscore_data._compute_drift()');
  const { rows } = await superuser.query(
    'select psi, ks_statistic from pgscore_bi.feature_drift_daily where model_name = $1',
    [name],
  );
  expect(rows).toEqual([{ psi: 0, ks_statistic: 0 }]);
});

const MOMENTS = ['infinity', '-infinity', '294276-12-31 23:00+00', '4713-11-24 00:00+00 BC'].map(
  (at, n) => [at, n] as const,
);

test.each(MOMENTS)('a label that is known at %s holds up no refresh', async (at, n) => {
  const name = `label_${n}`;
  const model = await addMonitoredModel(superuser, name, 'binary');
  await superuser.query(`select pgscore.monitor($1, pairing => 'latest')`, [name]);
  await addRun(superuser, model, [{ id: 1, at: DAY, score: 0.7, label: 'yes' }]);
  await alice.query('select pgscore.record_label($1, $2, $3, $4)', [name, '1', 'yes', at]);
  await superuser.query('select pgscore.refresh()');
  expect(await accuracies(name)).toEqual([{ day: '2026-03-02', accuracy: 1 }]);
});

test.each(MOMENTS)('a prediction that is for %s counts for the day of its run', async (at, n) => {
  const name = `prediction_${n}`;
  const model = await addMonitoredModel(superuser, name, 'binary');
  const run = await addRun(superuser, model, [{ id: 1, at: DAY, score: 0.7, label: 'yes' }]);
  await superuser.query('update pgscore_data.day_tally set day = null where run_id = $1', [run]);
  await superuser.query(`update pgscore_data.run set snapshot_at = '2026-03-05 12:00+00' where run_id = $1`, [run]);
  const move = `update pgscore_predictions.target_${model.targetId} set event_time = $1`;
  await superuser.query(move, [at]);
  await alice.query('select pgscore.record_label($1, $2, $3)', [name, '1', 'yes']);
  await superuser.query('select pgscore.refresh()');
  expect(await accuracies(name)).toEqual([{ day: '2026-03-05', accuracy: 1 }]);
});

async function accuracies(name: string): Promise<unknown[]> {
  const shown = `select window_date::text as day, accuracy from pgscore_bi.binary_performance_daily where model_name = $1`;
  return (await superuser.query(shown, [name])).rows;
}
