import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';

const database = await cloneDatabase();
await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

const MODEL = 'test/models/refused/renamed_columns.onnx';
const HINT =
  'skl2onnx writes "Weight in (lbs)" so: deploy the model with features => array[…], the names of training in their order.';

beforeAll(async () => {
  await alice.query(
    'create table cars as select 1 as id, 1::real as "Weight in (lbs)", 2::real as "Miles per gallon", 3::real as doors',
  );
  await deployModel(ada, 'cars', MODEL);
});

test.each([`select pgscore.score_table('cars', 'cars', key => 'id')`, `select score('cars', c) from cars c`])(
  '%s names the column that the exporter renamed',
  async (asked) => {
    expect(await refusal(alice, asked)).toMatchObject({ code: '42703', hint: HINT });
  },
);

test('the names of training, given at deploy, mend it', async () => {
  await deployModel(ada, 'cars', MODEL, {
    features: ['Weight in (lbs)', 'Miles per gallon', 'doors'],
  });
  const { rows } = await alice.query<{ score: number }>(`select score('cars@2', c) as score from cars c`);
  expect(rows[0]?.score).toBeGreaterThan(0);
});
