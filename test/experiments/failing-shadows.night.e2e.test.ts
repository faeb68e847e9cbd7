import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { constants, getPriority } from 'node:os';
import { beforeAll, describe, expect, test } from '@jest/globals';

import { pause } from '../../src/lib/retry.ts';
import { deployBytes } from '../support/deploy.ts';
import { childrenOf, startedWith } from '../support/processes.ts';
import { startTestService, type TestService } from '../support/service.ts';
import { cloneDatabase } from '../support/database.ts';
import { ENDLESS, SLOW_X, slowModel } from '../support/slow-model.ts';
import { startProxy } from '../support/proxy.ts';
import { SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { lockWaiter, shadowIs, shadowState, startShadow } from './shadowed-calls.ts';
import { Visits } from './visits-fixture.ts';

const database = await cloneDatabase();
const proxy = await startProxy(database.url());
const SETTINGS = {
  PGSCORE_POLL: '0.2',
  PGSCORE_BATCH_TIMEOUT: '1',
  PGSCORE_DATABASE_URL: proxy.url(database.url({ user: 'pgscore_service', password: SERVICE_PASSWORD })),
};
const service = await startTestService(database, SETTINGS);
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);
const visits = new Visits({ ada, alice, superuser });

const NORMAL = 5;
const TRY_AT_ONCE = 'update pgscore_data.experiment_arm set calls_due_at = clock_timestamp()';

beforeAll(async () => {
  await alice.query('set pgscore.execution = online');
});

/** A champion that says x, and a shadow that never ends for some rows. */
async function deployHanging(model: string, steps = ENDLESS): Promise<void> {
  await deployBytes(ada, model, weightedModel({ x: 'float32' }));
  await visits.putModel(await deployBytes(ada, model, weightedModel({ x: 'float32' })), slowModel(steps));
  await startShadow(ada, model);
}

/** The start of the process takes half a second of CPU time; what computes takes more. */
const TICKS_OF_START = 200;

/** CPU time of a process in hundredths of a second. */
async function cpuTicks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.split(' ')[13]);
}

async function ask(model: string, x: number): Promise<number> {
  const { rows } = await alice.query<{ score: number }>(
    `select score($1, jsonb_build_object('x', $2::float8)) as score`,
    [model, x],
  );
  return rows[0]?.score ?? Number.NaN;
}

/** The process that scores by shadows, where there is one. */
async function shadowPid({ pid }: TestService): Promise<number | undefined> {
  for (const child of await childrenOf(pid)) {
    const told = await startedWith(child).catch(() => '');
    if (told.includes('shadow/main')) return child;
  }
  return undefined;
}

/** The process that scores calls by the shadow of a model, once it does. */
function busyShadow(model: string, by: TestService): Promise<number> {
  const look = async (): Promise<number | undefined> => {
    const { rows } = await superuser.query(
      `select from pgscore.experiments e join pgscore_data.experiment_arm a using (experiment_id)
        where e.model = $1 and a.calls_due_at > now() and e.calls_waiting > 0`,
      [model],
    );
    return rows.length > 0 ? shadowPid(by) : undefined;
  };
  return waitFor(look, { message: 'the process of shadows' });
}

test('a shadow that hangs is killed at its deadline and told of, and callers get their answers meanwhile', async () => {
  await deployHanging('hanging');
  expect(await ask('hanging', SLOW_X)).toBe(SLOW_X);
  let isTold = false;
  const told = shadowIs(ada, 'hanging', ({ error }) => error !== null).then((state) => {
    isTold = true;
    return state;
  });
  let asked = 0;
  for (; !isTold; asked += 1) {
    expect(await ask('hanging', NORMAL)).toBe(NORMAL);
    await pause(5);
  }
  expect(asked).toBeGreaterThan(20);
  expect((await told).error).toBe(
    'hanging@2: it did not score some rows within 1 s of processor time or 4 s by the clock, and its process was killed',
  );
  const { skipped } = await shadowState(ada, 'hanging');
  expect(skipped).toBeGreaterThan(0);
  const rest = `select extract(epoch from calls_due_at - calls_error_at)::int as s from pgscore_data.experiment_arm
    where experiment_id = (select max(experiment_id) from pgscore_data.experiment)`;
  expect((await superuser.query<{ s: number }>(rest)).rows[0]?.s).toBeGreaterThanOrEqual(100);
  await superuser.query(TRY_AT_ONCE);
  const after = await shadowIs(ada, 'hanging', (state) => state.scored + state.skipped === asked + 1);
  await ask('hanging', NORMAL);
  await shadowIs(ada, 'hanging', ({ scored }) => scored > after.scored);
}, 150_000);

