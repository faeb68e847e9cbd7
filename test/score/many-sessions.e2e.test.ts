import { expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { createFaultDatabase } from '../support/fault-database.ts';
import { startFaultServer } from '../support/fault-server.ts';
import { deployBytes } from '../support/deploy.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const SESSIONS = 500;
const ROOM = { PGSCORE_SCORERS: '1', PGSCORE_ONLINE_DEADLINE: '60' };

const server = await startFaultServer({ max_connections: SESSIONS + 50, fsync: 'off' });
const database = await createFaultDatabase(server);
const ada = await database.client('ada');
const clients = await sessions(SESSIONS);

async function sessions(count: number): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    clients.push(...(await Promise.all(Array.from({ length: 25 }, () => database.client('alice')))));
  }
  await Promise.all(
    clients.map((client) => client.query('set pgscore.execution = online; set pgscore.deadline = 60000')),
  );
  return clients;
}

function calls(clients: readonly Client[]): Promise<unknown[]> {
  return Promise.all(
    clients.map(async (client, n) => {
      const call = client.query<{ score: number }>(
        `select score('sum', jsonb_build_object('a', $1::int, 'b', 2)) as score`,
        [n],
      );
      return call.then(
        ({ rows }) => rows[0]!.score - n,
        (error: unknown) => error,
      );
    }),
  );
}

/** Their scores, less what differs between them; the others must have been told that there is no room. */
function answersAmong(outcomes: readonly unknown[]): unknown[] {
  const [refused, answered] = [true, false].map((wanted) =>
    outcomes.filter((outcome) => outcome instanceof Error === wanted),
  ) as [unknown[], unknown[]];
  for (const error of refused) {
    expect(error).toMatchObject({
      code: '53300',
      detail: expect.stringContaining('too many connections to the gateway'),
      hint: expect.stringContaining('score_table'),
    });
  }
  return answered;
}

test('500 sessions at once are all answered where there is room for them', async () => {
  const service = await startTestService(database, ROOM);
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  expect(await calls(clients)).toEqual(clients.map(() => 20));
  expect(await calls(clients)).toEqual(clients.map(() => 20));
  expect(await service.stop()).toBe(0);
}, 120_000);

test('of 500 sessions at once as many as there is room for are answered, and all others told that there is none', async () => {
  const service = await startTestService(database, { ...ROOM, PGSCORE_GATEWAY_MAX_CONNECTIONS: '100' });
  const answers = answersAmong(await calls(clients));
  expect(new Set(answers)).toEqual(new Set([20]));
  expect(answers.length).toBeLessThanOrEqual(100);
  // Half of the room is for those who log in: more at a time are refused.
  expect(answers.length).toBeGreaterThanOrEqual(50);
  expect(await service.stop()).toBe(0);
}, 120_000);
