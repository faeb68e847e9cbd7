import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { createSource, deployLogistic } from './long-run.ts';
import { expectSound } from './oracle.ts';

const database = await cloneDatabase();
const service = await startTestService(database, { PGSCORE_BATCH_TIMEOUT: '5' });
const alice = await database.client('alice');
await deployLogistic(await database.client('ada'));
await createSource(alice, 'small', 100);

test('a source that computes for longer than the batch timeout before its first row is waited for', async () => {
  await alice.query(`create view slow as select small.* from small, (select pg_sleep(7) offset 0) pause`);
  const run = await scoreTable(alice, 'logistic', 'slow', { key: 'id' });
  expect(run).toMatchObject({ state: 'done', rows_done: '100', attempt: 1, error: null });
  await expectSound(database, { scored: [{ run: run.run, view: 'alice.slow_scores', rows: 100 }] });
  expect(await service.stop()).toBe(0);
});
