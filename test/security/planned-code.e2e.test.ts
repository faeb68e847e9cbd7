import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { READER_PASSWORD } from '../support/service-passwords.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database, { PGSCORE_SCORERS: '1' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

/** Ends whatever sessions it may, and tells nobody. */
const STRIKE = `
  create function strike(i int) returns int immutable language plpgsql as $$
    begin
      perform pg_terminate_backend(pid) from pg_stat_activity where usename = 'pgscore_reader' and pid <> pg_backend_pid();
      return i;
    exception when others then return i; end $$;
  create function strike(i int, j int) returns boolean immutable language plpgsql as 'begin return alice.strike(i) = j; end';
  create operator ### (leftarg = int, rightarg = int, function = strike)`;

async function createTable(name: string): Promise<void> {
  const create = `create table ${name} (id int primary key, a real, filler text)`;
  await alice.query(create);
  await fill(name);
}

/** With rows wide enough for a table that is read in shards. */
async function fill(name: string): Promise<void> {
  const insert = `insert into ${name} select i, i, repeat('x', 400) from generate_series(1, 5000) i`;
  await alice.query(insert);
}

/** A session that reads for somebody else. */
async function otherReader(): Promise<{ survives: () => Promise<boolean> }> {
  const reader = await database.client({ user: 'pgscore_reader', password: READER_PASSWORD });
  reader.on('error', () => undefined);
  return {
    survives: () =>
      reader.query('select').then(
        () => true,
        () => false,
      ),
  };
}

beforeAll(async () => {
  await deployBytes(ada, 'same', weightedModel({ a: 'float32' }));
  await alice.query(STRIKE);
});

describe('code that the planner runs as it reads a table ends no session of another requester', () => {
  test.each([
    ['index', 'create index on in_index ((id + strike(1)))'],
    ['index_condition', 'create index on in_index_condition (id) where id > strike(1)'],
    ['operator', 'create index on in_operator (id) where 1 ### 1'],
    ['statistics', 'create statistics folded on (id + strike(1)), a from in_statistics'],
    ['check', 'create table in_check_child (check (id > strike(-1))) inherits (in_check)'],
  ])('in an object of the kind %s', async (kind, text) => {
    const table = `in_${kind}`;
    await createTable(table);
    await alice.query(text);
    const other = await otherReader();
    expect(await scoreTable(alice, 'same', table)).toMatchObject({ state: 'done', error: null, rows_done: '5000' });
    expect(await other.survives()).toBe(true);
  });

  test('in a partition key', async () => {
    await alice.query(`create table in_key (id int not null, a real, filler text) partition by list ((id * 0 + strike(1)));
      create table in_key_one partition of in_key for values in (1)`);
    await fill('in_key');
    const other = await otherReader();
    expect(await scoreTable(alice, 'same', 'in_key', { key: 'id' })).toMatchObject({
      state: 'done',
      rows_done: '5000',
    });
    expect(await other.survives()).toBe(true);
  });

  test('in an index that came after the run was submitted', async () => {
    await createTable('later');
    const other = await otherReader();
    await alice.query('begin');
    const run = await submitRun(alice, 'same', 'later');
    await alice.query('create index on later ((id + strike(1)))');
    await alice.query('commit');
    expect(await endOfRun(alice, run)).toMatchObject({ state: 'failed', error_code: 'source_changed' });
    expect(await other.survives()).toBe(true);
  });
});