test('what was written by a commit that was not answered for is written once', async () => {
  await deployBytes(ada, 'unheard', weightedModel({ x: 'float32' }));
  await deployBytes(ada, 'unheard', weightedModel({ x: 'float32' }));
  await startShadow(ada, 'unheard');
  await ask('unheard', 1);
  await shadowIs(ada, 'unheard', ({ scored }) => scored === 1);
  const lost = proxy.loseReplyToCommit('pgscore shadow');
  await ask('unheard', 2);
  await lost;
  await ask('unheard', 3);
  await shadowIs(ada, 'unheard', ({ scored, waiting }) => scored === 3 && waiting === 0);
  const said = `select score from pgscore.online_predictions where model = 'unheard' and is_shadow order by 1`;
  expect((await ada.query(said)).rows).toEqual([{ score: 1 }, { score: 2 }, { score: 3 }]);
});

test('a call that is forgotten while its shadow scores it is not kept again, and those beside it count as skipped', async () => {
  await deployBytes(ada, 'past', weightedModel({ x: 'float32' }));
  await deployBytes(ada, 'past', weightedModel({ x: 'float32' }));
  await ada.query(`select pgscore.log_calls('past', key => array['id'])`);
  await startShadow(ada, 'past');
  const due =
    'update pgscore_data.experiment_arm set calls_due_at = $1::timestamptz where version_id = (select max(version_id) from pgscore_data.version)';
  await superuser.query(due, ['infinity']);
  await alice.query(`select score('past', jsonb_build_object('id', n, 'x', n)) from generate_series(1, 20) n`);
  await shadowIs(ada, 'past', ({ waiting }) => waiting === 20);
  const holder = await database.client();
  await holder.query('begin');
  await holder.query('select from pgscore_data.shadow_batch for update');
  await superuser.query(due, ['-infinity']);
  await lockWaiter(superuser, 'pgscore_service');
  await ada.query(`select pgscore.forget('past', key => '5')`);
  const kept = `select key, array_agg(is_shadow order by is_shadow) as shadows from pgscore.online_predictions where model = 'past' group by key`;
  const before = (await ada.query<{ key: string[] }>(kept)).rows.map(({ key }) => key);
  expect(before).not.toContainEqual(['5']);
  await holder.query('commit');
  const after = await shadowIs(ada, 'past', ({ waiting }) => waiting === 0);
  expect(after).toMatchObject({ scored: before.length, skipped: 20 - before.length, failed: 0, error: null });
  const { rows } = await ada.query(kept);
  expect(rows).toEqual(before.map((key) => ({ key, shadows: [false, true] })));
});

describe('by a service that kills what hangs after 20 s', () => {
  /** A process of the lowest priority waits for a busy machine; calls that one leased which died at once wait for 85 s. */
  const PATIENCE_MS = 120_000;
  let patient: TestService;

  beforeAll(async () => {
    await service.stop();
    patient = await startTestService(database, { PGSCORE_POLL: '0.2', PGSCORE_BATCH_TIMEOUT: '20' });
  });

  test('a shadow that crashes is told of, and scores the same calls later, once', async () => {
    await deployHanging('crashing');
    expect(await ask('crashing', SLOW_X)).toBe(SLOW_X);
    const pid = await busyShadow('crashing', patient);
    await waitFor(async () => (await cpuTicks(pid)) > TICKS_OF_START, { message: 'a shadow that computes' });
    process.kill(pid, 'SIGKILL');
    const { error } = await shadowIs(ada, 'crashing', (state) => state.error !== null, PATIENCE_MS);
    expect(error).toBe('crashing@2: the process that scored by it crashed (SIGKILL)');
    expect(await ask('crashing', NORMAL)).toBe(NORMAL);
    await visits.putModel('crashing@2', weightedModel({ x: 'float32' }));
    await shadowIs(
      ada,
      'crashing',
      ({ scored, waiting, skipped }) => scored === 2 && waiting === 0 && skipped === 0,
      PATIENCE_MS,
    );
    await ada.query(`select pgscore.stop_experiment('crashing')`);
  }, 300_000);

  test('a shadow that is slow scores, one that hangs yields to all others, and ends with the service', async () => {
    await deployHanging('slow', 20_000);
    await ask('slow', SLOW_X);
    await shadowIs(ada, 'slow', ({ scored, waiting }) => scored === 1 && waiting === 0, PATIENCE_MS);
    await ada.query(`select pgscore.stop_experiment('slow')`);
    await deployHanging('left');
    await ask('left', SLOW_X);
    const pid = await busyShadow('left', patient);
    expect(getPriority(pid)).toBe(constants.priority.PRIORITY_LOW);
    await patient.kill();
    await waitFor(() => !existsSync(`/proc/${pid}`), { message: 'the end of the process of shadows' });
  }, 300_000);
});
