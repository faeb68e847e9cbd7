import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { timedOut } from '../support/timed-out.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const SCORE = `select score('sum', '{"a": 1, "b": 2}') as score`;
const ANSWER = [{ score: 21 }];
/** What may pass beyond a limit on a busy machine; a call that heeds none of them waits for five seconds at least. */
const MARGIN_MS = 3000;

const { database, service, superuser, ada, alice } = await scoreFixture();

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await patient(alice);
  expect((await alice.query(SCORE)).rows).toEqual(ANSWER);
});

/** A busy machine may take longer to start a gateway than the five seconds that a call waits by default. */
async function patient(client: Client): Promise<void> {
  await client.query('set pgscore.execution = online; set pgscore.deadline = 30000');
}

async function killGateway(): Promise<number> {
  const { pid } = await waitFor(() => service.gateway(), { message: 'a gateway' });
  process.kill(pid, 'SIGKILL');
  return pid;
}

async function millisecondsOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

describe('a gateway that was killed', () => {
  test('costs a session that calls every 100 ms no error', async () => {
    const killed = await killGateway();
    for (let calls = 0, found = false; calls < 20 || !found; calls += 1) {
      expect((await alice.query(SCORE)).rows).toEqual(ANSWER);
      found ||= ![undefined, killed].includes((await service.gateway())?.pid);
      await alice.query('select pg_sleep(0.1)');
    }
  });

  test('costs twenty sessions no error that call for the first time', async () => {
    const sessions = await Promise.all(Array.from({ length: 20 }, () => database.client('alice')));
    await Promise.all(sessions.map(patient));
    await killGateway();
    const answers = await Promise.all(sessions.map((client) => client.query(SCORE)));
    expect(answers.map(({ rows }) => rows)).toEqual(sessions.map(() => ANSWER));
  });

  test('costs a transaction that sees no changes no error', async () => {
    await alice.query('begin isolation level repeatable read');
    expect((await alice.query(SCORE)).rows).toEqual(ANSWER);
    await killGateway();
    expect((await alice.query(SCORE)).rows).toEqual(ANSWER);
    await alice.query('commit');
  });
});

describe('while a gateway has no successor, a call', () => {
  beforeAll(async () => {
    const { pid } = await waitFor(() => service.gateway(), { message: 'a gateway' });
    // What stands still starts no other.
    process.kill(service.pid, 'SIGSTOP');
    process.kill(pid, 'SIGKILL');
    await superuser.query('update pgscore_data.worker set heartbeat_at = clock_timestamp()');
  });

  afterAll(async () => {
    process.kill(service.pid, 'SIGCONT');
  });

  test('waits for one until its deadline, and is told why', async () => {
    await alice.query('set pgscore.deadline = 700');
    const milliseconds = await millisecondsOf(async () => {
      expect(await refusal(alice, SCORE)).toMatchObject({
        code: '08001',
        message: 'the service does not answer',
        hint: expect.stringContaining('Look at its log'),
      });
    });
    expect(milliseconds).toBeGreaterThan(650);
    expect(milliseconds).toBeLessThan(700 + MARGIN_MS);
    await patient(alice);
  });

  test('ends by statement_timeout', async () => {
    const milliseconds = await millisecondsOf(async () =>
      expect((await timedOut(alice, 300, SCORE)).code).toBe('57014'),
    );
    expect(milliseconds).toBeLessThan(300 + MARGIN_MS);
  });

  test('ends by a cancel', async () => {
    const { rows } = await alice.query<{ pid: number }>('select pg_backend_pid() as pid');
    const call = refusal(alice, SCORE);
    await waitFor(
      async () => {
        const waiting = `select from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'`;
        return (await superuser.query(waiting, [rows[0]!.pid])).rows.length > 0;
      },
      { message: 'the call to wait' },
    );
    const milliseconds = await millisecondsOf(async () => {
      await superuser.query('select pg_cancel_backend($1)', [rows[0]!.pid]);
      expect(await call).toMatchObject({ code: '57014' });
    });
    expect(milliseconds).toBeLessThan(MARGIN_MS);
  });

  test('is told at once where its transaction could not see one', async () => {
    await superuser.query('delete from pgscore_data.gateway');
    await alice.query('begin isolation level repeatable read');
    const milliseconds = await millisecondsOf(async () =>
      expect(await refusal(alice, SCORE)).toMatchObject({
        code: '08001',
        message: 'the service does not answer',
        hint: expect.stringContaining('call again in another'),
      }),
    );
    expect(milliseconds).toBeLessThan(MARGIN_MS);
    await alice.query('rollback');
  });

  test('is told at once where no service runs', async () => {
    await superuser.query(`update pgscore_data.worker set heartbeat_at = clock_timestamp() - interval '31 seconds'`);
    const milliseconds = await millisecondsOf(async () =>
      expect(await refusal(alice, SCORE)).toMatchObject({
        code: '08001',
        message: 'no service is running that could score',
        hint: expect.stringContaining('pgscore serve'),
      }),
    );
    expect(milliseconds).toBeLessThan(MARGIN_MS);
  });
});
