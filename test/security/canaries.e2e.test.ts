import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes, deployModel } from '../support/deploy.ts';
import { ORDINARY_ROLES, passwordOf } from '../support/ordinary-roles.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { childrenOf, filesIn, startedWith, tcpSocketsOf } from '../support/processes.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

/** Stands in every place of bob's rows from which it might leak. */
const CANARY = 'canary-5f1d2c';

const database = await cloneDatabase();
const service = await startTestService(database, { PGSCORE_SCORERS: '1' });
const [superuser, ada, alice, bob] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('bob'),
]);
await deployBytes(ada, 'texts', weightedModel({ t: 'string', n: 'float32' }));
await bob.query(`
  create table keyed (id text primary key, t text, n real);
  create table doubled (id text, t text, n real);
  create table keyless (id text, t text, n real);
  create view failing as select id, t, (t::int)::real as n from keyed;
  create function tell(text) returns real language plpgsql as $$ begin raise exception 'found %', $1; end $$;
  create view telling as select id, t, bob.tell(t) as n from keyed;
  create view gated as select id, t, (select pg_advisory_xact_lock_shared(5)::text is null)::int::real as n from keyed where t is not null`);
await bob.query(`insert into keyed values ($1::text || 'key', $1, 1), ($1::text || 'other', null, 2)`, [CANARY]);
await bob.query(`insert into doubled values ($1, 'red', 1), ($1, 'red', 2)`, [CANARY]);
await bob.query(`insert into keyless values (null, $1, 1)`, [CANARY]);

/** Passwords and keys that nobody is to see; those of the service's logins are plain words, so with what stands around them. */
async function secrets(): Promise<string[]> {
  const { rows } = await superuser.query<{ guard_key: string }>('select guard_key from pgscore_data.handle');
  const logins = [SERVICE_PASSWORD, READER_PASSWORD].flatMap((password) => [`:${password}@`, `'${password}'`]);
  const people = ORDINARY_ROLES.map((role) => passwordOf(role, process.env['PGSCORE_TEST_SUPERUSER_URL'] ?? ''));
  return [CANARY, ...logins, ...people, ...rows.map(({ guard_key }) => guard_key)];
}

const found = async (text: string): Promise<string[]> => (await secrets()).filter((secret) => text.includes(secret));

test('the error of a run tells its requester what was wrong with the row', async () => {
  const runs = [
    await scoreTable(bob, 'texts', 'keyed', { error_limit: 0 }),
    await scoreTable(bob, 'texts', 'doubled', { key: 'id' }),
    await scoreTable(bob, 'texts', 'keyless', { key: 'id' }),
    await scoreTable(bob, 'texts', 'failing', { key: 'id' }),
    await scoreTable(bob, 'texts', 'telling', { key: 'id' }),
  ];
  expect(runs.map(({ state, error_code }) => `${state} ${error_code}`)).toEqual([
    'failed too_many_failed_rows',
    'failed duplicate_key',
    'failed null_key',
    'failed source_error',
    'failed source_error',
  ]);
  expect(runs.filter(({ error }) => error?.includes(CANARY)).map(({ source }) => source)).toEqual([
    'bob.doubled',
    'bob.failing',
    'bob.telling',
  ]);
});

test('and nobody else: no other role, in no view', async () => {
  for (const view of ['runs', 'run_errors', 'models', 'targets', 'services', 'schedules', 'schedule_history']) {
    const text = `select coalesce(string_agg(v::text, ' '), '') as all_rows from pgscore.${view} v`;
    const { rows } = await alice.query<{ all_rows: string }>(text);
    expect(await found(rows[0]?.all_rows ?? '')).toEqual([]);
  }
});

test('the log and the metrics of the service hold no value of a row, no password and no key of a handle', async () => {
  expect(service.log()).toContain('duplicate_key');
  expect(await found(service.log())).toEqual([]);
  expect(await found(await (await fetch(`${service.url}/metrics`)).text())).toEqual([]);
});

test('the statements of its sessions hold none either', async () => {
  await superuser.query('select pg_advisory_lock(5)');
  const run = await submitRun(bob, 'texts', 'gated', { key: 'id' });
  await waitFor(async () => {
    const { rows } =
      await superuser.query(`select from pg_locks where locktype = 'advisory' and objid = 5 and not granted
        and database = (select oid from pg_database where datname = current_database())`);
    return rows.length > 0;
  });
  const { rows } = await superuser.query<{ query: string }>(
    `select query from pg_stat_activity where datname = current_database() and usename in ('pgscore_service', 'pgscore_reader')`,
  );
  await superuser.query('select pg_advisory_unlock(5)');
  expect(rows.length).toBeGreaterThan(3);
  expect(await found(rows.map(({ query }) => query).join('\n'))).toEqual([]);
  expect(await endOfRun(bob, run)).toMatchObject({ state: 'done', rows_done: '1' });
});

/** Looks at the first process that the service starts for a deploy, while it lives. */
async function whileProbed(model: string, look: (probe: number) => Promise<void>): Promise<void> {
  const staying = await service.stayingPids();
  const deployed = deployModel(ada, model, 'bench/trees.onnx');
  await waitFor(async () => {
    const [probe] = (await childrenOf(service.pid)).filter((pid) => !staying.includes(pid));
    if (probe === undefined) return false;
    await look(probe);
    return true;
  });
  await deployed;
}

test('neither scorer nor probe shows a password in its arguments or its environment', async () => {
  const scorers = await service.scorerPids();
  expect(scorers).toHaveLength(1);
  const shown = await Promise.all(scorers.map(startedWith));
  await whileProbed('watched', async (probe) => {
    shown.push(await startedWith(probe));
  });
  expect(shown).toHaveLength(2);
  const forbidden = [`${SERVICE_PASSWORD}@`, `${READER_PASSWORD}@`, 'postgres', 'PGPASSWORD', 'PGSCORE_'];
  expect(shown.flatMap((text) => forbidden.filter((secret) => text.includes(secret)))).toEqual([]);
});

test('an unchecked model is tried without a connection to anything, in an empty folder', async () => {
  await whileProbed('alone', async (probe) => {
    expect(await filesIn(probe)).toEqual([]);
    expect(await tcpSocketsOf(probe)).toEqual([]);
  });
  const [scorer = 0] = await service.scorerPids();
  expect((await tcpSocketsOf(scorer)).length).toBeGreaterThan(0);
});
