import { afterEach, beforeAll, expect, test } from '@jest/globals';

import { compareLabels } from '../../src/monitor/compare-labels.ts';
import { openConnections } from '../../src/service/connections.ts';
import { cloneDatabase } from '../support/database.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { waitFor } from '../support/wait-for.ts';
import { addMonitoredModel, addRun, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, keeper] = await Promise.all([database.client(), database.client()]);
let held: MonitoredModel;
let free: MonitoredModel;

const ROW = [{ id: 1, at: '2026-03-01 02:00+00', score: 0.75, label: 'yes' }];

beforeAll(async () => {
  free = await addMonitoredModel(superuser, 'model', 'binary');
  // Another target of the same version.
  held = { ...(await addMonitoredModel(superuser, 'held', 'binary')), versionId: free.versionId };
  // Whoever waits for a lock is ended, so that a test which fails does so soon.
  await superuser.query(`set statement_timeout = '5s'`);
});

/** As DROP TYPE ... CASCADE of an enum does that a target is keyed by. */
async function hold(): Promise<void> {
  await keeper.query('begin');
  const lock = `lock table pgscore_predictions.target_${held.targetId} in access exclusive mode`;
  await keeper.query(lock);
}
afterEach(() => keeper.query('rollback'));

/** A run to each target, of which one is held then. */
async function addRuns(): Promise<readonly [string, string]> {
  const runs = [await addRun(superuser, held, ROW), await addRun(superuser, free, ROW)] as const;
  await hold();
  return runs;
}

async function kept(runs: readonly string[]): Promise<unknown[]> {
  const { rows } = await superuser.query<{ kept: boolean }>(
    'select kept from pgscore_data.run where run_id = any ($1) order by run_id',
    [runs],
  );
  return rows.map((run) => run.kept);
}

test('a refresh leaves runs of a target that is held to the next one', async () => {
  const runs = await addRuns();
  await superuser.query('select pgscore.refresh()');
  expect(await kept(runs)).toEqual([false, true]);
  await keeper.query('rollback');
  await superuser.query('select pgscore.refresh()');
  expect(await kept(runs)).toEqual([true, true]);
});

test('replays of a target that is held are compared later', async () => {
  const runs = await addRuns();
  await superuser.query(
    'update pgscore_data.run set is_replay = true, publish = false, counted = true, kept = true where run_id = any ($1)',
    [runs],
  );
  await superuser.query('insert into pgscore_data.replay (run_id) select unnest($1::bigint[])', [runs]);
  await superuser.query(`insert into pgscore_data.alias (model_id, alias, version_id) values ($1, 'champion', $2)`, [
    free.modelId,
    free.versionId,
  ]);
  const compared = async (): Promise<unknown[]> => {
    while ((await superuser.query('select pgscore_data._compare_replays(false) as more')).rows[0].more === true);
    const read = 'select run_id as run from pgscore_data.replay where n_days is not null order by run_id';
    return (await superuser.query<{ run: string }>(read)).rows.map(({ run }) => run);
  };
  expect(await compared()).toEqual([runs[1]]);
  await keeper.query('rollback');
  expect(await compared()).toEqual(runs);
});

test('old predictions of other targets are deleted', async () => {
  await hold();
  await expect(superuser.query('select pgscore_data._prune_history(20, 100)')).resolves.toMatchObject({ rowCount: 1 });
});

test('a comparison of labels ends soon, though who set them holds them in an open transaction', async () => {
  const alice = await database.client('alice');
  await alice.query(`create table truth (id bigint primary key, answer text); insert into truth values (1, 'yes');
    create function slow() returns boolean language plpgsql volatile as $$ begin perform pg_sleep(1); return true; end $$;
    create view said as select id, answer from truth where slow()`);
  await alice.query(`select pgscore.set_labels('model', 'said', 'answer', key => 'id')`);
  const { labels, ...others } = openConnections({
    databaseUrl: database.url({ user: 'pgscore_service', password: SERVICE_PASSWORD }),
    leaseMs: 10_000,
  });
  const readerUrl = database.url({ user: 'pgscore_reader', password: READER_PASSWORD });
  const compared = labels.use((client) => compareLabels(client, readerUrl));
  const ended = expect(compared).rejects.toMatchObject({ code: '55P03' });
  const isRead = `select from pg_stat_activity where application_name = 'pgscore labels' and wait_event = 'PgSleep'`;
  await waitFor(async () => (await superuser.query(isRead)).rowCount === 1);
  await alice.query(`begin; select pgscore.unset_labels('model')`);
  await ended;
  await alice.query('rollback');
  expect(await labels.use((client) => compareLabels(client, readerUrl))).toEqual({ model: 'model', rows: 1 });
  for (const connection of [labels, ...Object.values(others)]) await connection.end();
});
