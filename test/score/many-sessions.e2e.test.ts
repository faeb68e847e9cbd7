import { expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { createFaultDatabase } from '../support/fault-database.ts';
import { startFaultServer } from '../support/fault-server.ts';
import { deployBytes } from '../support/deploy.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const SESSIONS = 500;

const server = await startFaultServer({ max_connections: SESSIONS + 50, fsync: 'off' });
const database = await createFaultDatabase(server);
const ada = await database.client('ada');

async function sessions(count: number): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    clients.push(...(await Promise.all(Array.from({ length: 25 }, () => database.client('alice')))));
  }
  await Promise.all(clients.map((client) => client.query('set pgscore.execution = online')));
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

test('500 sessions at once are all answered, or told that there is no room', async () => {
  const service = await startTestService(database, { PGSCORE_SCORERS: '1', PGSCORE_ONLINE_DEADLINE: '60' });
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  const clients = await sessions(SESSIONS);
  // On a busy machine not all of them connect within the two seconds that a connection may take; they say so.
  const first = await calls(clients);
  const failed = first.filter((outcome) => outcome !== 20);
  for (const error of failed) expect(error).toMatchObject({ code: '08001', message: 'the service does not answer' });
  expect(failed.length).toBeLessThan(SESSIONS);
  const later = await Promise.all(clients.filter((_, n) => first[n] === 20).map((client) => calls([client])));
  expect(new Set(later.flat())).toEqual(new Set([20]));

  expect(await service.stop()).toBe(0);
  const small = await startTestService(database, {
    PGSCORE_SCORERS: '1',
    PGSCORE_ONLINE_DEADLINE: '60',
    PGSCORE_GATEWAY_MAX_CONNECTIONS: '100',
  });
  await waitFor(
    async () => (await ada.query('select from pgscore.workers where state = $1', ['running'])).rows.length > 0,
  );
  const outcomes = await calls(clients);
  const refused = outcomes.filter((outcome) => outcome instanceof Error);
  expect(refused.length).toBeGreaterThan(0);
  for (const error of refused) {
    expect(error).toMatchObject({
      code: '08001',
      detail: expect.stringContaining('too many connections to the gateway'),
      hint: expect.stringContaining('score_table'),
    });
  }
  const answered = outcomes.filter((outcome) => !(outcome instanceof Error));
  expect(new Set(answered)).toEqual(new Set([20]));
  expect(await small.stop()).toBe(0);
}, 120_000);
