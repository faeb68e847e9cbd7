import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { scoreTable } from '../support/run.ts';
import { serverVersionOf } from '../support/server-version.ts';
import { startTestService } from '../support/service.ts';
import { createSource, deployLogistic } from './long-run.ts';
import { expectSound } from './oracle.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const fromSeventeen = (await serverVersionOf(superuser)) >= 170_000 ? test : test.skip;

fromSeventeen('a transaction_timeout that a DBA gave the logins of the service does not end a run', async () => {
  for (const role of ['pgscore_service', 'pgscore_reader']) {
    const tune = `alter role ${role} in database ${database.name} set transaction_timeout = '2s'`;
    await superuser.query(tune);
  }
  const service = await startTestService(database);
  const alice = await database.client('alice');
  await deployLogistic(await database.client('ada'));
  await createSource(alice, 'small', 100);
  await alice.query('create view slow as select small.* from small, (select pg_sleep(4) offset 0) pause');
  const run = await scoreTable(alice, 'logistic', 'slow', { key: 'id' });
  expect(run).toMatchObject({ state: 'done', attempt: 1, error: null });
  await expectSound(database, { scored: [{ run: run.run, view: 'alice.slow_scores', rows: 100 }] });
  expect(await service.stop()).toBe(0);
});
