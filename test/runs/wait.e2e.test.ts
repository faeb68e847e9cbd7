import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';

const database = await cloneDatabase();
const alice = await database.client('alice');
await startTestService(database);
await deployModel(await database.client('ada'), 'iris', 'test/models/iris_multiclass.onnx');
await alice.query(`create table t as select i as id, 1::real as sepal_length, 2::real as sepal_width, 3::real as petal_length,
  4::real as petal_width from generate_series(1, 10) i`);

test('waiting for a run in the transaction that asked for it raises at once, with the statement to run after COMMIT', async () => {
  await alice.query('begin');
  const run = await submitRun(alice, 'iris', 't', { key: 'id' });
  expect(await refusal(alice, `call pgscore.wait_for_run(${run})`)).toMatchObject({
    message: `run ${run} is not committed yet`,
    hint: `Commit, then call pgscore.wait_for_run(${run}).`,
  });
  await alice.query('rollback');
});

test('waiting where no progress can be seen raises at once', async () => {
  const run = await submitRun(alice, 'iris', 't', { key: 'id' });
  await alice.query('begin isolation level repeatable read');
  expect(await refusal(alice, `call pgscore.wait_for_run(${run})`)).toMatchObject({ code: '25000' });
  await alice.query('rollback');
  await endOfRun(alice, run);
});
