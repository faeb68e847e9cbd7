import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { createSource, deployLogistic, LARGE, PACE, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';

const SERVICES = 3;
const SMALL = 200;
const SMALL_RUNS = 28;
const LARGE_RUNS = 2;

const database = await cloneDatabase();
const services = await Promise.all(
  Array.from({ length: SERVICES }, () => startTestService(database, { ...PACE, PGSCORE_BATCH_ROWS: '1000' })),
);
const superuser = await database.client();
const alice = await database.client('alice');
await deployLogistic(await database.client('ada'));
await createSource(alice, 'small', SMALL);
await createSource(alice, 'big', LARGE);

/** How many predictions each run has, and of how many keys. */
async function predictionsIn(history: string): Promise<unknown[]> {
  const count = `select run_id as run, count(*)::int as predictions, count(distinct id)::int as keys from alice.${history} group by run_id order by run_id`;
  return (await superuser.query(count)).rows;
}

test('three services score thirty runs, each exactly once', async () => {
  const large: string[] = [];
  const small: string[] = [];
  await alice.query('begin');
  for (let n = 0; n < LARGE_RUNS; n += 1) large.push(await submitRun(alice, 'logistic', 'big'));
  for (let n = 0; n < SMALL_RUNS; n += 1) small.push(await submitRun(alice, 'logistic', 'small'));
  await alice.query('commit');

  for (const run of [...large, ...small])
    expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  expect(await predictionsIn('small_scores_history')).toEqual(
    small.map((run) => ({ run, predictions: SMALL, keys: SMALL })),
  );
  expect(await predictionsIn('big_scores_history')).toEqual(
    large.map((run) => ({ run, predictions: LARGE, keys: LARGE })),
  );
  await expectSound(database);

  const { rows } = await superuser.query<{ workers: number }>(
    'select count(distinct claimed_by)::int as workers from pgscore_data.run',
  );
  expect(rows[0]?.workers).toBeGreaterThan(1);
  for (const service of services) expect(await service.stop()).toBe(0);
});
