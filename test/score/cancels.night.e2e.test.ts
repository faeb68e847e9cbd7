import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { versionIdOf } from '../online/online.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { timedOut } from '../support/timed-out.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, service, superuser, ada, alice } = await scoreFixture();

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
});

async function score(client: Client, a = 1): Promise<unknown> {
  const { rows } = await client.query<{ score: number }>(
    `select score('sum', jsonb_build_object('a', $1::int, 'b', 2)) as score`,
    [a],
  );
  return rows[0]?.score;
}

async function connections(): Promise<number> {
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  return Number(/^pgscore_gateway_connections (.*)$/m.exec(metrics)?.[1]);
}

test('many cancels leave the session working, every answer its own, and no session in the gateway', async () => {
  const client = await database.client('alice');
  await client.query('set pgscore.execution = online');
  const { rows: sessions } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const backend = sessions[0]!.pid;
  let cancels = 0;
  let answers = 0;
  let going = true;
  const cancelling = (async () => {
    // Pauses of up to as long as a call on a new connection takes: some are hit at each of its steps, others not at all.
    for (let turn = 0; going; turn += 1) {
      await superuser.query('select pg_cancel_backend($1), pg_sleep($2)', [backend, (turn % 16) / 1000]);
    }
  })();
  for (let n = 0; cancels < 120 || answers < 50; n += 1) {
    const answer = await score(client, n % 1000).catch((error: unknown) => error);
    if (answer instanceof Error) {
      expect(answer).toMatchObject({ code: '57014' });
      cancels += 1;
    } else {
      expect(answer).toBe((n % 1000) + 20);
      answers += 1;
    }
  }
  going = false;
  await cancelling;
  // A cancel that comes between two statements is lost, so that from here on every call is answered.
  for (let n = 0; n < 10; n += 1) expect(await score(client, n)).toBe(n + 20);
  const { rows } = await superuser.query<{ sessions: number }>(
    `select count(*)::int as sessions from pg_stat_activity where datname = current_database() and usename = 'alice'`,
  );
  await waitFor(async () => (await connections()) <= rows[0]!.sessions, {
    message: 'no more connections than sessions',
  });
});

test('a request of another release is refused with the way out, and the session goes on', async () => {
  const version = await versionIdOf(superuser, 'sum@1');
  const ask = (head: object, rows = '\n[{"a": 1, "b": 2}]'): Promise<unknown> =>
    refusal(superuser, `select pgscore_data._ask($1)`, [`score ${JSON.stringify(head)}${rows}`]);
  expect(await ask({ version, role: 'alice', colour: 'red' })).toMatchObject({
    code: '22023',
    hint: expect.stringContaining('pgscore migrate'),
  });
  for (const wrong of [ask({ version }), ask({ version, role: 'alice', rows: [{ a: 1, b: 2 }] }, '')])
    expect(await wrong).toMatchObject({ code: '22023', hint: expect.stringContaining('pgscore migrate') });
  expect(await refusal(superuser, `select pgscore_data._ask('rank {}')`)).toMatchObject({
    code: '55000',
    hint: expect.stringContaining('pgscore migrate'),
  });
  expect(await score(superuser)).toBe(21);
});

test('requests as the functions of the release before rows of numbers wrote them are answered as those read it', async () => {
  const version = await versionIdOf(superuser, 'sum@1');
  const request = (reply: string, more = '', rows = '[{"a": 1, "b": 2}, {"a": 3, "b": 4}]'): string =>
    `score {"version":${version},"reply":"${reply}"${more},"role":"alice","deadline":2000,"id":"of another release"}\n${rows}`;
  await superuser.query('set pgscore.execution = online');
  expect(await score(superuser)).toBe(21);
  for (const more of ['', ',"log":true', ',"log":true,"inputs":false']) {
    const scores = 'select array(select p.score from unnest(pgscore_data._ask($1)) p) as scores';
    expect((await superuser.query(scores, [request('rows', more)])).rows).toEqual([{ scores: [21, 43] }]);
    await superuser.query('select pgscore_data._send($1)', [request('columns', more)]);
    expect((await superuser.query('select (pgscore_data._receive(2)).scores')).rows).toEqual([{ scores: [21, 43] }]);
    const only = `select pgscore_dblink.dblink_exec('pgscore', $1) as score`;
    expect((await superuser.query(only, [request('score', more, '{"a": 1, "b": 2}')])).rows).toEqual([{ score: '21' }]);
  }
  const kept = `select count(*)::int as calls, count(inputs)::int as inputs from pgscore.online_predictions where request_id = 'of another release'`;
  await waitFor(async () => (await superuser.query(kept)).rows[0]?.calls === 10, {
    message: 'the calls that were logged',
  });
  expect((await superuser.query(kept)).rows).toEqual([{ calls: 10, inputs: 5 }]);
  await superuser.query('reset pgscore.execution');
});

describe('a gateway that ends', () => {
  const SCORE = `select score('sum', '{"a": 1, "b": 2}') as score`;
  const ANSWER = [{ score: 21 }];
  /** What may pass beyond a limit on a busy machine; a call that heeds none of them waits for five seconds at least. */
  const MARGIN_MS = 3000;

  beforeAll(async () => {
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
      await superuser.query('update pgscore_data.service set heartbeat_at = clock_timestamp()');
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
      await superuser.query(`update pgscore_data.service set heartbeat_at = clock_timestamp() - interval '31 seconds'`);
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
});
