import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addCalls } from './add-calls.ts';
import { addTallies } from './add-tallies.ts';
import { addFinishedRun } from './counting/finished-runs.ts';
import { addMonitoredModel, addRun, addVersion, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);

const DAYS = `select window_date::text as day, n_predictions::int as n, n_labeled::int as labeled, n_awaiting::int as awaiting, n_superseded::int as superseded
  from pgscore_bi.binary_performance_daily where model_name = $1 order by window_start`;

const LOGGED = [`pgscore_data.kept_prediction where key = '{1}'`, `pgscore_data.online_block where keys = '{{1}}'`];

async function nights(name: string): Promise<{ model: MonitoredModel; runs: string[] }> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  const rows = (day: number) =>
    [1, 2, 3].map((id) => ({ id, at: `2026-03-0${day} 02:00+00`, score: 0.75, label: 'yes' }));
  const runs = [await addRun(superuser, model, rows(1)), await addRun(superuser, model, rows(2))];
  const label = `select pgscore.record_label($1, n::text, 'yes', '2026-03-02 12:00+00') from generate_series(1, 2) n`;
  await superuser.query(label, [name]);
  await superuser.query('select pgscore.refresh()');
  return { model, runs };
}

test('an entity that is forgotten counts no more, in targets and in the log of calls neither', async () => {
  const { model } = await nights('churn');
  await addCalls(superuser, model, [{ id: 1, at: '2026-03-03 08:00+00', score: 0.75, label: 'yes' }]);
  await superuser.query('select pgscore.refresh()');
  const forgotten = await ada.query(`select pgscore.forget('churn', key => '1')::int as n`);
  expect(forgotten.rows).toEqual([{ n: 3 }]);
  expect((await superuser.query(DAYS, ['churn'])).rows).toEqual([
    { day: '2026-03-01', n: 2, labeled: 0, awaiting: 0, superseded: 2 },
    { day: '2026-03-02', n: 2, labeled: 1, awaiting: 1, superseded: 0 },
  ]);
  for (const stored of [`pgscore_predictions.target_${model.targetId} where id = 1`, ...LOGGED]) {
    const count = `select count(*)::int as n from ${stored}`;
    expect([stored, (await superuser.query(count)).rows]).toEqual([stored, [{ n: 0 }]]);
  }
  await ada.query(`select pgscore.rebuild('churn')`);
  expect((await superuser.query(DAYS, ['churn'])).rows[1]).toMatchObject({ n: 2, labeled: 1 });
  const audit = `select detail from pgscore.audit where action = 'forget'`;
  expect((await ada.query(audit)).rows).toEqual([{ detail: { predictions: 3 } }]);
});

test('labels judge the run before one that is forgotten', async () => {
  const { runs } = await nights('wrong');
  await ada.query(`select pgscore.forget('wrong', run => $1)`, [runs[1]]);
  expect((await superuser.query(DAYS, ['wrong'])).rows).toEqual([
    { day: '2026-03-01', n: 3, labeled: 2, awaiting: 1, superseded: 0 },
  ]);
});

test('a later run that said the same stands in for one that is forgotten', async () => {
  const model = await addMonitoredModel(superuser, 'repeated', 'binary');
  const rows = [{ id: 1, at: '2026-03-01 02:00+00', score: 0.75, label: 'yes' }];
  const first = await addRun(superuser, model, rows);
  await superuser.query('select pgscore.refresh()');
  await addRun(superuser, model, rows);
  await superuser.query(`select pgscore.record_label('repeated', '1', 'yes', '2026-03-02')`);
  await superuser.query('select pgscore.refresh()');
  await ada.query(`select pgscore.forget('repeated', run => $1)`, [first]);
  expect((await superuser.query(DAYS, ['repeated'])).rows).toEqual([
    { day: '2026-03-01', n: 1, labeled: 1, awaiting: 0, superseded: 0 },
  ]);
});

test('its places wait once where nobody knows the truth yet', async () => {
  const model = await addMonitoredModel(superuser, 'unlabelled', 'binary');
  const rows = [{ id: 1, at: '2026-03-01 02:00+00', score: 0.75, label: 'yes' }];
  const first = await addRun(superuser, model, rows);
  await superuser.query('select pgscore.refresh()');
  await addRun(superuser, model, rows);
  await superuser.query('select pgscore.refresh()');
  await ada.query(`select pgscore.forget('unlabelled', run => $1)`, [first]);
  expect((await superuser.query(DAYS, ['unlabelled'])).rows).toEqual([
    { day: '2026-03-01', n: 1, labeled: 0, awaiting: 1, superseded: 0 },
  ]);
});

