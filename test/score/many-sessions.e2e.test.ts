import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const SESSIONS = 60;
const ROOM = 20;

const database = await cloneDatabase();
const ada = await database.client('ada');
const clients = await Promise.all(Array.from({ length: SESSIONS }, () => database.client('alice')));
await Promise.all(
  clients.map((client) => client.query('set pgscore.execution = online; set pgscore.deadline = 60000')),
);

function calls(): Promise<unknown[]> {
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

test('many sessions at once are all answered where there is room for them', async () => {
  const service = await startTestService(database, { PGSCORE_ONLINE_DEADLINE: '60' });
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  expect(await calls()).toEqual(clients.map(() => 20));
  expect(await calls()).toEqual(clients.map(() => 20));
  expect(await service.stop()).toBe(0);
}, 120_000);

test('of many sessions at once as many as there is room for are answered, and all others told that there is none', async () => {
  const service = await startTestService(database, {
    PGSCORE_ONLINE_DEADLINE: '60',
    PGSCORE_GATEWAY_MAX_CONNECTIONS: String(ROOM),
  });
  const answers = answersAmong(await calls());
  expect(new Set(answers)).toEqual(new Set([20]));
  expect(answers.length).toBeLessThanOrEqual(ROOM);
  // Half of the room is for those who log in: more at a time are refused.
  expect(answers.length).toBeGreaterThanOrEqual(ROOM / 2);
  expect(await service.stop()).toBe(0);
}, 120_000);
