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

/** Runs a command in the middle of a refresh: after it has its turn, before it counts a run that has just ended. */
async function duringRefresh(name: string, command: (target: string) => [Client, string]): Promise<void> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  const target = `${name}_scores`;
  await addFinishedRun(
    superuser,
    { ...model, name, task: 'binary', target },
    { ids: [1, 2, 3], given: [0.2, 0.5, 0.7], snapshotAt: Date.now() - 60_000 },
  );
  await service.query('begin');
  await service.query(`select pgscore_data._await_turn('cells')`);
  const [client, text] = command(target);
  const done = client.query(text);
  await waitFor(
    async () => {
      const { rows } = await superuser.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query = $1`,
        [text],
      );
      return rows.length > 0;
    },
    { message: `${text} waits for the refresh` },
  );
  await service.query('select pgscore_data._refresh()');
  await service.query('commit');
  await done;
}

test('a target is dropped while a refresh counts its last run', async () => {
  await duringRefresh('dropped', (target) => [alice, `select pgscore.drop_target('${target}', 'alice')`]);
  const { rows } = await superuser.query(
    `select count(*)::int as n from pgscore_data.kept_prediction p join pgscore_data.version v using (version_id)
       join pgscore_data.model m using (model_id) where m.name = 'dropped'`,
  );
  expect(rows).toEqual([{ n: 3 }]);
});

test('settings of a monitor change while a refresh counts a run of its model', async () => {
  await duringRefresh('changed', () => [ada, `select pgscore.monitor('changed', pairing => 'latest')`]);
  const { rows } = await superuser.query(
    `select pairing from pgscore_data.monitor join pgscore_data.model using (model_id) where name = 'changed'`,
  );
  expect(rows).toEqual([{ pairing: 'latest' }]);
});
