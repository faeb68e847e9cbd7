import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { checkOnline } from '../../src/commands/doctor/installation.ts';
import { migrate } from '../../src/install/migrate.ts';
import { classModel } from '../support/class-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { timedOut } from '../support/timed-out.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { PASSWORD, startTestGateway, type TestGateway } from '../online/test-server.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await superuser.query('drop extension if exists dblink; create extension dblink schema public');
await startTestService(database);
const [ada, alice, bob] = await Promise.all([database.client('ada'), database.client('alice'), database.client('bob')]);

const CALL = `select score('sum', '{"a": 1, "b": 2}') as score`;
const KIND = `select pgscore.predict('kind', '{"x": 1}') ->> 'label' as score`;
const MANY = `select s.score from pgscore.score_rows('sum', array['{"a": 1, "b": 2}'::jsonb]) s`;
const BACKEND = `select pg_backend_pid() || '.' || (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint as backend`;
const install = () => migrate({ url: database.url() });

async function score(client: Client, call = CALL): Promise<unknown> {
  const { rows } = await client.query<{ score: unknown }>(call);
  return rows[0]?.score;
}

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'kind', classModel(3), { task: 'multiclass', class_labels: ['s', 'm', 'l'], features: ['x'] });
  await deployBytes(ada, 'other', weightedModel({ a: 'float32', b: 'float32' }));
  await ada.query(`select pgscore.revoke_model('other', 'pgscore_user')`);
  await ada.query(`select pgscore.grant_model('other', 'bob')`);
  for (const client of [alice, bob]) await client.query('set pgscore.execution = online');
});

test('where dblink came to stand in an open schema, score() keeps from it until migrate has been run', async () => {
  expect(await refusal(alice, CALL)).toMatchObject({
    code: '0A000',
    hint: expect.stringMatching(/alter extension dblink set schema pgscore_dblink; or, .*: pgscore migrate/),
  });
  expect(await score(alice, 'select public.dblink_get_connections() as score')).toBeNull();
});

describe('after migrate, with dblink in an open schema', () => {
  beforeAll(async () => {
    expect((await install()).dblink).toEqual({ state: 'signed', schema: 'public' });
  });

  test('doctor says how it is', async () => {
    expect(await checkOnline(superuser)).toEqual([
      expect.objectContaining({ status: 'ok', detail: expect.stringContaining('schema "public", and signs') }),
    ]);
  });

  test('one row, and many, are scored online', async () => {
    expect(await score(alice)).toBe(21);
    expect(await score(alice)).toBe(21);
    expect(await score(alice, KIND)).toBe('m');
    const many = `select sum(s.score) as score from pgscore.score_rows('sum', array(select to_jsonb(r) from (select n as a, 1 as b from generate_series(1, 2500) n) r)) s`;
    expect(await score(alice, many)).toBe((2500 * 2501) / 2 + 25_000);
    await alice.query('create type numbers as (a real, b int)');
    expect(await score(alice, many.replace('to_jsonb(r)', 'row(a, b)::numbers'))).toBe((2500 * 2501) / 2 + 25_000);
  });

  test('calls are kept under the name of who asked', async () => {
    await alice.query(`set pgscore.request_id = 'signed'`);
    await score(alice);
    const logged = `select requested_by, inputs, score from pgscore.online_predictions where request_id = 'signed'`;
    const kept = async (): Promise<unknown[]> => (await ada.query(logged)).rows;
    await waitFor(async () => (await kept()).length > 0);
    expect(await kept()).toEqual([{ requested_by: 'alice', inputs: { a: 1, b: 2 }, score: 21 }]);
  });

  test('an error of the service is told, and the next call is answered', async () => {
    expect(await refusal(alice, `select score('sum', '{"a": 1, "b": "many"}')`)).toMatchObject({ code: '42804' });
    expect(await score(alice)).toBe(21);
    expect((await refusal(alice, CALL.replace('sum', 'other'))).code).toBe('42501');
    await alice.query('set pgscore.deadline = 1');
    await timedOut(alice, 1, `select score('sum', p) from (select n as a, 1 as b from generate_series(1, 10000) n) p`);
    await alice.query('reset pgscore.deadline');
    expect(await score(alice)).toBe(21);
  });
});

