import { expect, test } from '@jest/globals';
import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const [first, second] = [await database.client('alice'), await database.client('alice')];
await addReadyModel(superuser, 'one');
await addReadyModel(superuser, 'two');
await first.query('create table source (id int primary key, x real)');
await first.query(`select pgscore.score_table('one', 'source')`);
await second.query(`set lock_timeout = '2s'`);

const submit = `select pgscore.score_table($1, 'source')`;

test('who asks first waits for no other transaction that asks first, too', async () => {
  await first.query('begin');
  await first.query(submit, ['two']);
  await second.query(submit, ['two']);
  await first.query('commit');
  await second.query(submit, ['two']);
  const { rows } = await superuser.query(
    'select plan is null as known from pgscore_data.run order by run_id desc limit 1',
  );
  expect(rows).toEqual([{ known: true }]);
});

test('who asks first does not fail where another has been faster than her snapshot', async () => {
  await first.query('create table other (id int primary key, x real)');
  await first.query(`select pgscore.score_table('one', 'other')`);
  const other = `select pgscore.score_table('two', 'other')`;
  await first.query('begin isolation level repeatable read');
  await first.query('select count(*) from source');
  await second.query(other);
  const { rows } = await first.query(other);
  await first.query('commit');
  expect(rows).toHaveLength(1);
});
