import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployTrees, LARGE, midRun, PACE, PATIENCE_MS } from './long-run.ts';
import { expectSound } from './oracle.ts';

const database = await cloneDatabase();
const service = await startTestService(database, { ...PACE, PGSCORE_LEASE: '1' });
const superuser = await database.client();
const alice = await database.client('alice');
const bob = await database.client('bob');
await deployTrees(await database.client('ada'));
await createSource(alice, 'big', LARGE);
await createSource(bob, 'big', LARGE);

async function leaseHasRunOut(run: string): Promise<boolean> {
  const { rows } = await superuser.query(
    `select from pgscore_data.run where run_id = $1 and state = 'running' and lease_until < clock_timestamp()`,
    [run],
  );
  return rows.length > 0;
}

test('somebody who keeps a lock on her run holds up nobody else', async () => {
  const hers = await submitRun(alice, 'trees', 'big');
  await midRun(superuser, hers);
  const keeper = await database.client('alice');
  await keeper.query('begin');
  await keeper.query('select pgscore.cancel_run($1)', [hers]);
  const his = await submitRun(bob, 'trees', 'big');
  await waitFor(() => leaseHasRunOut(hers), {
    timeout: PATIENCE_MS,
    message: 'the locked run to go without its lease',
  });
  expect(await endOfRun(bob, his, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  await keeper.query('rollback');
  expect(await endOfRun(alice, hers, PATIENCE_MS)).toMatchObject({ state: 'done', rows_done: String(LARGE) });
  await expectSound(database, {
    scored: [
      { run: hers, view: 'alice.big_scores', rows: LARGE },
      { run: his, view: 'bob.big_scores', rows: LARGE },
    ],
  });
  expect(await service.stop()).toBe(0);
});
