import { beforeAll, describe, expect, test } from '@jest/globals';
import { createServer, type AddressInfo } from 'node:net';
import type { Client } from 'pg';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { READER_PASSWORD } from '../support/service-passwords.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { gatewayOf, versionIdOf } from '../online/online.ts';
import { fieldsOf, rowsOf, WireClient } from '../online/wire-client.ts';

const database = await cloneDatabase();
const PASSWORD = 'canary-of-score';
const service = await startTestService(database, { PGSCORE_GATEWAY_PASSWORD: PASSWORD });
const [superuser, ada, alice, bob, outsider] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('bob'),
  // A login that is no pgscore_user.
  database.client({ user: 'pgscore_reader', password: READER_PASSWORD }),
]);
const login = await gatewayOf(service);

const ROW = `'{"a": 1, "b": 2}'`;
const CALL = `select score('sum', ${ROW}) as score`;
const CALLS = [
  `select score('sum', ${ROW})`,
  `select pgscore.score('sum', ${ROW}::jsonb)`,
  `select pgscore.predict('sum', ${ROW})`,
  `select pgscore_models._v1_online(${ROW})`,
  `select pgscore_models._v1_online_score(${ROW})`,
  `select pgscore_models._v1_json(${ROW})`,
  `select pgscore_models._v1(1, 2)`,
];

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  expect(await versionIdOf(superuser, 'sum@1')).toBe(1);
  await superuser.query('grant usage on schema alice to pgscore_owner, bob');
  await alice.query('create table points (id int primary key, a real, b real)');
  await alice.query('insert into points values (1, 1, 2)');
  await alice.query('grant select on points to bob');
  await alice.query(`select pgscore.bind('sum', 'points')`);
});

async function execution(way: 'native' | 'online'): Promise<void> {
  for (const client of [alice, bob]) await client.query("select set_config('pgscore.execution', $1, false)", [way]);
}

async function score(client: Client): Promise<unknown> {
  const { rows } = await client.query<{ score: number }>(CALL);
  return rows[0]?.score;
}

/** What the gateway says to who has its password and calls for a role. */
async function askedDirectly(role: string): Promise<string | undefined> {
  const client = await WireClient.login(login.port, PASSWORD);
  const replies = await client.ask(`score ${JSON.stringify({ version: 1, role })}\n${JSON.stringify({ a: 1, b: 2 })}`);
  client.destroy();
  const error = replies.find(({ type }) => type === 'E');
  return error === undefined ? rowsOf(replies)[0]?.[0]?.toString() : fieldsOf(error)['C'];
}

describe('a role that is no pgscore_user', () => {
  test.each(CALLS)('may not call: %s', async (call) => {
    expect((await refusal(outsider, call)).code).toBe('42501');
  });
});

describe.each(['native', 'online'] as const)('a model that is answered %s and taken from pgscore_user', (way) => {
  beforeAll(async () => {
    await execution(way);
    expect([await score(alice), await score(bob)]).toEqual([21, 21]);
    await ada.query(`select pgscore.revoke_model('sum', 'pgscore_user')`);
  });

  test.each(CALLS)('is refused at once, in sessions that used it before: %s', async (call) => {
    expect((await refusal(alice, call)).code).toBe('42501');
  });

  test('is answered again to whom it is granted, and to nobody else', async () => {
    await ada.query(`select pgscore.grant_model('sum', 'alice')`);
    expect(await score(alice)).toBe(21);
    expect((await refusal(bob, CALLS[0] ?? '')).code).toBe('42501');
  });

  test('has typed functions for that role alone', async () => {
    const typed = `select p.id, pgscore_models.sum(p) as score from alice.points p`;
    expect((await alice.query(typed)).rows).toEqual([{ id: 1, score: 21 }]);
    for (const call of [
      typed,
      `select pgscore_models.sum_v1(p) from alice.points p`,
      `select pgscore_models.sum_v1(1, 2)`,
    ]) {
      expect((await refusal(bob, call)).code).toBe('42501');
    }
    expect((await refusal(bob, `select score('sum', p) from alice.points p`)).code).toBe('42501');
  });

  test('may be granted back to all', async () => {
    await ada.query(`select pgscore.revoke_model('sum', 'alice')`);
    await ada.query(`select pgscore.grant_model('sum', 'pgscore_user')`);
    expect([await score(alice), await score(bob)]).toEqual([21, 21]);
  });
});

