import { afterEach, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes, deployModel } from '../support/deploy.ts';
import { startTestService } from '../support/service.ts';
import { timedOut } from '../support/timed-out.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { gatewayOf, libpqLogin, versionIdOf } from './online.ts';

const database = await cloneDatabase();
const superuser = await database.client();
// Where anybody may call it, as it is on many a server.
await superuser.query('drop extension if exists dblink; create extension dblink');
const service = await startTestService(database);
const ada = await database.client('ada');
const alice = await database.client('alice');
const login = libpqLogin(await gatewayOf(service));

await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx', { features: ['a', 'b', 'c', 'd'] });
await deployBytes(ada, 'sums', weightedModel({ small: 'float64', whole: 'int32', word: 'string', list: 3 }));
const iris = await versionIdOf(superuser, 'iris@1');
const sums = await versionIdOf(superuser, 'sums@1');

/** As the SQL side calls: what statement_timeout and Ctrl-C can end, which plain dblink() is not. */
await superuser.query(`
  create function ask(request text) returns table (score float8, label text, probabilities text) language plpgsql as $$
  begin
    perform dblink_send_query('gateway', request);
    return query select * from dblink_get_result('gateway') as t(score float8, label text, probabilities text);
    perform * from dblink_get_result('gateway') as t(score float8, label text, probabilities text);
  end $$;
  create function reason(request text) returns jsonb language plpgsql as $$
  declare state text; message text; detail text; hint text;
  begin
    perform * from ask(request);
    return null;
  exception when others then
    get stacked diagnostics state = returned_sqlstate, message = message_text, detail = pg_exception_detail, hint = pg_exception_hint;
    perform * from dblink_get_result('gateway') as t(score float8, label text, probabilities text);
    return jsonb_build_object('state', state, 'message', message, 'detail', detail, 'hint', hint);
  end $$`);

function request(version: number, rows: unknown[], members: Record<string, unknown> = {}): string {
  const head = { version, role: 'alice', deadline: 5000, log: false, id: null, ...members };
  return `score ${JSON.stringify(head)}\n${JSON.stringify(rows)}`;
}

async function connectTo(client: Client, name = 'gateway'): Promise<void> {
  await client.query('select dblink_connect($1, $2)', [name, login]);
}

async function reason(text: string): Promise<Record<string, string>> {
  const { rows } = await alice.query<{ reason: Record<string, string> }>('select reason($1)', [text]);
  return rows[0]!.reason;
}

