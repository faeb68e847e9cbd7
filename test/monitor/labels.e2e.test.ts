import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_POLL: '0.4' });
const [ada, alice, bob] = await Promise.all([database.client('ada'), database.client('alice'), database.client('bob')]);

type Day = { day: string; predicted: number; labeled: number; mae: number | null };

async function days(model: string): Promise<Day[]> {
  const { rows } = await superuser.query<Day>(
    `select window_date::text as day, n_predictions::int as predicted, n_labeled::int as labeled, mae
       from pgscore_bi.regression_performance_daily where model_name = $1 order by 1`,
    [model],
  );
  return rows;
}

async function expectDays(model: string, expected: Day[]): Promise<void> {
  let seen: Day[] = [];
  await waitFor(
    async () => {
      seen = await days(model);
      return JSON.stringify(seen) === JSON.stringify(expected);
    },
    { message: 'the accuracy of each day' },
  ).catch(() => expect(seen).toEqual(expected));
}

/** A model that predicts x, a table with a row a day, and a table for the truth about it. */
async function scored(name: string): Promise<void> {
  await deployBytes(ada, name, weightedModel({ x: 'float64' }));
  const tables = `create table ${name}_source (id bigint primary key, x float8, at timestamptz);
    insert into ${name}_source values (1, 10, '2026-01-01 10:00+00'), (2, 20, '2026-01-02 10:00+00'), (3, 30, '2026-01-03 10:00+00');
    create table ${name}_truth (id int primary key, y float8, known timestamptz)`;
  await alice.query(tables);
  expect(await scoreTable(alice, name, `${name}_source`, { event_time: 'at' })).toMatchObject({ state: 'done' });
}

const NONE: Day[] = [
  { day: '2026-01-01', predicted: 1, labeled: 0, mae: null },
  { day: '2026-01-02', predicted: 1, labeled: 0, mae: null },
  { day: '2026-01-03', predicted: 1, labeled: 0, mae: null },
];

function withLabel(day: number, mae: number): Day[] {
  return NONE.map((none, index) => (index === day ? { ...none, labeled: 1, mae } : none));
}

describe('labels in a table of the user', () => {
  beforeAll(async () => {
    await scored('own');
    await expectDays('own', NONE);
  });

  test('those that are there are taken, and every change after that, in the transaction that makes it', async () => {
    await alice.query(`insert into own_truth values (1, 12, '2026-02-01 00:00+00')`);
    const { rows } = await alice.query(
      `select pgscore.set_labels('own', 'own_truth', label => 'y', known_at => 'known') as how`,
    );
    expect(rows).toEqual([{ how: 'triggers' }]);
    await expectDays('own', withLabel(0, 2));
    await alice.query('update own_truth set y = 15 where id = 1');
    await expectDays('own', withLabel(0, 5));
    await alice.query('update own_truth set id = 3 where id = 1');
    await expectDays('own', withLabel(2, 15));
    await alice.query('update own_truth set y = null');
    await expectDays('own', NONE);
    await alice.query('update own_truth set y = 31');
    await expectDays('own', withLabel(2, 1));
    await alice.query('delete from own_truth');
    await expectDays('own', NONE);
  });

  test('set anew, they come from one set of triggers, and stay what they were', async () => {
    await alice.query(`insert into own_truth values (1, 13, '2026-02-01 00:00+00')`);
    await expectDays('own', withLabel(0, 3));
    await alice.query(`select pgscore.set_labels('own', 'own_truth', label => 'y', known_at => 'known')`);
    const { rows } = await alice.query<{ n: number }>(
      `select count(*)::int as n from pg_trigger where tgrelid = 'own_truth'::regclass and not tgisinternal`,
    );
    expect(rows).toEqual([{ n: 4 }]);
    await expectDays('own', withLabel(0, 3));
    await alice.query('delete from own_truth');
    await expectDays('own', NONE);
  });

  test('a transaction that rolls back leaves nothing', async () => {
    await alice.query('begin');
    await alice.query(`insert into own_truth values (2, 0, '2026-02-01 00:00+00')`);
    await alice.query('rollback');
    await alice.query(`insert into own_truth values (3, 30, '2026-02-01 00:00+00')`);
    await expectDays('own', withLabel(2, 0));
  });

  test('TRUNCATE withdraws them all, and what triggers miss is found by comparison', async () => {
    await alice.query('truncate own_truth');
    await expectDays('own', NONE);
    await alice.query('alter table own_truth disable trigger user');
    await alice.query(`insert into own_truth values (2, 18, '2026-02-01 00:00+00')`);
    await superuser.query(`update pgscore_data.label_source set compare_after = now()`);
    await expectDays('own', withLabel(1, 2));
  });

  test('a table that was swapped for another is noticed in seconds, read instead of it, and again from then on', async () => {
    await alice.query('alter table own_truth enable trigger user');
    // As an hour of triggers leaves it.
    await superuser.query(
      `update pgscore_data.label_source set compared_at = now() - interval '1 minute', compare_after = now() + interval '59 minutes'`,
    );
    await alice.query(`begin;
      alter table own_truth rename to own_truth_old;
      create table own_truth (id int primary key, y float8, known timestamptz);
      insert into own_truth values (1, 10.5, '2026-02-01 00:00+00');
      commit`);
    await expectDays('own', withLabel(0, 0.5));
    const sources = `select captured_by, error from pgscore.label_sources where model = 'own'`;
    expect((await alice.query(sources)).rows).toEqual([{ captured_by: 'polling', error: null }]);
    await alice.query(`update own_truth set y = 12`);
    await superuser.query(`update pgscore_data.label_source set compare_after = now()`);
    await expectDays('own', withLabel(0, 2));
    await alice.query(`select pgscore.set_labels('own', 'own_truth', label => 'y', known_at => 'known')`);
    expect((await alice.query(sources)).rows).toEqual([{ captured_by: 'triggers', error: null }]);
    await alice.query(`update own_truth set y = 13`);
    await expectDays('own', withLabel(0, 3));
  });
});