describe('who knows the password of the gateway', () => {
  test('gains nothing that the role she calls for may not', async () => {
    expect(await askedDirectly('alice')).toBe('21');
    expect(await askedDirectly('pgscore_reader')).toBe('42501');
    expect(await askedDirectly('nobody at all')).toBe('42501');
    await ada.query(`select pgscore.revoke_model('sum', 'pgscore_user')`);
    await ada.query(`select pgscore.grant_model('sum', 'bob')`);
    await waitFor(async () => (await askedDirectly('alice')) === '42501', {
      message: 'the revoke to reach the gateway',
    });
    await waitFor(async () => (await askedDirectly('bob')) === '21', {
      message: 'the grant to reach the gateway',
    });
    await ada.query(`select pgscore.grant_model('sum', 'pgscore_user')`);
  });
});

describe('a caller', () => {
  beforeAll(async () => {
    await execution('online');
    expect(await score(alice)).toBe(21);
  });

  test.each([
    'select * from pgscore_data.gateway',
    `select pgscore_data._ask('ping')`,
    `select pgscore_data._settings('1', 'x')`,
    `select pgscore_data._send('ping')`,
    `select pgscore_data._receive(1)`,
    'select pgscore_data._connect_gateway()',
    'select pgscore_dblink.dblink_get_connections()',
    `select * from pgscore_dblink.dblink('pgscore', 'ping') as t (ping text)`,
    `select pgscore_dblink.dblink_exec('pgscore', 'ping')`,
    `select pgscore_dblink.dblink_send_query('pgscore', 'ping')`,
    `select * from pgscore_dblink.dblink_get_result('pgscore') as t (ping text)`,
    `select pgscore_dblink.dblink_open('pgscore', 'c', 'ping')`,
    `select pgscore_dblink.dblink_error_message('pgscore')`,
    `select pgscore_dblink.dblink_disconnect('pgscore')`,
    `select pgscore_dblink.dblink_connect('mine', 'host=127.0.0.1')`,
  ])('may not use the connection of score(): %s', async (text) => {
    expect((await refusal(alice, text)).code).toBe('42501');
    expect(await score(alice)).toBe(21);
  });

  test('reads the password in no activity, setting, error or log', async () => {
    const seen: unknown[] = [];
    for (const client of [alice, superuser]) {
      seen.push((await client.query('select query, application_name from pg_stat_activity')).rows);
      seen.push((await client.query('select name, setting from pg_settings')).rows);
    }
    seen.push((await alice.query('select to_jsonb(w) from pgscore.services w')).rows, service.log());
    await superuser.query(
      `create function public.move() returns trigger language plpgsql as 'begin new.port := 1; return new; end'`,
    );
    await superuser.query(
      'create trigger move before insert or update on pgscore_data.gateway for each row execute function public.move()',
    );
    await superuser.query('update pgscore_data.gateway set since = since');
    const other = await database.client('alice');
    await other.query('set client_min_messages = debug5');
    await other.query('set debug_print_plan = on');
    other.on('notice', ({ message, detail, where, internalQuery }) =>
      seen.push({ message, detail, where, internalQuery }),
    );
    await other.query('set pgscore.execution = online');
    const failed = await other.query(CALL).catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: '08001',
      message: 'the service does not answer',
      hint: expect.stringContaining('score_table'),
    });
    seen.push(JSON.stringify({ ...(failed as object), message: (failed as Error).message }));
    await superuser.query('drop trigger move on pgscore_data.gateway');
    const moved = 'select from pgscore_data.gateway where port = $1';
    await waitFor(async () => (await superuser.query(moved, [login.port])).rows.length === 1);
    expect(JSON.stringify(seen)).not.toContain(PASSWORD);
    // A plan that was made for a value shows its bytes, in decimal and wrapped.
    expect(JSON.stringify(seen).replaceAll(/\s|\\n/g, '')).not.toContain([...Buffer.from(PASSWORD)].join(''));
  });

  test('cannot have a call logged as another role', async () => {
    await alice.query(`set pgscore.request_id = 'forged'`);
    const forged = await refusal(alice, `select pgscore_models._v1_online(${ROW}, 'bob')`);
    expect(forged).toMatchObject({ code: '42501' });
    const rows = `'[{"a": 1, "b": 2}]'`;
    for (const other of [`'bob'`, 'null'])
      for (const call of [
        `_v1_online_send(${rows}, ${other})`,
        `_v1_online_columns(${rows}, 1, ${other})`,
        `_v1_online_score('{"a": 1, "b": 2}', ${other})`,
      ])
        expect((await refusal(alice, `select pgscore_models.${call}`)).code).toBe('42501');
    await score(alice);
    const logged = async (): Promise<unknown[]> =>
      (await superuser.query(`select requested_by from pgscore.online_predictions where request_id = 'forged'`)).rows;
    await waitFor(async () => (await logged()).length > 0);
    expect(await logged()).toEqual([{ requested_by: 'alice' }]);
  });

  test('is logged as the role that she set, and in a function that acts as its owner as that owner', async () => {
    await superuser.query('grant usage, create on schema alice to bob');
    const forAll = `create function alice.for_all() returns float8 language sql security definer as $$ select score('sum', ${ROW}) $$`;
    await bob.query(forAll);
    await bob.query(`set pgscore.request_id = ''`);
    await alice.query(`set pgscore.request_id = 'for all'`);
    await alice.query('select alice.for_all()');
    const someone = await database.client();
    await someone.query(`set pgscore.request_id = 'as bob'`);
    await someone.query('set role bob');
    await someone.query('set pgscore.execution = online');
    await someone.query(CALL);
    const logged = `select request_id, requested_by from pgscore.online_predictions where request_id in ('for all', 'as bob') order by 1`;
    await waitFor(async () => (await superuser.query(logged)).rows.length === 2);
    expect((await superuser.query(logged)).rows).toEqual([
      { request_id: 'as bob', requested_by: 'bob' },
      { request_id: 'for all', requested_by: 'bob' },
    ]);
  });
});

