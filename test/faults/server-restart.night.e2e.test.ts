import { expect, test } from '@jest/globals';
import { createFaultDatabase } from '../support/fault-database.ts';
import { startFaultServer } from '../support/fault-server.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService, type TestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, LARGE, midRun, PACE, PATIENCE_MS } from './long-run.ts';
import { MOST_TRIES } from '../../src/runs/record-failures.ts';
import { differences } from '../watches/watching.ts';
import { expectSound } from './oracle.ts';

const server = await startFaultServer({ fsync: 'off' });
const database = await createFaultDatabase(server);
let service = await startTestService(database, PACE);
await deployLogistic(await database.client('ada'));
const owner = await database.client('alice');
await createSource(owner, 'big', LARGE);
await createSource(owner, 'small', 1000);

async function readiness({ url }: TestService): Promise<number> {
  return (await fetch(`${url}/readyz`)).status;
}

test('a run is finished though the server crashes in its middle', async () => {
  const run = await submitRun(owner, 'logistic', 'big');
  await midRun(await database.client(), run);
  await server.immediateRestart();
  const alice = await database.client('alice');
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt: 2,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
  await waitFor(async () => (await readiness(service)) === 200, { message: 'the service to listen again' });
});

test('a watch misses nothing and doubles nothing though the server crashes while rows change', async () => {
  const first = await database.client('alice');
  await createSource(first, 'watched', 1000);
  await first.query(`select pgscore.watch('logistic', 'watched', target => 'live')`);
  for (const round of [1, 2]) {
    const before = await database.client('alice');
    await before.query('update watched set f0 = f0 + 1 where id % 3 = $1::int % 3', [round]);
    await before.query('delete from watched where id % 50 = $1', [round]);
    await before.query(
      `insert into watched select (jsonb_populate_record(r, jsonb_build_object('id', 100000 * $1::int + r.id))).* from watched r where r.id < 500`,
      [round],
    );
    await server.immediateRestart();
  }
  const alice = await database.client('alice');
  const isAtRest = async (): Promise<boolean> =>
    (await alice.query(`select from pgscore.watches where state = 'following'`)).rowCount === 1;
  await waitFor(isAtRest, { timeout: PATIENCE_MS, message: 'the watch to be at rest' });
  expect(await differences(alice, 'logistic', 'watched', 'live')).toEqual([]);
  await alice.query(`select pgscore.unwatch('live')`);
});

test('a run waits for a connection while the server is full, and was not tried', async () => {
  const superuser = await database.client();
  await superuser.query('alter role pgscore_reader connection limit 0');
  await superuser.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'pgscore_reader'`);
  const alice = await database.client('alice');
  const run = await submitRun(alice, 'logistic', 'small');
  await waitFor(
    async () => {
      const { rows } = await superuser.query<{ claims: number }>(
        'select attempt as claims from pgscore_data.run where run_id = $1',
        [run],
      );
      return (rows[0]?.claims ?? 0) > MOST_TRIES;
    },
    { timeout: PATIENCE_MS, message: 'the run to be claimed again and again' },
  );
  const { rows } = await alice.query('select attempt, error_code from pgscore.runs where run = $1', [run]);
  expect(rows).toEqual([{ attempt: expect.any(Number), error_code: 'database_unreachable' }]);
  await superuser.query('alter role pgscore_reader connection limit -1');
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: '1000',
    attempt: 1,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.small_scores', rows: 1000 }] });
});

test('a service outlives the time that the server is down, and says that it is not ready', async () => {
  await server.stop();
  await waitFor(async () => (await readiness(service)) === 503, { message: 'the loss to be noticed' });
  await server.start();
  const alice = await database.client('alice');
  const run = await submitRun(alice, 'logistic', 'small');
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', rows_done: '1000', attempt: 1 });
  expect(await service.stop()).toBe(0);
});

test('a service that is started while the server is down begins when it is up', async () => {
  await server.stop();
  service = await startTestService(database, PACE);
  expect(await readiness(service)).toBe(503);
  await server.start();
  await waitFor(async () => (await readiness(service)) === 200, { message: 'the service to be ready' });
  const alice = await database.client('alice');
  const run = await submitRun(alice, 'logistic', 'small');
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', rows_done: '1000', attempt: 1 });
  await expectSound(database, { scored: [{ run, view: 'alice.small_scores', rows: 1000 }] });
});

test('a service stops while the server is down', async () => {
  await server.stop();
  expect(await service.stop()).toBe(0);
  await server.start();
});
