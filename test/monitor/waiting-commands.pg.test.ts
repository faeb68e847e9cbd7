import { expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { cloneDatabase } from '../support/database.ts';
import { waitFor } from '../support/wait-for.ts';
import { addFinishedRun } from './counting/finished-runs.ts';
import { addMonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [service, superuser, alice, ada] = await Promise.all([
  database.client(),
  database.client(),
  database.client('alice'),
  database.client('ada'),
]);

let beside = 0;

/** A model with a run that no refresh has counted. */
async function addScoredModel(name: string): Promise<string> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  const target = `${name}_scores`;
  await addFinishedRun(
    superuser,
    { ...model, name, task: 'binary', target },
    { ids: [1, 2, 3], given: [0.2, 0.5, 0.7], snapshotAt: Date.now() - 60_000 },
  );
  return `alice.${target}`;
}

/** Runs a command in the middle of a refresh: after it has its turn, before it counts a run that has just ended. */
async function duringRefresh(client: Client, text: string, waitEvent: string): Promise<void> {
  await service.query('begin');
  await service.query(`select pgscore_data._await_turn('cells')`);
  const done = client.query(text);
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event = $2 and query = $1`;
  const waits = async (): Promise<boolean> => ((await superuser.query(waiting, [text, waitEvent])).rowCount ?? 0) > 0;
  await waitFor(waits, { message: `${text} waits for the refresh` });
  await service.query('select pgscore_data._refresh()');
  await service.query('commit');
  await done;
}

async function keptOf(name: string): Promise<unknown> {
  const { rows } = await superuser.query<{ n: number }>(
    `select count(*)::int as n from pgscore_data.kept_prediction p join pgscore_data.version v using (version_id)
       join pgscore_data.model m using (model_id) where m.name = $1`,
    [name],
  );
  return rows[0]?.n;
}

test('a target is dropped once its last run is counted, and its predictions stay for labels', async () => {
  const target = await addScoredModel('dropped');
  await duringRefresh(alice, `select pgscore.drop_target('${target}')`, 'PgSleep');
  expect(await keptOf('dropped')).toBe(3);
});

test('settings of a monitor change while a refresh counts a run of its model', async () => {
  await addScoredModel('changed');
  await duringRefresh(ada, `select pgscore.monitor('changed', pairing => 'latest')`, 'transactionid');
  const { rows } = await superuser.query(
    `select pairing from pgscore_data.monitor join pgscore_data.model using (model_id) where name = 'changed'`,
  );
  expect(rows).toEqual([{ pairing: 'latest' }]);
});

test('a refresh goes on while a user leaves the transaction open that drops a target', async () => {
  const target = await addScoredModel('idle');
  await superuser.query('select pgscore.refresh()');
  await expectRefreshBeside(`select pgscore.drop_target('${target}')`);
});

test('a refresh goes on while a user leaves the transaction open that sets the first alert of a model', async () => {
  await addScoredModel('alerted');
  await expectRefreshBeside(`select pgscore.set_alert('alerted', 'low', 'accuracy', threshold => 0.8)`);
});

/** The open transaction of a command does not keep a refresh from counting another model. */
async function expectRefreshBeside(command: string): Promise<void> {
  beside += 1;
  await alice.query('begin');
  await alice.query(command);
  await addScoredModel(`beside_${beside}`);
  await service.query(`set statement_timeout = '10s'`);
  await service.query('select pgscore_data._refresh()');
  await alice.query('rollback');
  expect(await keptOf(`beside_${beside}`)).toBe(3);
}
