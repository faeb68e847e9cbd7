import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database, { PGSCORE_SCORERS: '2' });
const [ada, alice, bob] = await Promise.all([database.client('ada'), database.client('alice'), database.client('bob')]);
await deployBytes(ada, 'sum', weightedModel({ a: 'float32' }));
await alice.query(`create table few (id int primary key, a real);
  insert into few select i, case when i > 2 then i end from generate_series(1, 10) i`);
await alice.query(`create table many (id int primary key, a real, filler text);
  insert into many select i, case when i > 2500 then i end, repeat('x', 400) from generate_series(1, 10000) i`);

async function errorsOf(
  run: string,
): Promise<{ code: string; reason: string; feature: string; key: unknown; input: unknown }[]> {
  const text = 'select code, reason, feature, key, input from pgscore.run_errors where run = $1 order by key';
  return (await alice.query(text, [run])).rows;
}

test('failed rows up to the limit leave the run done; each has its reason and NULL as its score', async () => {
  const run = await scoreTable(alice, 'sum', 'few', { error_limit: 2 });
  expect(run).toMatchObject({ state: 'done', rows_done: '10', rows_failed: '2', published: true });
  expect(await errorsOf(run.run)).toEqual(
    [1, 2].map((id) => ({ code: 'null_feature', reason: 'a is NULL', feature: 'a', key: { id }, input: { a: null } })),
  );
  const { rows } = await alice.query('select id, score, error_code from few_scores where id <= 3 order by id');
  expect(rows).toEqual([
    { id: 1, score: null, error_code: 'null_feature' },
    { id: 2, score: null, error_code: 'null_feature' },
    { id: 3, score: 3, error_code: null },
  ]);
});

test('one more fails the run, and its errors can be read all the same', async () => {
  const before = (await alice.query('select * from few_scores order by id')).rows;
  const run = await scoreTable(alice, 'sum', 'few', { error_limit: 1 });
  expect(run).toMatchObject({
    state: 'failed',
    error_code: 'too_many_failed_rows',
    error: '2 of 10 rows could not be scored; 1 are allowed. The first: a is NULL',
    remedy: expect.stringContaining('pgscore.run_errors'),
    rows_failed: '2',
    published: null,
  });
  expect(await errorsOf(run.run)).toHaveLength(2);
  expect((await alice.query('select * from few_scores order by id')).rows).toEqual(before);
});

test('by default a thousand rows may fail', async () => {
  const run = await scoreTable(alice, 'sum', 'many');
  expect(run).toMatchObject({
    state: 'failed',
    error_code: 'too_many_failed_rows',
    rows_failed: '2500',
    rows_done: '10000',
  });
  expect(run.error).toMatch(/^2500 of 10000 rows could not be scored; 1000 are allowed/);
  const errors = await errorsOf(run.run);
  expect(errors.length).toBeGreaterThanOrEqual(1000);
  expect(errors.length).toBeLessThanOrEqual(2500);
  expect((await alice.query('select count(*)::int as rows from many_scores')).rows).toEqual([{ rows: 0 }]);
});

test('a higher limit lets them through, in shards too', async () => {
  const run = await scoreTable(alice, 'sum', 'many', { error_limit: 2500 });
  expect(run).toMatchObject({ state: 'done', rows_failed: '2500', rows_done: '10000', published: true });
  const { rows } = await alice.query(
    `select count(*)::int as rows, count(score)::int as scored, count(*) filter (where error_code = 'null_feature')::int as failed from many_scores`,
  );
  expect(rows).toEqual([{ rows: 10000, scored: 7500, failed: 2500 }]);
  expect(await errorsOf(run.run)).toHaveLength(2500);
});

test('the errors, and the values in them, are for the requester alone', async () => {
  expect((await bob.query('select * from pgscore.run_errors')).rows).toEqual([]);
  expect((await bob.query('select * from pgscore.runs')).rows).toEqual([]);
});

test('a limit below zero is refused', async () => {
  const refused = await refusal(alice, `select pgscore.score_table('sum', 'few', error_limit => -1)`);
  expect(refused).toMatchObject({ code: '22023', message: 'error_limit => -1 is negative' });
});
