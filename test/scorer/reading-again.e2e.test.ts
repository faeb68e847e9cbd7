import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';

const database = await cloneDatabase();
const alice = await database.client('alice');
await startTestService(database, { PGSCORE_SCORERS: '1' });
await deployModel(await database.client('ada'), 'iris', 'test/models/iris_multiclass.onnx');

test('the session that read a table through a view of one run reads it through that of the next', async () => {
  // More than 1 MB, so that its handle is a view, and less than 4 MB, so that it is read in one piece.
  await alice.query(`create table flowers as select i as id, 1::real as sepal_length, 2::real as sepal_width, 3::real as petal_length,
    4::real as petal_width, repeat('x', 400) as filler from generate_series(1, 5000) i`);
  for (const _ of [1, 2, 3]) {
    expect(await scoreTable(alice, 'iris', 'flowers', { key: 'id' })).toMatchObject({
      state: 'done',
      rows_done: '5000',
    });
  }
});