describe('a caller who may call dblink herself', () => {
  const head = `{"version": 1, "role": "bob", "reply": "score"}\n{"a": 1, "b": 2}`;
  afterEach(async () => {
    expect(await score(alice)).toBe(21);
  });

  test.each([
    `select public.dblink_exec('pgscore', 'score ${head}')`,
    `select public.dblink_exec('pgscore', 'score ${head.replace('bob', 'alice')}')`,
    `select * from public.dblink('pgscore', 'score ${head}') as t (score float8)`,
    `select public.dblink_exec('pgscore', 'signed ${'A'.repeat(43)}= score ${head}')`,
    `select public.dblink_exec('pgscore', 'ping')`,
    `select public.dblink_exec('pgscore', 'hello again')`,
  ])('may ask nothing of its connection: %s', async (text) => {
    expect(await score(alice)).toBe(21);
    expect(await refusal(alice, text)).toMatchObject({ code: '42501', hint: expect.stringContaining('score()') });
  });

  test('who asks for a challenge cannot sign for it', async () => {
    await score(alice);
    const hello = `select public.dblink_exec('pgscore', 'hello ' || gen_random_uuid()) as score`;
    expect(await score(alice, hello)).toMatch(/^[\w-]{22} [\w+/]{22}==$/);
    for (const text of [
      `select pgscore_data._signed('score ${head}')`,
      `select pgscore_data._authentication_code('x')`,
      'select * from pgscore_data.signing_keys',
      `select pgscore_dblink.dblink_exec('pgscore', 'score ${head}')`,
      `select pgscore_dblink._greet('hello')`,
    ]) {
      expect((await refusal(alice, text)).code).toBe('42501');
    }
  });

  test('reads neither the keys nor the password in what the server tells her of its plans', async () => {
    const curious = await database.client('alice');
    const seen: string[] = [];
    curious.on('notice', ({ message, detail = '' }) => seen.push(`${message} ${detail}`));
    await curious.query('set client_min_messages = log; set debug_print_plan = on; set pgscore.execution = online');
    for (const call of [CALL, CALL, KIND]) await curious.query(call);
    const { rows } = await superuser.query<{ secret: Buffer }>(
      `select convert_to(password, 'UTF8') as secret from pgscore_data.gateway union all select inner_key from pgscore_data.signing_keys union all select outer_key from pgscore_data.signing_keys`,
    );
    expect(rows).toHaveLength(3);
    const told = seen.join('').replaceAll(/\s/g, '');
    expect(told).toContain([...Buffer.from('welcome %s')].join(''));
    // Bytes are told as signed numbers.
    for (const { secret } of rows) expect(told).not.toContain([...new Int8Array(secret)].join(''));
  });

  test.each([
    `select public.dblink_disconnect('pgscore')`,
    `select public.dblink_send_query('pgscore', 'hello ' || gen_random_uuid())`,
    `select public.dblink_send_query('pgscore', 'ping')`,
    `select public.dblink_cancel_query('pgscore')`,
    `do $$ begin perform public.dblink_send_query('pgscore', 'hello ' || gen_random_uuid()); perform public.dblink_is_busy('pgscore'); end $$`,
  ])('gets the right number after: %s', async (text) => {
    await score(alice);
    await alice.query(text);
    expect(await score(alice)).toBe(21);
    await alice.query(text);
    expect(await score(alice, KIND)).toBe('m');
  });
});

describe('another server in the place of the service', () => {
  let other: TestGateway;

  beforeAll(async () => {
    // It answers the x of every row, and keeps what it is asked.
    other = await startTestGateway();
    await superuser.query('grant usage, create on schema public to bob');
    await bob.query(
      `create function public.of_bob() returns float8 language sql security definer as $$ select pgscore.score('sum', '{"a": 1, "b": 2, "x": 666}'::text) $$`,
    );
  });

  test.each([
    ['one that does not greet', false],
    ['one that greets without the keys', true],
  ])('is found out before it is told anything, and is replaced: %s', async (_, greets) => {
    await score(alice);
    const { rows } = await alice.query<{ backend: string }>(BACKEND);
    const user = greets ? `pgscore/${rows[0]?.backend}` : 'pgscore';
    const login = `host=127.0.0.1 port=${other.port} dbname=any password=${PASSWORD} user=${user}`;
    for (const call of [CALL, MANY, `select public.of_bob() as score`]) {
      await alice.query(`select public.dblink_disconnect('pgscore')`);
      await alice.query(`select public.dblink_connect('pgscore', $1)`, [login]);
      expect(await score(alice, call)).toBe(21);
      expect(other.errors.length).toBeGreaterThan(0);
      expect(other.calls).toEqual([]);
    }
  });
});

describe('when dblink', () => {
  test('is moved to the schema that is pgscore’s own, requests go on, and migrate takes the functions between away', async () => {
    await superuser.query('alter extension dblink set schema pgscore_dblink');
    const fresh = await database.client('alice');
    await fresh.query('set pgscore.execution = online');
    expect(await score(fresh)).toBe(21);
    expect(await score(alice)).toBe(21);
    expect((await install()).dblink).toEqual({ state: 'ready' });
    // Its connection is one whose requests are signed, which they no longer are.
    expect((await refusal(alice, CALL)).code).toBe('42501');
    expect([await score(alice), await score(fresh)]).toEqual([21, 21]);
    const foreign = `select count(*)::int as score from pg_proc p where p.pronamespace = 'pgscore_dblink'::regnamespace and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')`;
    expect(await score(superuser, foreign)).toBe(0);
  });

  test('is moved back, and dropped, errors are as they were before it was there', async () => {
    await superuser.query('create schema tools; alter extension dblink set schema tools');
    const remedy = expect.stringContaining('grant pgscore_owner usage on the schema and execute on its functions');
    expect((await install()).dblink).toMatchObject({ state: 'elsewhere', remedy });
    await superuser.query('grant usage on schema tools to pgscore_owner');
    await superuser.query('revoke execute on all functions in schema tools from public');
    expect((await install()).dblink).toMatchObject({ state: 'elsewhere', remedy });
    await superuser.query('grant execute on all functions in schema tools to pgscore_owner');
    expect((await install()).dblink).toEqual({ state: 'signed', schema: 'tools' });
    const fresh = await database.client('alice');
    await fresh.query('set pgscore.execution = online');
    expect(await score(fresh)).toBe(21);
    expect((await refusal(superuser, 'drop extension dblink')).code).toBe('2BP01');
    await superuser.query('drop extension dblink cascade');
    const last = await database.client('alice');
    await last.query('set pgscore.execution = online');
    expect(await refusal(last, CALL)).toMatchObject({
      code: '0A000',
      message: expect.stringContaining('the extension dblink is missing'),
    });
  });
});