describe('labels in a view', () => {
  test('are read with the rights of who set them, and compared again', async () => {
    await scored('seen');
    await alice.query(`create view seen_view as select id, y from seen_truth`);
    const { rows } = await alice.query(
      `select pgscore.set_labels('seen', 'seen_view', label => 'y', key => 'id') as how`,
    );
    expect(rows).toEqual([{ how: 'polling' }]);
    await alice.query('insert into seen_truth values (2, 25)');
    await superuser.query(`update pgscore_data.label_source set compare_after = now()`);
    await expectDays('seen', withLabel(1, 5));
    await alice.query('delete from seen_truth');
    await superuser.query(`update pgscore_data.label_source set compare_after = now()`);
    await expectDays('seen', NONE);
  });
});

describe('single labels', () => {
  beforeAll(() => scored('told'));

  test('are recorded, corrected and withdrawn', async () => {
    await alice.query(`select pgscore.record_label('told', '3', '33')`);
    await expectDays('told', withLabel(2, 3));
    await alice.query(`select pgscore.record_label('told', ' 3', '3.1e1')`);
    await expectDays('told', withLabel(2, 1));
    await alice.query(`select pgscore.record_label('told', '3', null)`);
    await expectDays('told', NONE);
  });

  test('that are none are refused with what to write', async () => {
    expect(await refusal(alice, `select pgscore.record_label('told', '3', 'late')`)).toMatchObject({
      code: '22023',
      message: '"late" is no label of model "told": it takes numbers',
      hint: 'A label is a finite number.',
    });
    expect(await refusal(alice, `select pgscore.record_label('told', 'x', '1')`)).toMatchObject({
      code: '22023',
      message: 'the key of model "told" is (bigint), not (x)',
      detail: 'invalid input syntax for type bigint: "x"',
      hint: 'Pass the values as they stand in the key of the predictions.',
    });
    for (const [key, wrong] of [
      [`array['1', '2']`, '2 values were given'],
      [`'{}'::text[]`, '0 values were given'],
      ['null::text', 'none is NULL'],
    ])
      expect(await refusal(alice, `select pgscore.record_label('told', ${key}, '1')`)).toMatchObject({
        message: `the key of model "told" has 1 column (bigint), and ${wrong}`,
      });
    expect(await refusal(alice, `select pgscore.record_label('nothing', '1', '1')`)).toMatchObject({ code: '42704' });
  });
});

/** What an analyst sees who has the grants of a role; she is gone again, as roles are the whole cluster's. */
async function seenByAnalyst(role: 'alice' | 'bob'): Promise<unknown[]> {
  const seen = `select distinct model_name from pgscore_bi.regression_performance_daily where model_name = 'secret'`;
  const create = `create role onlooker in role pgscore_analyst, ${role}`;
  await superuser.query('begin');
  try {
    await superuser.query(create);
    await superuser.query('set local role onlooker');
    return (await superuser.query(seen)).rows;
  } finally {
    await superuser.query('rollback');
  }
}

