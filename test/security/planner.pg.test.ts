import { expect, test } from '@jest/globals';
import { ident } from '../../src/lib/text.ts';
import { cloneDatabase } from '../support/database.ts';
import { READER_PASSWORD } from '../support/service-passwords.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { submitRun } from '../support/run.ts';

const database = await cloneDatabase();
const [superuser, alice, bob, reader] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client('bob'),
  database.client({ user: 'pgscore_reader', password: READER_PASSWORD }),
]);
await addReadyModel(superuser, 'single');
await alice.query(`create table salaries (id int primary key, x real, filler text);
  insert into salaries select i, 90000 + i % 7, repeat('x', 400) from generate_series(1, 5000) i; analyze salaries`);
// Nobody serves this database, so the run stays in the queue and its handle stays.
await submitRun(alice, 'single', 'salaries');
const { rows: views } = await superuser.query<{ name: string }>(
  `select relname as name from pg_class where relnamespace = 'pgscore_sources'::regnamespace and relkind = 'v'`,
);
const view = `pgscore_sources.${ident(views[0]?.name ?? '')}`;

// Operators that tell what they are called with, and have the planner call them with what it knows of a column.
await bob.query(`grant usage on schema bob to pgscore_reader;
  create function told(real, real) returns boolean language plpgsql cost 0.0001 as $$ begin raise warning 'told %', $1; return true; end $$;
  create function told(int, int) returns boolean language plpgsql cost 0.0001 as $$ begin raise warning 'told %', $1; return true; end $$;
  create operator === (leftarg = real, rightarg = real, function = told, restrict = eqsel, join = eqjoinsel);
  create operator <<< (leftarg = real, rightarg = real, function = told, restrict = scalarltsel);
  create operator <<< (leftarg = int, rightarg = int, function = told, restrict = scalarltsel)`);

test.each([
  ['the most common values', `select from ${view} h where c2 operator(bob.===) 1::real`],
  ['the most common values in their order', `select from ${view} h where c2 operator(bob.<<<) 1::real`],
  ['the bounds of a histogram', `select from ${view} h where c1 operator(bob.<<<) 5`],
  ['the values that two columns share', `select from ${view} h join ${view} o on h.c2 operator(bob.===) o.c2`],
])('the planner tells nothing of a source to code that runs as the reader: %s', async (_, text) => {
  const heard: (string | undefined)[] = [];
  const listen = ({ message }: { message?: string | undefined }): void => void heard.push(message);
  reader.on('notice', listen);
  const explain = `explain ${text}`;
  await reader.query(explain);
  expect((await reader.query(text)).rows).toEqual([]);
  reader.off('notice', listen);
  expect(heard).toEqual([]);
});

test.each([
  ['c2 = 90001', 'c2 = 5'],
  ['c2 > 90005', 'c2 > 0'],
  ['c1 < 10', 'c1 < 4000'],
  ['c1 between 5 and 10', 'c1 between 10000 and 20000'],
  ['c2 in (90001, 90002)', 'c2 in (5, 6)'],
])('nor does it by what it expects of a condition: %s, %s', async (one, other) => {
  expect(await expectedRows(one)).toBe(await expectedRows(other));
});

async function expectedRows(condition: string): Promise<number | undefined> {
  const explain = `explain (format json) select from ${view} where ${condition}`;
  const { rows } = await reader.query<{ 'QUERY PLAN': { Plan: { 'Plan Rows': number } }[] }>(explain);
  return rows[0]?.['QUERY PLAN'][0]?.Plan['Plan Rows'];
}

test('a shard is still read by its blocks alone, by a plan with nothing on top', async () => {
  const explain = `explain (costs off) select c1, c2 from ${view}`;
  const { rows } = await reader.query<Record<string, string>>(explain);
  expect(rows.map((row) => row['QUERY PLAN']?.replaceAll(/\(encode.*/g, '…'))).toEqual([
    'Result',
    '  One-Time Filter: …',
    '  ->  Tid Range Scan on salaries t',
    `        TID Cond: ((ctid >= (NULLIF(current_setting('pgscore.block_from'::text, true), ''::text))::tid) AND (ctid < (NULLIF(current_setting('pgscore.block_to'::text, true), ''::text))::tid))`,
  ]);
});
