import { expect, test } from '@jest/globals';

import { hasProgram, psql } from '../online/psql.ts';
import { cloneDatabase } from '../support/database.ts';
import { stageFeatures, unitBins } from './golden/staged-features.ts';
import { stage } from './golden/staged.ts';
import { addMonitoredModel, addRun, type MonitoredPrediction } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

/** A regression with these predictions and labels, each on the same day. */
async function measure(name: string, rows: readonly (readonly [score: number, label: string])[]): Promise<object> {
  const model = await addMonitoredModel(superuser, name, 'regression');
  const at = '2026-03-02 12:00:00+00';
  const create = `create table ${name}_truth (id int primary key, known_at timestamptz, truth text)`;
  await alice.query(create);
  await alice.query(
    `select pgscore.set_labels($1, $2::regclass, label => 'truth', key => 'id', known_at => 'known_at')`,
    [name, `${name}_truth`],
  );
  const predictions: MonitoredPrediction[] = rows.map(([score], id) => ({ id, at, score }));
  await addRun(superuser, model, predictions);
  const insert = `insert into ${name}_truth select n - 1, $2, label from unnest($1::text[]) with ordinality as l (label, n)`;
  await alice.query(insert, [rows.map(([, label]) => label), at]);
  await superuser.query('select pgscore.refresh()');
  const { rows: shown } = await superuser.query<object>(
    'select n_predictions::int as predictions, n_labeled::int as labeled, mae, r2, undefined_reason as reason from pgscore_bi.regression_performance_daily where model_name = $1',
    [name],
  );
  expect(shown).toHaveLength(1);
  return shown[0]!;
}

test('a label that no double holds is no label, and stops nothing', async () => {
  const endless = [
    '1'.padEnd(400, '0'),
    `${'9'.repeat(30)}e299`,
    '1e999',
    `-1${'0'.repeat(309)}`,
    '1'.repeat(100_000),
    '1e60',
  ];
  const tiny = [`0.${'0'.repeat(390)}1`, '1e-999', '-4e-320'];
  const shown = await measure('unheard', [
    ...endless.map((label) => [1, label] as const),
    ...tiny.map((label) => [0, label] as const),
    [1, '2'],
  ]);
  expect(shown).toMatchObject({ predictions: 10, labeled: 4, mae: 0.25, r2: expect.closeTo(2 / 3, 12) });
});

test('a prediction too far off for its fourth power is counted, and not measured', async () => {
  const shown = await measure('absurd', [
    [1.7e308, '-9e59'],
    [-1e60, '1'],
    [1, '1'],
    [9e59, '-9e59'],
  ]);
  expect(shown).toMatchObject({ predictions: 4, labeled: 2, mae: 9e59 });
});

test('errors too small for their squares are none', async () => {
  const shown = await measure('minute', [
    [1e-200, '0'],
    [-4e-320, '3e-310'],
  ]);
  expect(shown).toEqual({ predictions: 2, labeled: 2, mae: 0, r2: null, reason: 'constant_target' });
});

test('a target that is constant in a way that doubles sum up unevenly is constant', async () => {
  const shown = await measure(
    'steady',
    Array.from({ length: 7 }, () => [0.5, '0.1'] as const),
  );
  expect(shown).toMatchObject({ r2: null, reason: 'constant_target' });
});

test('a classifier that says labels only has accuracy, and says that it gives no probabilities', async () => {
  const model = await addMonitoredModel(superuser, 'labels_only', 'binary');
  await superuser.query('update pgscore_data.execution set probabilities = false where version_id = $1', [
    model.versionId,
  ]);
  const predictions = ['yes', 'no', 'yes', 'no'].map((label, id) => ({
    id,
    at: '2026-03-02 12:00:00+00',
    score: Number.NaN,
    label,
  }));
  await addRun(superuser, model, predictions);
  for (const [id, label] of ['yes', 'no', 'no', 'yes'].entries()) {
    await alice.query(`select pgscore.record_label('labels_only', $1::text, $2, '2026-03-03')`, [String(id), label]);
  }
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query(
    `select accuracy, brier_score, log_loss, roc_auc, average_precision, ece, undefined_reason
       from pgscore_bi.binary_performance_daily where model_name = 'labels_only'`,
  );
  expect(rows).toEqual([
    {
      accuracy: 0.5,
      brier_score: null,
      log_loss: null,
      roc_auc: null,
      average_precision: null,
      ece: null,
      undefined_reason: 'no_probabilities',
    },
  ]);
});

async function viewNames(): Promise<string[]> {
  const { rows } = await superuser.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'pgscore_bi'::regnamespace and relkind = 'v' order by 1`,
  );
  return rows.map(({ name }) => name);
}

const psqlIsHere = hasProgram('psql', '--version');

test('no view shows NaN or an infinity, whatever was scored, and psql shows as many rows as node-postgres', async () => {
  for (const task of ['binary', 'multiclass', 'regression'] as const) await stage(superuser, alice, task);
  for (const view of await viewNames()) {
    const read = `select * from pgscore_bi.${view}`;
    const { rows } = await superuser.query<Record<string, unknown>>(read);
    const strange = rows.flatMap((row) =>
      Object.entries(row).filter(([, value]) => typeof value === 'number' && !Number.isFinite(value)),
    );
    expect([view, strange]).toEqual([view, []]);
    if (!psqlIsHere) continue;
    const { exit, stdout, stderr } = await psql(database.url(), [
      `\\copy (select * from pgscore_bi.${view}) to stdout csv header`,
    ]);
    expect([view, exit, stderr]).toEqual([view, 0, '']);
    expect([view, stdout.trimEnd().split('\n').length - 1]).toEqual([view, rows.length]);
  }
});

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
