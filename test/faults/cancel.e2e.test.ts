import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, LARGE, midRun, PACE, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';

const database = await cloneDatabase();
const service = await startTestService(database, PACE);
const superuser = await database.client();
const alice = await database.client('alice');
await deployLogistic(await database.client('ada'));
await createSource(alice, 'big', LARGE);
await createSource(alice, 'small', 100);

async function predictionsOf(run: string): Promise<number> {
  const { rows } = await superuser.query<{ n: number }>(
    'select count(*)::int as n from alice.big_scores_history where run_id = $1',
    [run],
  );
  return rows[0]?.n ?? 0;
}

test('a run that is cancelled in its middle leaves no prediction, and its scorers to the next', async () => {
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  await alice.query('select pgscore.cancel_run($1)', [run]);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'cancelled' });
  expect(await scoreTable(alice, 'logistic', 'small')).toMatchObject({ state: 'done', rows_done: '100' });
  expect(await predictionsOf(run)).toBe(0);
  await expectSound(database);
});

test('a shard that another service scores stops, too', async () => {
  const other = await startTestService(database, PACE);
  const run = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, run);
  await alice.query('select pgscore.cancel_run($1)', [run]);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'cancelled' });
  await expectSound(database);
  expect(await other.stop()).toBe(0);
});

test('a run whose source does not give its first row is cancelled all the same', async () => {
  await alice.query(
    'create view endless as select id, pg_sleep(3600) is null as waited, f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19 from small where pg_sleep(3600) is not null',
  );
  const run = await submitRun(alice, 'logistic', 'endless', { key: 'id' });
  await waitFor(
    async () => {
      const { rows } = await superuser.query(
        `select from pg_stat_activity where application_name = 'pgscore reader' and wait_event = 'PgSleep' and datname = current_database()`,
      );
      return rows.length > 0;
    },
    { message: 'the source to be read' },
  );
  await alice.query('select pgscore.cancel_run($1)', [run]);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'cancelled' });
  expect(await scoreTable(alice, 'logistic', 'small')).toMatchObject({ state: 'done', rows_done: '100' });
  await expectSound(database);
  expect(await service.stop()).toBe(0);
});

test('a run that nobody has begun is cancelled at once', async () => {
  const run = await submitRun(alice, 'logistic', 'small');
  await alice.query('select pgscore.cancel_run($1)', [run]);
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'cancelled', attempt: 0 });
});