test('what stands below a request for more than its row is refused, and the session goes on', async () => {
  await execution('online');
  for (const rows of ['[{"a": 1, "b": 2}, {"a": 1, "b": 2}]', '{"a": 1, "b": 2}\n{"role": "bob"}', '1', '']) {
    const call = `select pgscore_models._v1_online_score(${alice.escapeLiteral(rows)})`;
    expect((await refusal(alice, call)).code).toMatch(/^(?:22023|22P02|0A000)$/);
    expect(await score(alice)).toBe(21);
  }
});

test('a foreign server with the name of the connection is not asked', async () => {
  let connections = 0;
  const trap = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  trap.unref();
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  const { port } = trap.address() as AddressInfo;
  await superuser.query('grant usage on foreign data wrapper dblink_fdw to bob');
  const server = `create server pgscore foreign data wrapper dblink_fdw options (host '127.0.0.1', port '${port}')`;
  await bob.query(server);
  await bob.query('grant usage on foreign server pgscore to public');
  await bob.query(`create user mapping for public server pgscore options (user 'bob', password 'bait')`);
  const fresh = await database.client('alice');
  await fresh.query(`set pgscore.execution = 'online'`);
  expect(await score(fresh)).toBe(21);
  expect(connections).toBe(0);
  await bob.query('drop server pgscore cascade');
});
