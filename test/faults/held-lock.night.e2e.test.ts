import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, LARGE, midRun, PACE, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';

const database = await cloneDatabase();
const service = await startTestService(database, { ...PACE, PGSCORE_LEASE: '1', PGSCORE_BATCH_ROWS: '1' });
const superuser = await database.client();
const alice = await database.client('alice');
const bob = await database.client('bob');
await deployLogistic(await database.client('ada'));
await createSource(alice, 'small', 1);
await createSource(alice, 'big', LARGE);
await createSource(bob, 'big', LARGE);

test('a publication outlasts its lease while somebody holds its target', async () => {
  await scoreTable(alice, 'logistic', 'small');
  const keeper = await database.client();
  await keeper.query('begin');
  await keeper.query("select from pgscore_data.target where view_name = 'small_scores' for no key update");
  const run = await submitRun(alice, 'logistic', 'small');
  await waitFor(
    async () => {
      const { rows } = await superuser.query(
        `select from pgscore_data.run where run_id = $1 and state = 'running' and lease_until < clock_timestamp() - interval '3 seconds'`,
        [run],
      );
      return rows.length > 0;
    },
    { message: 'the lease to have run out long ago' },
  );
  await keeper.query('rollback');
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  await expectSound(database, { scored: [{ run, view: 'alice.small_scores', rows: 1 }] });
});

test('somebody who asks for the end of her run and does not commit holds up nothing, not even that run', async () => {
  const hers = await submitRun(alice, 'logistic', 'big');
  await midRun(superuser, hers);
  const keeper = await database.client('alice');
  await keeper.query('begin');
  expect((await keeper.query('select pgscore.cancel_run($1) as asked', [hers])).rows).toEqual([{ asked: true }]);
  const his = await submitRun(bob, 'logistic', 'big');
  expect(await endOfRun(bob, his, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  expect(await endOfRun(alice, hers, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  await keeper.query('commit');
  await expectSound(database, {
    scored: [
      { run: hers, view: 'alice.big_scores', rows: LARGE },
      { run: his, view: 'bob.big_scores', rows: LARGE },
    ],
  });
  expect(await service.stop()).toBe(0);
});
