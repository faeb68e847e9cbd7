import { expect, test } from '@jest/globals';

import { openConnections } from '../../src/service/connections.ts';
import { putDay, yesterday } from '../monitor/alert-days.ts';
import { addMonitoredModel } from '../monitor/monitored-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { CONNECTIONS_OF_A_RUN, CONTROL_CONNECTIONS, terminate } from './terminate.ts';

const database = await cloneDatabase();
const service = await startTestService(database, { PGSCORE_POLL: '0.1' });
const superuser = await database.client();
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);
await alice.query(`set pgscore.execution = online;
  create table points (id bigint primary key, x float8);
  insert into points values (1, 10);
  create table truth (id bigint primary key, y float8)`);
for (const model of ['first', 'second', 'third']) await deployBytes(ada, model, weightedModel({ x: 'float64' }));
expect(await scoreTable(alice, 'first', 'points')).toMatchObject({ state: 'done' });
await alice.query(`select pgscore.set_labels('first', 'truth', label => 'y')`);
await ada.query(`select pgscore.log_calls('first', 1)`);

/** Waits until a query gives a row. */
async function expectRow(text: string, values: unknown[] = []): Promise<void> {
  await waitFor(async () => (await superuser.query(text, values)).rows.length > 0, { timeout: 30_000, message: text });
}

async function call(model: string, id = 'any'): Promise<void> {
  await alice.query("select set_config('pgscore.request_id', $1, false)", [id]);
  const { rows } = await alice.query('select pgscore.score($1, $2) as score', [model, '{"x": 3}']);
  expect(rows).toEqual([{ score: 3 }]);
}

async function look(): Promise<void> {
  expect((await fetch(`${service.url}/page/api/health`)).status).toBe(200);
}

async function fire(): Promise<void> {
  await alice.query(`select pgscore.schedule('minutely', '* * * * *', 'first', 'points')`);
  await superuser.query(
    `update pgscore_data.schedule set decided_until = now() - interval '2 minutes', next_fire_at = null`,
  );
  await expectRow(`select from pgscore_data.schedule_fire where outcome = 'submitted'`);
}

async function raiseAlert(): Promise<void> {
  const model = await addMonitoredModel(superuser, 'watched', 'binary');
  await alice.query(`select pgscore.set_alert('watched', 'low', 'accuracy', threshold => 0.8)`);
  await putDay(superuser, model, yesterday(), { accuracy: 0.5 });
  await expectRow(`select from pgscore_bi.alert_history where model_name = 'watched' and event = 'firing'`);
}

async function compare(): Promise<void> {
  const { rows } = await superuser.query<{ at: string }>(
    'update pgscore_data.label_source set compare_after = clock_timestamp() returning clock_timestamp()::text as at',
  );
  await expectRow('select from pgscore_data.label_source where compared_at > $1 and error is null', [rows[0]?.at]);
}

async function forgetWorker(): Promise<void> {
  await superuser.query(
    `insert into pgscore_data.service (service_id, host, pid, version, scorers, state, heartbeat_at)
     values ('00000000-0000-0000-0000-000000000000', 'gone', 1, '0', 1, 'running', now() - interval '2 days')`,
  );
  await expectRow(`select where not exists (select from pgscore_data.service where host = 'gone')`);
}

async function countLabel(): Promise<void> {
  await alice.query('insert into truth values (1, 12)');
  await expectRow(
    `select from pgscore_bi.regression_performance_daily where model_name = 'first' and n_labeled = 1 and mae = 2`,
  );
}

async function keepCall(): Promise<void> {
  await call('first', 'kept');
  await expectRow(`select from pgscore.online_predictions where request_id = 'kept'`);
}

async function follow(): Promise<void> {
  await alice.query(`select pgscore.watch('first', 'points', target => 'points_live')`);
  await expectRow('select from pgscore_data.watch where is_complete and error is null');
}

/** Of each kind of connection that is for other things than runs: what it is for. */
const DUTIES: Readonly<Record<string, () => Promise<void>>> = {
  schedule: fire,
  tidy: forgetWorker,
  refresh: countLabel,
  labels: compare,
  alerts: raiseAlert,
  watches: follow,
  page: look,
  gateway: () => call('second'),
  'gateway models': () => call('third'),
  'gateway log': keepCall,
};

test.each(Object.entries(DUTIES))(
  'the service does what the %s connection is for once it was terminated',
  async (part, duty) => {
    await look();
    await call('first');
    await waitFor(() => terminate(superuser, part), { message: `a ${part} connection` });
    await duty();
  },
);

test('no kind of connection is without a test of its end', async () => {
  const tested = [
    ...CONNECTIONS_OF_A_RUN.map(({ part }) => part),
    ...CONTROL_CONNECTIONS,
    'publish',
    ...Object.keys(DUTIES),
  ];
  const { rows } = await superuser.query<{ name: string }>(
    `select distinct application_name as name from pg_stat_activity
      where datname = current_database() and usename in ('pgscore_service', 'pgscore_reader')`,
  );
  const connections = openConnections({ databaseUrl: undefined, leaseMs: 1 });
  const kinds = [
    ...Object.values(connections).map(({ applicationName }) => applicationName),
    ...rows.map(({ name }) => name),
  ];
  expect(tested.map((part) => `pgscore ${part}`)).toEqual(expect.arrayContaining(kinds));
  expect(kinds).toEqual(expect.arrayContaining(Object.keys(DUTIES).map((part) => `pgscore ${part}`)));
  expect(await service.stop()).toBe(0);
});
