import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, LARGE, midRun, PACE, PATIENCE_MS, sleeping } from './long-run.ts';
import { expectSound } from './oracle.ts';
import { CONNECTIONS_OF_A_RUN, CONTROL_CONNECTIONS, terminate } from './terminate.ts';

const database = await cloneDatabase();
const service = await startTestService(database, { ...PACE, PGSCORE_BATCH_TIMEOUT: '5' });
const [superuser, alice, ada] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client('ada'),
]);
await deployLogistic(ada);
await createSource(alice, 'big', LARGE);
await createSource(alice, 'small', 100);

/** The end of a run over `big`, in which every row was scored. */
async function expectDone(
  run: string,
  { attempt = 1, gone = [] }: { attempt?: number; gone?: number[] } = {},
): Promise<void> {
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }], gone });
}

/** A run over `big` that has scored some of it. */
async function runInItsMiddle(): Promise<string> {
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  return run;
}

async function predictionsOf(run: string): Promise<number> {
  const { rows } = await superuser.query<{ n: number }>(
    'select count(*)::int as n from alice.big_scores_history where run_id = $1',
    [run],
  );
  return rows[0]?.n ?? 0;
}

async function sessionsOfRuns(): Promise<number> {
  const { rows } = await superuser.query<{ sessions: number }>(
    `select count(*)::int as sessions from pg_stat_activity
      where datname = current_database() and application_name in ('pgscore sharded run', 'pgscore snapshot', 'pgscore publish')`,
  );
  return rows[0]?.sessions ?? 0;
}

/** The change commits together with the request, so the run always comes after it. */
async function failedRun(): Promise<unknown> {
  await alice.query('begin');
  const run = await submitRun(alice, 'logistic', 'big');
  await alice.query('revoke select on big from alice');
  await alice.query('commit');
  const { state, error_code } = await endOfRun(alice, run);
  await alice.query('grant select on big to alice');
  return [state, error_code];
}

describe('a run that is cancelled', () => {
  test('in its middle leaves no prediction, and its scorers to the next', async () => {
    const run = await runInItsMiddle();
    await alice.query('select pgscore.cancel_run($1)', [run]);
    expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'cancelled' });
    expect(await scoreTable(alice, 'logistic', 'small')).toMatchObject({ state: 'done', rows_done: '100' });
    expect(await predictionsOf(run)).toBe(0);
    await expectSound(database);
  });

  test('stops a shard that another service scores, too', async () => {
    const other = await startTestService(database, PACE);
    const run = await runInItsMiddle();
    await alice.query('select pgscore.cancel_run($1)', [run]);
    expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'cancelled' });
    await expectSound(database);
    expect(await other.stop()).toBe(0);
  });

  test('ends though its source does not give its first row', async () => {
    await alice.query('create view endless as select small.* from small, (select pg_sleep(3600) offset 0) pause');
    const run = await submitRun(alice, 'logistic', 'endless', { key: 'id' });
    await sleeping(superuser);
    await alice.query('select pgscore.cancel_run($1)', [run]);
    expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'cancelled' });
    expect(await scoreTable(alice, 'logistic', 'small')).toMatchObject({ state: 'done', rows_done: '100' });
    await expectSound(database);
  });
});

test('large runs that fail before they have a snapshot leave no session', async () => {
  for (let times = 0; times < 3; times += 1) expect(await failedRun()).toEqual(['failed', 'permission_denied']);
  await waitFor(async () => (await sessionsOfRuns()) === 0, { message: 'the sessions of the failed runs to end' });
});

describe('a scorer that', () => {
  test('is killed costs its shard a try and the run nothing', async () => {
    const run = await runInItsMiddle();
    const [victim = 0] = await service.scorerPids();
    process.kill(victim, 'SIGKILL');
    await expectDone(run, { gone: [victim] });
    await waitFor(async () => (await service.scorerPids()).length === 2, { message: 'the scorer to be replaced' });
  });

  test('hangs is killed after the batch timeout, and its shard scored by another', async () => {
    const run = await runInItsMiddle();
    const [victim = 0] = await service.scorerPids();
    process.kill(victim, 'SIGSTOP');
    await expectDone(run, { gone: [victim] });
    expect(service.log()).toContain('it made no progress for 5 s');
  });
});

describe('connections that are terminated', () => {
  test.each(CONNECTIONS_OF_A_RUN)('do not end a run: $part', async ({ part, attempt }) => {
    const run = await runInItsMiddle();
    expect(await terminate(superuser, part)).toBeGreaterThan(0);
    await expectDone(run, { attempt });
  });

  test('do not end a publication, which is made again, from a new snapshot', async () => {
    const blocker = await database.client();
    const run = await runInItsMiddle();
    await blocker.query('begin');
    await blocker.query('select from pgscore_data.target for update');
    await waitFor(() => terminate(superuser, 'publish', 'waiting'), {
      timeout: 20_000,
      message: 'the publication to wait for the target',
    });
    await blocker.query('rollback');
    await expectDone(run, { attempt: 2 });
  });

  test('do not end the check of a model', async () => {
    await terminate(superuser, 'check');
    await expect(deployLogistic(ada)).resolves.toBeUndefined();
  });

  test('as often as they come back cost a run nothing where they are for control', async () => {
    const run = await runInItsMiddle();
    let ended = false;
    const done = expectDone(run).finally(() => {
      ended = true;
    });
    for (const part of CONTROL_CONNECTIONS)
      await waitFor(() => terminate(superuser, part), { message: `a ${part} connection` });
    for (const part of ['claim', 'listen', 'sweep', 'check'])
      await waitFor(async () => ended || (await terminate(superuser, part)), {
        message: `the ${part} connection to come back`,
      });
    await done;
    expect(await service.stop()).toBe(0);
  });
});

test('a run that nobody has begun is cancelled at once', async () => {
  const run = await submitRun(alice, 'logistic', 'small');
  await alice.query('select pgscore.cancel_run($1)', [run]);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'cancelled', attempt: 0 });
});