test('the only run of a version leaves nothing that waits', async () => {
  const model = await addMonitoredModel(superuser, 'single', 'binary');
  const other = await addVersion(superuser, model, 2);
  const rows = [{ id: 1, at: '2026-03-01 02:00+00', score: 0.75, label: 'yes' }];
  await addRun(superuser, model, rows);
  const run = await addRun(superuser, other, rows);
  await superuser.query('select pgscore.refresh()');
  await ada.query(`select pgscore.forget('single', run => $1)`, [run]);
  const waiting = 'select sum(n)::int as n from pgscore_data.cell_open where version_id = $1';
  expect((await superuser.query(waiting, [other.versionId])).rows).toEqual([{ n: null }]);
  await addRun(superuser, other, rows);
  await superuser.query('select pgscore.refresh()');
  const waits = { day: '2026-03-01', n: 1, labeled: 0, awaiting: 1, superseded: 0 };
  expect((await superuser.query(DAYS, ['single'])).rows).toEqual([waits, waits]);
});

const FAILED = `select segment_value as carrier, value, n::int from pgscore_bi.model_metric
  where model_name = $1 and metric = 'failed_share' and grain = 'day' order by segment_value, window_start`;

test('rows of a run that failed count no more, in no segment, and others do', async () => {
  const model = await addMonitoredModel(superuser, 'failing', 'binary');
  await ada.query(`select pgscore.monitor('failing', segments => array['carrier'])`);
  const watched = { ...model, name: 'failing', task: 'binary', target: 'failing_scores' } as const;
  const score = async (hour: number, given: number[]): Promise<string> => {
    const snapshotAt = Date.parse('2026-03-01') + hour * 3_600_000;
    const segments = { carrier: given.map((_, row) => (row === 0 ? 'AA' : null)) };
    const run = await addFinishedRun(superuser, watched, { snapshotAt, ids: given.map((_, n) => n), given, segments });
    await superuser.query('select pgscore.refresh()');
    return run;
  };
  await score(2, [0.75, 0.75, Number.NaN, 0.75]);
  const before = (await superuser.query(FAILED, ['failing'])).rows;
  expect(before).toMatchObject([
    { carrier: ':missing', n: 3 },
    { carrier: 'AA', value: 0, n: 1 },
    { carrier: null, value: 0.25, n: 4 },
  ]);
  const wrong = await score(1, [Number.NaN, Number.NaN, 0.25, Number.NaN]);
  expect((await superuser.query(FAILED, ['failing'])).rows.at(-1)).toMatchObject({ value: 0.5, n: 8 });
  await ada.query(`select pgscore.forget('failing', run => $1)`, [wrong]);
  expect((await superuser.query(FAILED, ['failing'])).rows).toEqual(before);
  await ada.query(`select pgscore.forget('failing', key => '2')`);
  expect((await superuser.query(FAILED, ['failing'])).rows.at(-1)).toMatchObject({ value: 0, n: 3 });
});

test('the rows of the arms of a run are forgotten with it', async () => {
  const model = await addMonitoredModel(superuser, 'split', 'binary');
  const rows = (id: number) => [{ id, at: '2026-03-01 02:00+00', score: 0.75, label: 'yes' }];
  const run = await addRun(superuser, model, rows(1));
  const arm = await addRun(superuser, await addVersion(superuser, model, 2), rows(2));
  await superuser.query(
    'update pgscore_data.run set experiment_id = 1, arm_of = nullif($1, run_id) where run_id in ($1, $2)',
    [run, arm],
  );
  expect((await ada.query(`select pgscore.forget('split', run => $1)::int as n`, [run])).rows).toEqual([{ n: 2 }]);
  const stored = `select from pgscore_predictions.target_${model.targetId}`;
  expect((await superuser.query(stored)).rowCount).toBe(0);
  const kept = 'select from pgscore_data.kept_prediction where run_id in ($1, $2)';
  expect((await superuser.query(kept, [run, arm])).rowCount).toBe(0);
});

test('who asks to forget nothing, or somebody else, is told what to do', async () => {
  await expect(ada.query(`select pgscore.forget('churn', key => 'x')`)).rejects.toMatchObject({ code: '22023' });
  await expect(ada.query(`select pgscore.forget('churn')`)).rejects.toMatchObject({ code: '22023' });
  await expect(ada.query(`select pgscore.forget('churn', run => 0)`)).rejects.toMatchObject({ code: '42704' });
  await expect(alice.query(`select pgscore.forget('churn', key => '2')`)).rejects.toMatchObject({ code: '42501' });
});

const model = await addMonitoredModel(superuser, 'model', 'binary');
const PREDICTION = { id: 1, at: '2026-03-01T12:00:00Z', score: 0.5, label: 'yes' };

