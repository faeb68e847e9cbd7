import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { expectCommitted } from '../support/committed.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const COLUMNS = `from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = 'pgscore_bi'::regnamespace and c.relkind = 'v'`;

test('the columns of the analysts are those that were promised: they are only ever added to', async () => {
  const { rows } = await superuser.query<{ line: string }>(
    `select c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, null) as line ${COLUMNS} order by c.relname, a.attnum`,
  );
  await expectCommitted('test/monitor/columns.txt', `${rows.map(({ line }) => line).join('\n')}\n`);
});

test('no column has a type that a BI tool stumbles over', async () => {
  const { rows } = await superuser.query(
    `select c.relname, a.attname, format_type(a.atttypid, null) ${COLUMNS}
       and a.atttypid not in ('text'::regtype, 'bigint'::regtype, 'float8'::regtype, 'boolean'::regtype, 'date'::regtype, 'timestamptz'::regtype)`,
  );
  expect(rows).toEqual([]);
});

test('every view and column says what it means', async () => {
  const silent = await superuser.query(
    `select c.relname, a.attname ${COLUMNS} and col_description(c.oid, a.attnum) is null`,
  );
  expect(silent.rows).toEqual([]);
  const { rows } = await superuser.query(
    `select view_name from pgscore_bi.data_dictionary where meaning is null or meaning = ''`,
  );
  expect(rows).toEqual([]);
});

test('an analyst without a grant on a model reads every view, and sees no model', async () => {
  await superuser.query('grant pgscore_analyst to bob');
  await superuser.query('revoke pgscore_user from bob');
  const bob = await database.client('bob');
  const { rows } = await superuser.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'pgscore_bi'::regnamespace and relkind = 'v'`,
  );
  expect(rows.length).toBeGreaterThan(20);
  for (const { name } of rows) {
    const read = `select count(*)::int as n from pgscore_bi.${name}`;
    const [seen] = (await bob.query<{ n: number }>(read)).rows;
    expect([name, seen?.n === 0 || name === 'data_dictionary' || name === 'refresh_log']).toEqual([name, true]);
  }
});
