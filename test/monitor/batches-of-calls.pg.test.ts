import { expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
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
  await write(one!, versionId, -1, 3, 'a');
  await write(other!, versionId, -2, 5, 'b');
  await one!.query('commit');
  await write(one!, versionId, -3, 7, 'c');
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
  await write(one!, versionId, -11, 3, 'a');
  await one!.query('commit');
  await superuser.query('select pgscore_data._recount_open($1)', [versionId]);
  await superuser.query('select pgscore.refresh()');
  expect(await counted(versionId)).toEqual({ waiting: 3, kept: 3 });
});
