import { expect, test } from '@jest/globals';
import { cloneDatabase } from './support/database.ts';
import { deployModel } from './support/deploy.ts';
import { scoreTable } from './support/run.ts';
import { startTestService } from './support/service.ts';

const database = await cloneDatabase();
const service = await startTestService(database);

test('a table is scored', async () => {
  const ada = await database.client('ada');
  const alice = await database.client('alice');
  await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx', { features: ['a', 'b', 'c', 'd'] });
  await alice.query('create table t (id int primary key, a real, b real, c real, d real)');
  await alice.query('insert into t select i, i, i, i, i from generate_series(1, 10) i');
  const run = await scoreTable(alice, 'iris', 't');
  expect(run).toMatchObject({ state: 'done', rows_done: '10', error: null });
  expect(await service.stop()).toBe(0);
});