describe('who may say and see what is true', () => {
  beforeAll(() => scored('secret'));

  test('only roles that the model is granted to', async () => {
    await expectDays('secret', NONE);
    await ada.query(`select pgscore.revoke_model('secret', 'pgscore_user')`);
    await ada.query(`select pgscore.grant_model('secret', 'alice')`);
    await bob.query('create table bobs_truth (id int primary key, y float8)');
    const text = `select pgscore.set_labels('secret', 'bobs_truth', label => 'y')`;
    expect(await refusal(bob, text)).toMatchObject({
      code: '42501',
      hint: "Ask a deployer for: select pgscore.grant_model('secret', 'bob');",
    });
    expect(await refusal(bob, `select pgscore.record_label('secret', '1', '1')`)).toMatchObject({ code: '42501' });
    expect([await seenByAnalyst('bob'), await seenByAnalyst('alice')]).toEqual([[], [{ model_name: 'secret' }]]);
  });

  test('a role cannot take over the labels that another one set', async () => {
    await alice.query(`select pgscore.set_labels('secret', 'secret_truth', label => 'y')`);
    await ada.query(`select pgscore.grant_model('secret', 'bob')`);
    const text = `select pgscore.set_labels('secret', 'bobs_truth', label => 'y')`;
    expect(await refusal(bob, text)).toMatchObject({
      code: '42501',
      hint: "Ask alice or a deployer for: select pgscore.unset_labels('secret');",
    });
    expect(await refusal(bob, `select pgscore.unset_labels('secret')`)).toMatchObject({ code: '42501' });
  });

  test('the function of the triggers of another role cannot be used', async () => {
    const { rows } = await superuser.query<{ name: string }>(
      `select p.proname as name from pg_trigger t join pg_proc p on p.oid = t.tgfoid where t.tgrelid = 'alice.secret_truth'::regclass limit 1`,
    );
    const text = `create trigger forged after insert on bobs_truth referencing new table as fresh
      for each statement execute function pgscore_sources.${rows[0]?.name}()`;
    expect(await refusal(bob, text)).toMatchObject({ code: '42501' });
  });
});

test.each([
  [
    'a label column that is not there',
    `'own_truth_old', label => 'z'`,
    'label column "z" does not exist in alice.own_truth_old',
  ],
  [
    'a known_at that is no time',
    `'own_truth_old', label => 'y', known_at => 'id'`,
    'known_at column "id" is not a timestamptz, timestamp or date of alice.own_truth_old',
  ],
  ['a key that labels cannot have', `'odd', label => 'y'`, 'labels cannot be keyed by "k"'],
])('%s is refused before anything is changed', async (_, args, message) => {
  await alice.query('create table if not exists odd (k int[] primary key, y float8)');
  const text = `select pgscore.set_labels('own', ${args})`;
  expect(await refusal(alice, text)).toMatchObject({ message });
});

const COUNTS = `select sum(n_predictions)::int as predicted, sum(n_labeled)::int as labeled, sum(n_awaiting)::int as awaiting,
    sum(n_superseded)::int as superseded, sum(mae * n_labeled) / sum(n_labeled) as mae
  from pgscore_bi.regression_performance_daily where model_name = 'meter' and segment_key is null`;

type Counts = Record<'predicted' | 'labeled' | 'awaiting' | 'superseded', number> & { mae: number | null };

async function counts(): Promise<Counts | undefined> {
  await superuser.query('select pgscore.refresh()');
  return (await superuser.query<Counts>(COUNTS)).rows[0];
}

async function untilPredicted(predicted: number): Promise<void> {
  await waitFor(async () => (await counts())?.predicted === predicted, { message: `${predicted} predictions` });
}

/** Writes a value that the watch scores: the model says what it is. */
async function measure(x: number, predicted: number): Promise<void> {
  await alice.query('update readings set x = $1 where id = 1', [x]);
  await untilPredicted(predicted);
}

test('a label judges the state of a watched row that was there when it became known', async () => {
  await alice.query(`create table readings (id bigint primary key, x float8); insert into readings select i, 10 from generate_series(1, 4) i;
    create table truth (id bigint, y float8, known timestamptz, primary key (id, known))`);
  await deployBytes(ada, 'meter', weightedModel({ x: 'float64' }));
  await alice.query(`select pgscore.set_labels('meter', 'truth', label => 'y', key => 'id', known_at => 'known')`);
  await alice.query(`select pgscore.watch('meter', 'readings', target => 'live')`);
  await untilPredicted(4);
  await measure(20, 5);
  await measure(30, 6);
  await alice.query(`insert into truth values (1, 31, clock_timestamp())`);
  await measure(40, 7);
  await alice.query(`insert into truth values (2, 13, clock_timestamp())`);
  expect(await counts()).toEqual({ predicted: 7, labeled: 2, awaiting: 5, superseded: 0, mae: 2 });
  // As a day later: the states before the label have had their time.
  await superuser.query(`update pgscore_data.cell_open set closes_at = closes_at - interval '25 hours'`);
  expect(await counts()).toEqual({ predicted: 7, labeled: 2, awaiting: 3, superseded: 2, mae: 2 });
});