test('counts of an attempt that came to nothing go, those of the one that is done stay', async () => {
  const runId = await addRun(superuser, model, [PREDICTION]);
  await superuser.query('update pgscore_data.run set attempt = 2 where run_id = $1', [runId]);
  await addTallies(superuser, { runId, attempt: 2 }, model.versionId, [PREDICTION]);
  await superuser.query('select pgscore_data._delete_monitoring()');
  const { rows } = await superuser.query('select attempt from pgscore_data.day_tally where run_id = $1', [runId]);
  expect(rows).toEqual([{ attempt: 2 }]);
});

test('features of a version that is gone go, those of others stay', async () => {
  const [gone, other] = await Promise.all(
    ['gone', 'other'].map((name) => addMonitoredModel(superuser, name, 'binary')),
  );
  for (const version of [gone, other]) {
    const runId = await addRun(superuser, version!, [PREDICTION]);
    await superuser.query(
      `insert into pgscore_data.feature_sample (run_id, attempt, shard, version_id, feature, days, texts) values ($1, 1, 0, $2, 1, '{2026-03-01}', '{secret}')`,
      [runId, version!.versionId],
    );
  }
  await superuser.query(`update pgscore_data.version set state = 'dropped' where version_id = $1`, [gone!.versionId]);
  // What was called just before is kept just after.
  await superuser.query(
    `insert into pgscore_data.feature_sample select run_id, attempt, shard, $1, feature, days, numbers, texts from pgscore_data.feature_sample where version_id = $2`,
    [gone!.versionId, other!.versionId],
  );
  await superuser.query('select pgscore_data._delete_monitoring()');
  const { rows } = await superuser.query('select distinct version_id from pgscore_data.feature_sample');
  expect(rows).toEqual([{ version_id: other!.versionId }]);
});

test('counts of an arm go whose run came to nothing, those of a run that is open stay', async () => {
  const open = await addRun(superuser, model, [PREDICTION]);
  await superuser.query(`update pgscore_data.run set state = 'running', arms = $2 where run_id = $1`, [
    open,
    { runs: [900_001] },
  ]);
  for (const runId of [900_001, 900_002]) {
    await addTallies(superuser, { runId: String(runId), attempt: 1 }, model.versionId, [PREDICTION]);
  }
  await superuser.query('select pgscore_data._delete_monitoring()');
  const { rows } = await superuser.query(
    'select distinct run_id::int from pgscore_data.day_tally where run_id > 900000',
  );
  expect(rows).toEqual([{ run_id: 900_001 }]);
});

test('a target whose key went with a dropped type keeps no entity from being forgotten', async () => {
  const { model } = await nights('keyless');
  const other = await addMonitoredModel(superuser, 'keyless_too', 'binary');
  await addRun(superuser, { ...other, versionId: model.versionId }, [
    { id: 1, at: '2026-03-01 02:00+00', score: 0.75, label: 'yes' },
  ]);
  await superuser.query('select pgscore.refresh()');
  const drop = `alter table pgscore_predictions.target_${other.targetId} drop column id cascade`;
  await superuser.query(drop);
  expect((await ada.query(`select pgscore.forget('keyless', key => '1')::int as n`)).rows).toEqual([{ n: 2 }]);
  const left = `select id from pgscore_predictions.target_${model.targetId} order by id limit 1`;
  expect((await superuser.query(left)).rows).toEqual([{ id: 2 }]);
});

test('rows of an entity that failed are forgotten with it', async () => {
  const { runs } = await nights('failed');
  const note = `insert into pgscore_data.run_error (run_id, attempt, shard, key, code, reason, input)
    select $1, 1, 0, k::jsonb, 'null_feature', 'x is NULL', '{"x": null}' from unnest($2::text[]) k`;
  await superuser.query(note, [
    runs[0],
    ['{"id": 1}', '{"id": 1.00}', '{"id": 2}', '{"id": 1, "at": "2026"}', '{"id": "11"}'],
  ]);
  await ada.query(`select pgscore.forget('failed', key => '1')`);
  const { rows } = await superuser.query('select key from pgscore_data.run_error where run_id = $1', [runs[0]]);
  expect(rows).toEqual([{ key: { id: 2 } }, { key: { id: 1, at: '2026' } }, { key: { id: '11' } }]);
});

test('rows that failed are listed for 400 days', async () => {
  const { runs } = await nights('listed');
  const note = `insert into pgscore_data.run_error (run_id, attempt, shard, key, code, reason) values ($1, 1, 0, '{"id": 1}', 'bad_value', 'x')`;
  for (const [index, ended] of ['399 days', '401 days'].entries()) {
    await superuser.query(note, [runs[index]]);
    const end = 'update pgscore_data.run set finished_at = now() - $2::interval where run_id = $1';
    await superuser.query(end, [runs[index], ended]);
  }
  await superuser.query('select pgscore_data._delete_monitoring()');
  const listed = 'select run_id from pgscore_data.run_error where run_id = any ($1)';
  expect((await superuser.query(listed, [runs])).rows).toEqual([{ run_id: runs[0] }]);
});
