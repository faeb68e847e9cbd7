import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
await startTestService(database, { PGSCORE_BATCH_ROWS: '10' });

async function generations(target: string): Promise<number[]> {
  const { rows } = await superuser.query<{ generation: number }>(
    `select g.generation from pgscore_data.generation g join pgscore_data.target t using (target_id)
      where t.view_name = $1 order by 1`,
    [target],
  );
  return rows.map(({ generation }) => generation);
}

test('the rows of a batch are as set: a run of more than one batch gets a generation of its own', async () => {
  await deployModel(await database.client('ada'), 'iris', 'test/models/iris_multiclass.onnx');
  await alice.query(`create table t as select i as id, 1::real as sepal_length, 2::real as sepal_width, 3::real as petal_length,
    4::real as petal_width from generate_series(1, 10) i`);
  await scoreTable(alice, 'iris', 't', { key: 'id', target: 'one_batch' });
  expect(await generations('one_batch')).toEqual([0, 1]);
  await alice.query('insert into t select 11, 1, 2, 3, 4');
  await scoreTable(alice, 'iris', 't', { key: 'id', target: 'two_batches' });
  expect(await generations('two_batches')).toEqual([0, 1, 2]);
});
