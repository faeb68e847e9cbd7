import { beforeAll, beforeEach, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const [superuser, ada, alice, mallory] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('mallory'),
]);

beforeAll(async () => {
  for (const name of ['line', 'curve', 'wave']) {
    await addReadyModel(superuser, name);
    await superuser.query(
      `insert into pgscore_data.execution (version_id, task, class_labels, probabilities, features, native, parts)
       select v.version_id, 'regression', '{}', false, '{x}', false, '{}'
         from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = $1`,
      [name],
    );
    await ada.query(`select pgscore.grant_model($1, 'pgscore_user')`, [name]);
  }
  await alice.query('create table rows (id bigint primary key, x real)');
  await alice.query(`select pgscore.score_table('line', 'rows')`);
  await mallory.query(`create temp table seen (who text); grant all on seen to public`);
  await mallory.query(`create function pg_temp.spy() returns bigint language plpgsql as
    'begin insert into seen values (current_user); return 1; end'`);
  await mallory.query('create table rows (id bigint primary key, x real)');
  await mallory.query('create table truth (id bigint primary key, y real)');
});

beforeEach(async () => {
  await mallory.query('delete from seen; drop view if exists pg_temp.fresh; drop view if exists pg_temp.stale');
});

/** As whom a function of mallory's ran. */
async function ranAs(): Promise<string[]> {
  const { rows } = await mallory.query<{ who: string }>('select distinct who from seen');
  return rows.map(({ who }) => who);
}

/** The function that captures what is written to a table of mallory's, which she may call by triggers of her own. */
async function captureFunction(purpose: 'watch' | 'labels'): Promise<string> {
  const { rows } = await mallory.query<{ name: string }>(
    `select p.oid::regproc::text as name from pg_proc p
      where p.proname ~ $1 and has_function_privilege(p.oid, 'execute')`,
    [`^capture_${purpose}_`],
  );
  return rows[0]?.name ?? '';
}

test('types of a key that are none are refused, as the owner writes them into a statement', async () => {
  const { rows } = await mallory.query<{ handle_id: string }>(
    `insert into pgscore._handle_request (kind, digest) values ('function', 'x') returning handle_id`,
  );
  const setLabels = await refusal(
    mallory,
    `insert into pgscore._label_request (model, source_schema, source_name, label_columns, key_columns, key_types, time_zone, handle_id)
     values ('line', 'mallory', 'truth', '{y}', '{id}', array['text || pg_temp.spy()'], 'UTC', $1)`,
    [rows[0]?.handle_id],
  );
  expect(setLabels).toMatchObject({ code: expect.stringMatching(/^42/) });
  await mallory.query(`select pgscore.record_label('line', '1', '1.5')`).catch(() => undefined);
  expect(await ranAs()).toEqual([]);
});

const CAPTURES = {
  watch: { table: 'rows', column: 'x', begin: `select pgscore.watch('curve', 'rows', target => 'live')` },
  labels: { table: 'truth', column: 'y', begin: `select pgscore.set_labels('wave', 'truth', 'y')` },
} as const;

test.each([
  ['watch', 'insert', ''],
  ['labels', 'insert', ''],
  ['labels', 'update', 'referencing new table as fresh'],
] as const)(
  'what captures %s refuses a trigger on %s of its caller, which names no transition tables',
  async (purpose, event, transition) => {
    const { table, column, begin } = CAPTURES[purpose];
    await mallory.query(begin);
    const views = ['fresh', 'stale'].map(
      (name) =>
        `create temp view ${name} as select pg_temp.spy() as id, 1::real as ${column}; grant select on ${name} to public`,
    );
    const name = await captureFunction(purpose);
    const trigger = `create trigger own after ${event} on ${table} ${transition} for each statement execute function ${name}()`;
    const insert = `insert into ${table} values (7, 7) on conflict do nothing`;
    for (const statement of [insert, ...views, trigger]) await mallory.query(statement);
    const write = event === 'insert' ? `insert into ${table} values (1, 1)` : `update ${table} set id = id`;
    expect(await refusal(mallory, write)).toMatchObject({
      code: '42501',
      message: expect.stringContaining('trigger "own"'),
      hint: expect.stringContaining('drop trigger own on'),
    });
    expect(await ranAs()).toEqual([]);
    const drop = `drop trigger own on ${table}`;
    await mallory.query(drop);
  },
);

test('who has relations of these names writes on, as the triggers of pgscore do not read them', async () => {
  await mallory.query(`select pgscore.watch('curve', 'rows', target => 'live')`);
  await mallory.query(`create temp view fresh as select pg_temp.spy() as id; grant select on fresh to public`);
  await mallory.query(
    'insert into rows values (11, 1); update rows set x = 2 where id = 11; delete from rows where id = 11; truncate rows',
  );
  expect(await ranAs()).toEqual([]);
});
