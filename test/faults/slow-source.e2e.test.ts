import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { scoreTable } from '../support/run.ts';
import { serverVersionOf } from '../support/server-version.ts';
import { startTestService } from '../support/service.ts';
import { createSource, deployLogistic } from './long-run.ts';
import { expectSound } from './oracle.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const hasTransactionTimeout = (await serverVersionOf(superuser)) >= 170_000;

test('a source that computes for longer than the batch timeout, and than the transaction_timeout of the logins, is waited for', async () => {
  for (const role of hasTransactionTimeout ? ['pgscore_service', 'pgscore_reader'] : []) {
    const tune = `alter role ${role} in database ${database.name} set transaction_timeout = '2s'`;
    await superuser.query(tune);
  }
  const service = await startTestService(database, { PGSCORE_BATCH_TIMEOUT: '3' });
  const alice = await database.client('alice');
  await deployLogistic(await database.client('ada'));
  await createSource(alice, 'small', 100);
  await alice.query('create view slow as select small.* from small, (select pg_sleep(5) offset 0) pause');
  const run = await scoreTable(alice, 'logistic', 'slow', { key: 'id' });
  expect(run).toMatchObject({ state: 'done', rows_done: '100', attempt: 1, error: null });
  await expectSound(database, { scored: [{ run: run.run, view: 'alice.slow_scores', rows: 100 }] });
  expect(await service.stop()).toBe(0);
});
