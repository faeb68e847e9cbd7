import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';

const database = await cloneDatabase();
await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

const MODEL = 'test/models/refused/renamed_columns.onnx';
beforeAll(async () => {
  await alice.query(
    'create table cars as select 1 as id, 1::real as "Weight in (lbs)", 2::real as "Miles per gallon", 3::real as doors',
  );
  await deployModel(ada, 'cars', MODEL);
});

const scored = async (asked: string) => (await alice.query<{ score: number }>(asked)).rows;

test('a column is found by the name that the exporter gave it', async () => {
  await scoreTable(alice, 'cars', 'cars', { key: 'id', target: 'cars_scores' });
  const [written] = await scored('select score from cars_scores');
  const same = { score: expect.closeTo(written?.score ?? 0, 6) };
  const rows = await scored(`select score('cars', c) as score from cars c
    union all select score('cars', jsonb_build_object('weight in (LBS)', 1, 'Miles per gallon', 2, 'doors', 3))
    union all select score('cars', r) from (select 1 as "Weight in (lbs)", 2 as "Miles-per gallon", 3 as doors) r`);
  expect(rows).toEqual([same, same, same]);
  await alice.query('grant usage on schema alice to pgscore_owner');
  await alice.query(`select pgscore.bind('cars', 'cars')`);
  expect(await scored(`select score('cars', c) as score from cars c`)).toEqual([same]);
});

test.each([
  ['(select 1 as "a b", 2 as "Miles per gallon", 3 as doors)', '42703', /no column "Weight_in__lbs_"/],
  [
    '(select 1 as "Weight in (lbs)", 1 as "Weight in [lbs]", 2 as "Miles per gallon", 3 as doors)',
    '42702',
    /more than one/,
  ],
  [`(select date '2000-01-01' as "Weight in (lbs)", 2 as "Miles per gallon", 3 as doors)`, '42804', /"Weight/],
])('of a row %s, the column at fault is named', async (row, code, message) => {
  expect(await refusal(alice, `select score('cars', r) from ${row} r`)).toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});

test('of a table, columns that are alike are refused by name', async () => {
  await alice.query(
    'create table two_weights as select 1 as id, 1::real as "Weight in (lbs)", 1::real as "Weight in [lbs]", 2::real as "Miles per gallon", 3::real as doors',
  );
  expect(await refusal(alice, `select pgscore.score_table('cars', 'two_weights', key => 'id')`)).toMatchObject({
    code: '42702',
    message: expect.stringContaining('"Weight_in__lbs_" matches more than one column'),
  });
});

test('the names of training, given at deploy, mend it', async () => {
  await deployModel(ada, 'cars', MODEL, {
    features: ['Weight in (lbs)', 'Miles per gallon', 'doors'],
  });
  const { rows } = await alice.query<{ score: number }>(`select score('cars@2', c) as score from cars c`);
  expect(rows[0]?.score).toBeGreaterThan(0);
});
