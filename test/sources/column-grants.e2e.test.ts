import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database, { PGSCORE_SCORERS: '2' });
const [ada, alice, bob] = await Promise.all([database.client('ada'), database.client('alice'), database.client('bob')]);
await deployBytes(ada, 'sum', weightedModel({ a: 'float32' }));
await alice.query('grant usage on schema alice to bob');

test.each([
  ['small', 6],
  ['in_shards', 4_000],
])('a table of which she may read some columns only is scored: %s', async (table, rows) => {
  const create = `create table ${table} as select i as id, (i % 100)::real as a, repeat('secret', 250) as b from generate_series(1, ${rows}) i`;
  const grant = `grant select (id, a) on ${table} to bob`;
  await alice.query(create);
  await alice.query(grant);
  const run = await scoreTable(bob, 'sum', `alice.${table}`, { key: 'id' });
  expect(run).toMatchObject({ state: 'done', rows_done: String(rows), error: null });
});

test('and so is one with row-level policies, behind them', async () => {
  await alice.query('alter table small enable row level security');
  await alice.query('create policy few on small for select to bob using (id <= 2)');
  expect(await scoreTable(bob, 'sum', 'alice.small', { key: 'id', rls: 'filter' })).toMatchObject({ rows_done: '2' });
});
