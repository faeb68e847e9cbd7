import { expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { cloneDatabase } from '../support/database.ts';
import { addCalls } from './add-calls.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

test.each([
  ['{{a},{NULL},{c}}', [['a'], null, ['c']]],
  ['{{a,1},{NULL,NULL},{c,3}}', [['a', '1'], null, ['c', '3']]],
  [
    '{{v,w,x},{v,w,y}}',
    [
      ['v', 'w', 'x'],
      ['v', 'w', 'y'],
    ],
  ],
  [null, []],
])('the keys of a block %s are one for each of its predictions', async (keys, expected) => {
  const listed = 'select key from pgscore_data._key_rows($1::text[]) key';
  const { rows } = await superuser.query<{ key: unknown }>(listed, [keys]);
  expect(rows.map(({ key }) => key)).toEqual(expected);
});

/** A block of three predictions, about these. */
async function addBlock(versionId: number, keys: string, askedAt: string): Promise<void> {
  await superuser.query(
    `insert into pgscore_data.online_block (version_id, requested_by, asked_at, duration_ms, n_predictions, scores, labels, later_ms, keys)
     values ($1, 'alice', $3, 1, 3, '{0.1,0.2,0.3}', '{1,2,1}', '{0,4,9}', $2)`,
    [versionId, keys, askedAt],
  );
}

test('predictions of blocks are kept for labels one by one, with what was said and when', async () => {
  const { versionId } = await addMonitoredModel(superuser, 'asked', 'binary');
  await superuser.query('begin');
  await addBlock(versionId, '{{a,1},{NULL,NULL},{c,3}}', '2026-03-01 00:00:00+00');
  await addBlock(versionId, '{{a},{b},{NULL}}', '2026-03-02 00:00:00+00');
  await superuser.query(
    `insert into pgscore_data.online_batch (batch_id, version_id, n_predictions, n_failed, snapshot_at, first_id, last_id)
     select -100, $1, 6, 0, now(), min(prediction_id), max(prediction_id) + 2 from pgscore_data.online_block`,
    [versionId],
  );
  await superuser.query('commit');
  await superuser.query('select pgscore.refresh()');
  const kept = await superuser.query(
    `select key, score, predicted_class as class, extract(milliseconds from event_time)::int as ms
       from pgscore_data.kept_prediction where version_id = $1 order by run_id desc`,
    [versionId],
  );
  expect(kept.rows).toEqual([
    { key: ['a', '1'], score: 0.1, class: 0, ms: 0 },
    { key: ['c', '3'], score: 0.3, class: 0, ms: 9 },
    { key: ['a'], score: 0.1, class: 0, ms: 0 },
    { key: ['b'], score: 0.2, class: 1, ms: 4 },
  ]);
  const { rows } = await superuser.query<{ key: string[] | null }>(
    `select key from pgscore.online_predictions where model = 'asked' order by prediction_id`,
  );
  expect(rows.map(({ key }) => key)).toEqual([['a', '1'], null, ['c', '3'], ['a'], ['b'], null]);
});

test('predictions of calls without a key wait for no label, so that they do not lower coverage', async () => {
  const model = await addMonitoredModel(superuser, 'unnamed', 'binary');
  const at = '2026-03-05 00:00+00';
  const said = { at, score: 0.75, label: 'yes' };
  await addRun(superuser, model, [{ ...said, id: 7 }]);
  await addCalls(superuser, model, [
    { ...said, id: 8 },
    { ...said, id: null },
  ]);
  await superuser.query('select pgscore.refresh()');
  await superuser.query(`select pgscore.record_label('unnamed', '7', 'yes', $1)`, [at]);
  await superuser.query('select pgscore.refresh()');
  const day = `select n_predictions::int, n_labeled::int, n_awaiting::int, n_superseded::int, label_coverage, is_mature
    from pgscore_bi.binary_performance_daily where model_name = 'unnamed'`;
  const waiting = {
    n_predictions: 3,
    n_labeled: 1,
    n_awaiting: 1,
    n_superseded: 1,
    label_coverage: 0.5,
    is_mature: false,
  };
  expect((await superuser.query(day)).rows).toEqual([waiting]);
  await superuser.query(`select pgscore.record_label('unnamed', '8', 'yes', $1)`, [at]);
  await superuser.query('select pgscore.refresh()');
  const known = { n_predictions: 3, n_labeled: 2, n_awaiting: 0, n_superseded: 1, label_coverage: 1, is_mature: true };
  expect((await superuser.query(day)).rows).toEqual([known]);
  await superuser.query(`select pgscore.rebuild('unnamed')`);
  expect((await superuser.query(day)).rows).toEqual([known]);
});

test('margins of calls are kept for labels no more than those of runs, and are shown as no probabilities', async () => {
  const model = await addMonitoredModel(superuser, 'margins', 'multiclass');
  await superuser.query(
    `update pgscore_data.version set signature = signature || '{"outputs": {"margins": {"name": "m", "unit": "margin"}}}' where version_id = $1`,
    [model.versionId],
  );
  await superuser.query(
    `update pgscore_data.execution set probabilities = false, score_unit = 'margin' where version_id = $1`,
    [model.versionId],
  );
  const at = '2026-03-05 00:00+00';
  await addRun(superuser, model, [{ id: 1, at, score: 2, label: 'b' }]);
  await addCalls(superuser, model, [{ id: 7, at, score: 1e200, label: 'c', probabilities: [-3, 2, 1e200] }]);
  await superuser.query('select pgscore.refresh()');
  await superuser.query(`select pgscore.record_label('margins', '7', 'c')`);
  await superuser.query('select pgscore.refresh()');
  const kept = `select score, predicted_class as class, probabilities from pgscore_data.kept_prediction where version_id = $1 and key = '{7}'`;
  expect((await superuser.query(kept, [model.versionId])).rows).toEqual([
    { score: 1e200, class: 2, probabilities: null },
  ]);
  const judged = `select accuracy, top_2_accuracy from pgscore_bi.multiclass_performance_daily where model_name = 'margins' and n_labeled = 1`;
  expect((await superuser.query(judged)).rows).toEqual([{ accuracy: 1, top_2_accuracy: null }]);
  const shown = `select score, label, probabilities from pgscore.online_predictions where model = 'margins'`;
  expect((await superuser.query(shown)).rows).toEqual([{ score: 1e200, label: 'c', probabilities: null }]);
});

test('calls of which no label can judge one do not wait for labels', async () => {
  const model = await addMonitoredModel(superuser, 'clusters', 'multiclass');
  await superuser.query(
    `update pgscore_data.execution set probabilities = false, score_unit = 'distance' where version_id = $1`,
    [model.versionId],
  );
  await addCalls(superuser, model, [{ id: 7, at: '2026-03-05 00:00+00', score: 2, label: 'c' }]);
  await superuser.query('select pgscore.refresh()');
  const kept = `select from pgscore_data.kept_prediction where version_id = $1
    union all select from pgscore_data.cell_open where version_id = $1`;
  expect((await superuser.query(kept, [model.versionId])).rowCount).toBe(0);
  await superuser.query(`update pgscore_data.online_block set keys = null where version_id = $1`, [model.versionId]);
  await superuser.query(`select pgscore.rebuild('clusters')`);
  expect((await superuser.query(kept, [model.versionId])).rowCount).toBe(0);
});

const gateways = await Promise.all([database.client(), database.client()]);

/** A batch as a gateway keeps it, up to its commit: a block of so many calls, each with a key of its own. */
async function write(gateway: Client, versionId: number, batchId: number, calls: number, key: string): Promise<void> {
  await gateway.query('begin');
  await gateway.query(
    `insert into pgscore_data.online_batch (batch_id, version_id, n_predictions, n_failed, snapshot_at, first_id)
     select $1, $2, $3, 0, '2026-03-01 00:00:00+00', s.last_value from pgscore_data.online_prediction_id s`,
    [batchId, versionId, calls],
  );
  await gateway.query(
    `insert into pgscore_data.online_block (version_id, requested_by, asked_at, duration_ms, n_predictions, scores, labels, keys)
     select $1, 'alice', '2026-03-01 00:00:00+00', 1, $2::int, array_fill(0.5, array[$2::int]), array_fill(1, array[$2::int]),
            (select array_agg(array[$3::text || i]) from generate_series(1, $2) i)`,
    [versionId, calls, key],
  );
  await gateway.query(
    `update pgscore_data.online_batch set last_id = currval('pgscore_data.online_prediction_id') where batch_id = $1`,
    [batchId],
  );
}

/** How many calls wait for a label, and how many are kept for one. */
async function counted(versionId: number): Promise<unknown> {
  const { rows } = await superuser.query(
    `select (select sum(c.n)::int from pgscore_data.cell_open c where c.version_id = $1) as waiting,
            (select count(*)::int from pgscore_data.kept_prediction p where p.version_id = $1) as kept`,
    [versionId],
  );
  return rows[0];
}

test('calls that two gateways write at the same time are counted once', async () => {
  const { versionId } = await addMonitoredModel(superuser, 'both', 'binary');
  const [one, other] = gateways;
  await write(one!, versionId, -101, 3, 'a');
  await write(other!, versionId, -102, 5, 'b');
  await one!.query('commit');
  await write(one!, versionId, -103, 7, 'c');
  await other!.query('commit');
  await one!.query('commit');
  await superuser.query('select pgscore.refresh()');
  expect(await counted(versionId)).toEqual({ waiting: 15, kept: 15 });
  await superuser.query(`select pgscore.rebuild('both')`);
  expect(await counted(versionId)).toEqual({ waiting: 15, kept: 15 });
});

test('calls that are written while all is counted again are counted once', async () => {
  const { versionId } = await addMonitoredModel(superuser, 'meanwhile', 'binary');
  const [one] = gateways;
  await write(one!, versionId, -111, 3, 'a');
  await one!.query('commit');
  await superuser.query('select pgscore_data._recount_open($1)', [versionId]);
  await superuser.query('select pgscore.refresh()');
  expect(await counted(versionId)).toEqual({ waiting: 3, kept: 3 });
});
