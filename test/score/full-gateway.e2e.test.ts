import { beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { addVersion } from '../online/online.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { SLOW_SIGNATURE, slowModel } from '../support/slow-model.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const SESSIONS = 4;
const QUEUE_ROWS = 2000;

const { database, service, superuser, ada } = await scoreFixture({
  PGSCORE_GATEWAY_MAX_CONNECTIONS: String(SESSIONS),
  PGSCORE_GATEWAY_QUEUE_ROWS: String(QUEUE_ROWS),
});
const other = await database.client();

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
});

async function score(client: Client, a = 1): Promise<unknown> {
  const text = `select score('sum', jsonb_build_object('a', $1::int, 'b', 2)) as score`;
  return (await client.query<{ score: number }>(text, [a])).rows[0]?.score;
}

async function caller(): Promise<Client> {
  const client = await database.client('alice');
  await client.query('set pgscore.execution = online');
  return client;
}

async function metric(name: string): Promise<number> {
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(metrics)?.[1]);
}

const ASK = 'select array(select p.score from unnest(pgscore_data._ask($1)) p) as scores';

/** More rows than score_rows() asks for at a time, as somebody else's function might. */
function manyRows(version: number, from: number): string {
  const rows = Array.from({ length: 1500 }, (_, n) => ({ x: from + n }));
  return `score ${JSON.stringify({ version, role: 'alice', deadline: 60_000 })}\n${JSON.stringify(rows)}`;
}

test('a call beyond the room of the queue is refused with 53300, and others go on', async () => {
  // Nobody has prepared it: its first call waits until it can be read.
  const version = await addVersion(superuser, 'held', slowModel(1), SLOW_SIGNATURE);
  const [alice, locker] = [await caller(), await database.client()];
  expect(await score(alice)).toBe(21);
  await locker.query('begin; lock table pgscore_data.artifact in access exclusive mode');
  const first = superuser.query<{ scores: number[] }>(ASK, [manyRows(version, 0)]);
  await waitFor(async () => (await metric('pgscore_score_queue_rows')) === 1500, { message: 'the rows in the queue' });
  expect(await refusal(other, ASK, [manyRows(version, 5000)])).toEqual({
    code: '53300',
    message: 'too many rows wait to be scored: 1500',
    detail: undefined,
    hint: expect.stringContaining('Try again later'),
  });
  expect(await score(alice, 2)).toBe(22);
  expect(await score(other, 3)).toBe(23);
  await locker.query('rollback');
  expect((await first).rows[0]?.scores).toEqual(Array.from({ length: 1500 }, (_, n) => n));
  const again = await other.query<{ scores: number[] }>(ASK, [manyRows(version, 5000)]);
  expect(again.rows[0]?.scores).toEqual(Array.from({ length: 1500 }, (_, n) => 5000 + n));
  await Promise.all([superuser, other].map((client) => client.query('select pgscore_data._leave_gateway()')));
  await alice.end();
  await waitFor(async () => (await metric('pgscore_gateway_connections')) === 0, { message: 'an empty gateway' });
});

test('a session that the gateway has no room for is refused with 53300, others go on, and it is answered when one leaves', async () => {
  const sessions = [await caller(), await caller(), await caller(), await caller()];
  for (const [n, client] of sessions.entries()) expect(await score(client, n)).toBe(n + 20);
  const late = await caller();
  const many = `select s.score from pgscore.score_rows('sum', array['{"a": 1, "b": 2}'::jsonb]) s`;
  for (const call of [`select score('sum', '{"a": 1, "b": 2}')`, many]) {
    expect(await refusal(late, call)).toMatchObject({
      code: '53300',
      message: 'too many sessions ask the service at once',
      detail: expect.stringMatching(/too many connections to the gateway.*--gateway-max-connections/s),
    });
  }
  for (const [n, client] of sessions.entries()) expect(await score(client, n)).toBe(n + 20);
  await waitFor(async () => (await metric('pgscore_gateway_connections')) === SESSIONS, { message: 'a full gateway' });
  await sessions[0]!.end();
  await waitFor(async () => (await metric('pgscore_gateway_connections')) < SESSIONS, { message: 'room' });
  expect(await score(late)).toBe(21);
});