async function metric(name: string): Promise<number> {
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (.*)$`, 'm').exec(metrics)?.[1]);
}

await connectTo(alice);

describe('an ordinary role with a dblink connection that stays', () => {
  test('scores rows, in their order, again and again', async () => {
    const row = { a: 5.1, b: 3.5, c: 1.4, d: 0.2 };
    for (let n = 0; n < 3; n += 1) {
      const { rows } = await alice.query('select * from ask($1)', [request(iris, [row, { ...row, c: 5.5, d: 2 }])]);
      expect(rows.map(({ label }: { label: string }) => label)).toEqual(['setosa', 'virginica']);
      const { score, probabilities } = rows[0] as { score: number; probabilities: string };
      expect(Math.max(...(JSON.parse(probabilities) as number[]))).toBe(score);
    }
  });

  test('passes values of every kind to their features', async () => {
    const row = { small: 0.5, whole: 3, word: 'green', list: [1, 2, 3], other: 'ignored' };
    const { rows } = await alice.query('select * from ask($1)', [request(sums, [row])]);
    expect(rows).toEqual([{ score: 0.5 + 30 + 200 + 2000, label: null, probabilities: null }]);
  });

  test.each([
    ['a NULL that the model takes none of', { word: null }, '22004', /word is NULL/],
    ['a word for a number', { whole: 'three' }, '42804', /whole is "three", not a whole number/],
    ['a number past its type', { whole: 2 ** 31 }, '22003', /whole/],
    ['an array of another length', { list: [1, 2] }, '42804', /list is \[1,2\], not an array of 3 numbers/],
    ['an object', { small: {} }, '42804', /small/],
  ])('reads the SQLSTATE, the feature and the remedy where a row has %s', async (_, values, state, message) => {
    const good = { small: 1, whole: 1, word: 'red', list: [1, 1, 1] };
    const error = await reason(request(sums, [good, { ...good, ...values }]));
    expect(error).toMatchObject({
      state,
      message: expect.stringMatching(message),
      detail: expect.stringContaining('Row 2 of 2.'),
      hint: expect.stringMatching(/\w/),
    });
    const { rows } = await alice.query('select score from ask($1)', [request(sums, [good])]);
    expect(rows).toEqual([{ score: 1 + 10 + 100 + 1000 }]);
  });

  test('is told of a column that is missing, which is not NULL', async () => {
    expect(await reason(request(sums, [{ small: 1, whole: 1, list: [1, 1, 1] }]))).toMatchObject({
      state: '42703',
      message: expect.stringContaining('"word"'),
    });
  });

  test('is refused where the role it calls for may not score', async () => {
    expect(await reason(request(iris, [{}], { role: 'nobody at all' }))).toMatchObject({ state: '42501' });
  });

  test('is told of a version that was dropped, and of anything that is no call', async () => {
    expect((await reason(request(999_999, [{}]))).state).toMatch(/^(42704|42501)$/);
    expect(await reason('select 1')).toMatchObject({ state: '0A000' });
    expect(await reason(request(iris, []))).toMatchObject({ state: '22023' });
  });
});

test('a client of a newer protocol is served by the one that is spoken here', async () => {
  const { rows } = await alice.query<{ newest: boolean }>(
    "select current_setting('server_version_num')::int >= 180000 as newest",
  );
  if (rows[0]?.newest !== true) return;
  await alice.query("select dblink_connect('newest', $1)", [`${login} max_protocol_version=latest`]);
  const answer = await alice.query("select * from dblink('newest', 'ping') as t(ping text)");
  expect(answer.rows).toEqual([{ ping: 'ok' }]);
  await alice.query("select dblink_disconnect('newest')");
});

describe('a call that must wait, as the model is locked away', () => {
  let waiting: number;
  let copies = 0;

  async function lockedCall(client: Client, members: Record<string, unknown> = {}): Promise<Client> {
    copies += 1;
    const name = `locked${copies}`;
    await deployBytes(ada, name, weightedModel({ x: 'float64' }));
    waiting = await versionIdOf(superuser, `${name}@1`);
    const locker = await database.client();
    await locker.query('begin');
    await locker.query('lock table pgscore_data.artifact in access exclusive mode');
    await client.query('select dblink_send_query($1, $2)', ['waits', request(waiting, [{ x: 4 }], members)]);
    return locker;
  }

  afterEach(async () => {
    const { rows } = await alice.query<{ names: string[] | null }>('select dblink_get_connections() as names');
    if (rows[0]?.names?.includes('waits')) await alice.query("select dblink_disconnect('waits')");
  });

  const take = "select * from dblink_get_result('waits') as t(score float8, label text, probabilities text)";

  test('is answered as soon as it can be', async () => {
    await connectTo(alice, 'waits');
    const locker = await lockedCall(alice);
    await locker.query('rollback');
    expect((await alice.query(take)).rows).toEqual([{ score: 4, label: null, probabilities: null }]);
  });

  test('ends at its deadline, with the remedy', async () => {
    await connectTo(alice, 'waits');
    const locker = await lockedCall(alice, { deadline: 100 });
    await expect(alice.query(take)).rejects.toMatchObject({
      code: '57014',
      message: expect.stringContaining('deadline of 100 ms'),
      hint: expect.stringContaining('score_table'),
    });
    await locker.query('rollback');
  });

  test('is ended by dblink_cancel_query', async () => {
    await connectTo(alice, 'waits');
    const locker = await lockedCall(alice);
    expect((await alice.query("select dblink_cancel_query('waits') as said")).rows).toEqual([{ said: 'OK' }]);
    await expect(alice.query(take)).rejects.toMatchObject({
      code: '57014',
      message: expect.stringContaining('user request'),
    });
    await locker.query('rollback');
    await waitFor(async () => (await metric('pgscore_score_queue_calls')) === 0, { message: 'an empty queue' });
  });

  test('is ended by statement_timeout, the session is usable, and nothing stays in the queue', async () => {
    await connectTo(alice, 'waits');
    const locker = await lockedCall(alice, { deadline: 60_000 });
    expect((await timedOut(alice, 100, take)).code).toBe('57014');
    await alice.query("select dblink_disconnect('waits')");
    await waitFor(async () => (await metric('pgscore_score_queue_calls')) === 0, { message: 'an empty queue' });
    await locker.query('rollback');
  });
});

test('what was called is counted', async () => {
  const calls = await waitFor(async () => {
    const counted = await metric('pgscore_score_calls_total');
    return counted > 10 ? counted : undefined;
  });
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  expect(metrics).toMatch(/^pgscore_gateway_errors_total\{sqlstate="22004"\} 1$/m);
  expect(metrics).toMatch(/^# TYPE pgscore_score_seconds histogram$/m);
  expect(await metric('pgscore_score_seconds_count')).toBeGreaterThanOrEqual(calls);
  expect(await metric('pgscore_score_batch_rows_count')).toBeGreaterThan(3);
  expect(metrics).toMatch(/^pgscore_score_seconds_bucket\{le="\+Inf"\} \d+$/m);
});
