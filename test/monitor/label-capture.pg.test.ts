import { beforeEach, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';
import { addMonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada] = await Promise.all([database.client(), database.client('ada')]);
await addMonitoredModel(superuser, 'm', 'binary');
await addMonitoredModel(superuser, 'amount', 'regression');

type Change = [key: string[], label: string | null];

/** What was queued since the last call: labels, and null for those that were withdrawn. */
async function changes(): Promise<Change[]> {
  const { rows } = await superuser.query<{ key: string[]; label: string | null }>(
    'with gone as (delete from pgscore_data.label_change returning *) select key, label from gone order by change_id',
  );
  return rows.map(({ key, label }) => [key, label]);
}

async function requests(): Promise<number> {
  return (await superuser.query('delete from pgscore_data.comparison_request')).rowCount ?? 0;
}

async function labelled(columns: string, call: string, model = 'm'): Promise<void> {
  const create = `create table truth (${columns})`;
  await ada.query(create);
  const set = `select pgscore.set_labels($1, 'truth', ${call}) as how`;
  const { rows } = await ada.query<{ how: string }>(set, [model]);
  expect(rows).toEqual([{ how: 'triggers' }]);
  await requests();
  await changes();
}

beforeEach(async () => {
  await ada.query('drop table if exists truth, old_truth cascade');
  await ada.query('select pgscore.unset_labels(model) from pgscore.label_sources');
});

test('labels that are written, corrected and taken away are queued, and no others', async () => {
  await labelled('id int primary key, y text, note text', `label => 'y'`);
  await ada.query(`insert into truth values (1, 'yes'), (2, null), (3, '')`);
  expect(await changes()).toEqual([[['1'], 'yes']]);
  await ada.query(`update truth set note = 'a'`);
  await ada.query(`update truth set note = 'a' where id = 1`);
  expect(await changes()).toEqual([]);
  await ada.query(`update truth set y = 'no' where id = 1`);
  expect(await changes()).toEqual([[['1'], 'no']]);
  await ada.query(`update truth set id = 4 where id = 1`);
  expect(await changes()).toEqual([
    [['1'], null],
    [['4'], 'no'],
  ]);
  await ada.query(`update truth set y = case id when 4 then null else 'yes' end`);
  expect(new Set(await changes())).toEqual(
    new Set([
      [['4'], null],
      [['2'], 'yes'],
      [['3'], 'yes'],
    ]),
  );
  await ada.query('delete from truth');
  expect(await changes()).toHaveLength(2);
  expect(await requests()).toBe(0);
  await ada.query('truncate truth');
  expect(await requests()).toBe(1);
});

test('a key or label that is written in other letters is queued, also where its collation calls both equal', async () => {
  await superuser.query(
    `create collation ada.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
  );
  await labelled('id text collate ada.any_case primary key, y text collate ada.any_case', `label => 'y'`);
  await ada.query(`insert into truth values ('a', 'yes'), ('b', 'no')`);
  await changes();
  await ada.query(`update truth set id = 'A' where id = 'a'`);
  expect(await changes()).toEqual([
    [['a'], null],
    [['A'], 'yes'],
  ]);
  await ada.query(`update truth set y = 'No' where id = 'b'`);
  expect(await changes()).toEqual([[['b'], 'No']]);
  await ada.query(`update truth set id = upper(id), y = upper(y)`);
  expect(new Set(await changes())).toEqual(
    new Set([
      [['b'], null],
      [['A'], 'YES'],
      [['B'], 'NO'],
    ]),
  );
});

test('keys, times and labels have one spelling, whatever the session', async () => {
  await labelled(
    'day date, shop text, y float8, known timestamp, primary key (day, shop)',
    `label => 'y', known_at => 'known'`,
    'amount',
  );
  await ada.query(`set datestyle = 'German'; set timezone = 'Asia/Tokyo'; set extra_float_digits = -10;
    insert into truth values ('31.12.2025', 'a', 0.1::float8 + 0.2::float8, '1.1.2026 09:00:00'); reset all`);
  const { rows } = await superuser.query('select key, label, known_at from pgscore_data.label_change');
  expect(rows).toEqual([
    { key: ['2025-12-31', 'a'], label: '0.30000000000000004', known_at: new Date('2026-01-01T09:00:00Z') },
  ]);
  await changes();
  await ada.query(`update truth set known = null`);
  expect(
    (await superuser.query('select known_at, retracted from pgscore_data.label_change order by change_id')).rows,
  ).toEqual([
    { known_at: new Date('2026-01-01T09:00:00Z'), retracted: true },
    { known_at: null, retracted: false },
  ]);
});

test('a statement of one row and one of many take no longer than in sessions of their own', async () => {
  await labelled('id int primary key, y text', `label => 'y'`);
  await ada.query(`set statement_timeout = '20s'`);
  await ada.query(`insert into truth values (0, 'yes')`);
  await ada.query(`update truth set y = 'no'`);
  await ada.query(`insert into truth select i, 'yes' from generate_series(1, 20000) i`);
  await changes();
  await ada.query(`update truth set y = 'no' where id < 2`);
  await ada.query(`update truth set y = 'no' where id < 15000`);
  await ada.query('reset statement_timeout');
  expect(await changes()).toHaveLength(14999);
});

test('writes straight into a partition are queued', async () => {
  await ada.query(`create table truth (id int, part int, y text, primary key (id, part)) partition by list (part);
    create table truth_1 partition of truth for values in (1);
    create table truth_2 (y text, part int not null, id int not null);
    alter table truth attach partition truth_2 for values in (2)`);
  await ada.query(`select pgscore.set_labels('m', 'truth', label => 'y', key => 'id')`);
  await requests();
  await ada.query(`insert into truth_1 values (1, 1, 'yes'); insert into truth_2 (id, part, y) values (2, 2, 'no')`);
  await ada.query(`insert into truth values (3, 2, 'no')`);
  await ada.query('update truth set part = 2 where id = 1');
  expect(await changes()).toEqual([
    [['1'], 'yes'],
    [['2'], 'no'],
    [['3'], 'no'],
  ]);
  await ada.query('alter table truth rename to old_truth');
  await ada.query(`insert into old_truth values (4, 1, 'yes'); insert into truth_1 values (5, 1, 'yes')`);
  expect(await changes()).toEqual([]);
  expect(await requests()).toBe(0);
});

describe('if a column is missing, or the time has another type, a comparison is asked for, and no writer fails', () => {
  test.each([
    ['label renamed', 'rename y to z', 'rename z to y'],
    ['key renamed', 'rename id to other', 'rename other to id'],
    ['time renamed', 'rename known to other', 'rename other to known'],
    ['time of another type', `alter known type text using 'abc'`, `alter known type timestamptz using '2026-01-01'`],
    [
      'time of a type without text',
      'alter known type xml using null',
      `alter known type timestamptz using '2026-01-01'`,
    ],
  ])('%s', async (_, alter, back) => {
    await labelled('id int primary key, y text, known timestamptz', `label => 'y', known_at => 'known'`);
    await ada.query(`insert into truth values (0, 'no', '2026-01-01')`);
    await changes();
    const there = `alter table truth ${alter}`;
    await ada.query(there);
    for (const statement of [
      `insert into truth select * from truth where false`,
      `insert into truth values (1, 'yes', null)`,
      `update truth set ${alter.includes('rename y') ? 'z' : 'y'} = 'maybe'`,
      'delete from truth where 1 = 1',
    ]) {
      await ada.query(statement);
      expect([statement, await requests(), await changes()]).toEqual([
        statement,
        statement.includes('false') ? 0 : 1,
        [],
      ]);
    }
    const andBack = `alter table truth ${back}`;
    await ada.query(andBack);
    await ada.query(`insert into truth values (2, 'yes', '2026-01-01')`);
    expect(await changes()).toEqual([[['2'], 'yes']]);
  });

  test('a domain is its base type, until it is another', async () => {
    await ada.query('create domain serial_number as int; create domain moment as timestamptz');
    await labelled('id serial_number primary key, y text, known moment', `label => 'y', known_at => 'known'`);
    await ada.query(`insert into truth values (1, 'yes', '2026-01-01')`);
    expect([await changes(), await requests()]).toEqual([[[['1'], 'yes']], 0]);
    await ada.query(`alter table truth alter known type text using 'abc'`);
    await ada.query(`insert into truth values (2, 'yes', 'abc')`);
    expect([await changes(), await requests()]).toEqual([[], 1]);
  });

  test.each([
    ['int', 'bigint', '1'],
    ['numeric', 'text', 'x.10'],
    ['int', 'xml', '<x/>'],
  ])('a key that was %s and is %s is spelled by its text', async (was, is, value) => {
    await labelled(`id ${was}, y text`, `label => 'y', key => 'id'`);
    const alter = `alter table truth alter id type ${is} using null`;
    await ada.query(alter);
    await ada.query(`insert into truth values ($1, 'yes')`, [value]);
    const [change] = await changes();
    expect([change?.[1], await requests()]).toEqual(['yes', 0]);
    await ada.query(`update truth set y = 'no'`);
    await ada.query('delete from truth');
    expect((await changes()).map(([, label]) => label)).toEqual(['no', null]);
  });
});

test('a table that was renamed queues nothing, and again when it has its name back', async () => {
  await labelled('id int primary key, y text', `label => 'y'`);
  await ada.query('alter table truth rename to old_truth');
  await ada.query(`insert into old_truth values (1, 'yes')`);
  expect(await changes()).toEqual([]);
  await ada.query('alter table old_truth rename to truth');
  await ada.query(`insert into truth values (2, 'yes')`);
  expect(await changes()).toEqual([[['2'], 'yes']]);
});

test('labels from another table take the triggers along, and without labels there are none', async () => {
  await labelled('id int primary key, y text', `label => 'y'`);
  await ada.query('create table old_truth (id int primary key, y text)');
  await ada.query(`select pgscore.set_labels('m', 'old_truth', label => 'y')`);
  const triggers = `select tgrelid::regclass::text as name, count(*)::int as n from pg_trigger
    where tgname like 'pgscore\\_labels\\_%' group by 1`;
  expect((await superuser.query(triggers)).rows).toEqual([{ name: 'ada.old_truth', n: 4 }]);
  await ada.query(`select pgscore.unset_labels('m')`);
  expect((await superuser.query(triggers)).rows).toEqual([]);
});

test('who writes by triggers that read another column ends before these are replaced', async () => {
  await labelled('id int primary key, y text, z text', `label => 'y'`);
  const writer = await database.client('ada');
  await writer.query(`begin; insert into truth values (1, 'yes', 'no')`);
  expect(await refusal(ada, `select pgscore.set_labels('m', 'truth', label => 'z')`)).toMatchObject({
    code: '55P03',
  });
  await writer.query('commit');
  expect(await changes()).toEqual([[['1'], 'yes']]);
  await ada.query(`select pgscore.set_labels('m', 'truth', label => 'z')`);
  await writer.query(`insert into truth values (2, 'yes', 'no')`);
  expect([await changes(), await requests()]).toEqual([[[['2'], 'no']], 1]);
});

test('a table that others write to is waited for two seconds, and then refused', async () => {
  await ada.query('create table truth (id int primary key, y text)');
  const writer = await database.client('ada');
  await writer.query(`begin; insert into truth values (1, 'yes')`);
  expect(await refusal(ada, `select pgscore.set_labels('m', 'truth', label => 'y')`)).toMatchObject({
    code: '55P03',
    hint: 'Try again when their transactions have ended.',
  });
  await writer.query('commit');
});
