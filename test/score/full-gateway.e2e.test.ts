import { beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const SESSIONS = 4;

const { database, service, superuser, ada } = await scoreFixture({
  PGSCORE_GATEWAY_MAX_CONNECTIONS: String(SESSIONS),
});

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

/** More rows than score_rows() asks for at a time, as somebody else's function might. */
const MANY = JSON.stringify(Array.from({ length: 1001 }, () => ({ a: 1, b: 2 })));

test('a call of more than 1000 rows is refused with 54000, and its session goes on', async () => {
  const { rows } = await superuser.query<{ id: number }>('select version_id as id from pgscore_data.execution');
  const request = `score ${JSON.stringify({ version: rows[0]?.id, role: 'alice' })}\n${MANY}`;
  expect(await refusal(superuser, 'select pgscore_data._ask($1)', [request])).toMatchObject({
    code: '54000',
    message: 'a call of 1001 rows is past the limit of 1000',
  });
  expect(await score(superuser)).toBe(21);
  await superuser.query('select pgscore_data._leave_gateway()');
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
