import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { createPause, lockAwaited, promotedSum, whilePlanned } from '../support/paused-planning.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, superuser, ada, alice } = await scoreFixture();

const [FIRST, SECOND] = [21, 12];

/** Looked up in the snapshot of the statement. */
const MENTIONS = [
  `score('sum', l)`,
  `score('sum@champion', l)`,
  `score('sum', same_row(l))`,
  `score_or_null('sum', l)`,
  `(select x.s from lateral (select score('sum', l) as s) x)`,
  `score('sum', to_jsonb(l))`,
  `score('sum', '{"a": 1, "b": 2}')`,
  `score('sum', r)`,
  `(pgscore.predict('sum', p) ->> 'value')::float8`,
  `(pgscore.predict('sum', l) ->> 'value')::float8`,
  `score(n.model, l)`,
  `score((select model from names), l)`,
  'score(same(n.model), l)',
  `(select s.score from pgscore.score_rows('sum', array[p]) s)`,
  `(select s.score from pgscore.score_rows(n.model, array[l]) s)`,
];
const FROM = `from bound p, loose l, (select a, b from loose) r, names n`;
const AROUND = `select array_remove(array[${[...MENTIONS, 'pause()', ...MENTIONS].join(', ')}], null) as answers ${FROM}`;
const BEFORE = `select array_remove(array[${[...MENTIONS, 'pause()'].join(', ')}], null) as answers ${FROM}`;
/** Each half is planned on its own. */
const APART = `select array_agg(x) as answers from (
  select unnest(array[${MENTIONS.join(', ')}]) as x ${FROM} union all select pause() union all select unnest(array[${MENTIONS.join(', ')}]) ${FROM}) y where x is not null`;

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'sum', weightedModel({ b: 'float32', a: 'float32' }));
  await alice.query('create table bound as select 1::real as a, 2::real as b');
  await alice.query('create table loose as select 1::real as a, 2::real as b');
  await alice.query(`create table names as select 'sum' as model`);
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await alice.query(`select pgscore.bind('sum', 'bound')`);
  await createPause(alice);
  await alice.query(
    `create function same_row(loose) returns loose volatile language plpgsql as 'begin return $1; end'`,
  );
  await alice.query(`create function same(text) returns text volatile language plpgsql as 'begin return $1; end'`);
});

const { promote, answers, answersWhilePromoted } = promotedSum({ superuser, ada, alice });

beforeEach(async () => {
  await promote(1);
});

const STATEMENTS = [
  ['in the middle of its planning', AROUND],
  ['between its planning and its execution', BEFORE],
  ['while one part of it is planned and another is not', APART],
] as const;

describe.each(STATEMENTS)('a statement that asks in every way, and a promotion %s', (when, text) => {
  test('has one version, and the next has the new one', async () => {
    expect(await answersWhilePromoted(text)).toHaveLength(1);
    expect(await answers(text)).toEqual([SECOND]);
  });

  test.each(['auto', 'force_generic_plan', 'force_custom_plan'])(
    'has one version where it is prepared, with the setting %s, and the new one when it is executed again',
    async (mode) => {
      await alice.query(`select set_config('plan_cache_mode', $1, false)`, [mode]);
      const query = { name: `${mode} ${when}`.slice(0, 60), text };
      expect(await answersWhilePromoted(query)).toHaveLength(1);
      for (let executed = 0; executed < 7; executed += 1) expect(await answers(query)).toEqual([SECOND]);
      await promote(1);
      for (let executed = 0; executed < 7; executed += 1) expect(await answers(query)).toEqual([FIRST]);
      await alice.query('reset plan_cache_mode');
    },
  );
});

const ASK = `select array[${MENTIONS.join(', ')}] as answers ${FROM}`;

test.each(['repeatable read', 'serializable'])(
  'a %s transaction keeps to the version that it saw first, and plans made in it are not kept to by the next',
  async (level) => {
    const query = { name: level, text: ASK };
    await alice.query(`select set_config('default_transaction_isolation', $1, false)`, [level]);
    await alice.query('begin');
    await alice.query('select from loose');
    await promote(2);
    for (let executed = 0; executed < 7; executed += 1) expect(await answers(query)).toEqual([FIRST]);
    expect(await answers(ASK)).toEqual([FIRST]);
    await alice.query('commit');
    await alice.query('reset default_transaction_isolation');
    for (let executed = 0; executed < 7; executed += 1) expect(await answers(query)).toEqual([SECOND]);
  },
);

test('a transaction that reads what is committed follows from one statement to the next', async () => {
  const query = { name: 'in a transaction', text: ASK };
  await alice.query('begin');
  for (let executed = 0; executed < 7; executed += 1) expect(await answers(query)).toEqual([FIRST]);
  await promote(2);
  // PostgreSQL may not have heard of it: this one needs no lock that the transaction does not have.
  expect(await answers(query)).toHaveLength(1);
  expect(await answers(ASK)).toEqual([SECOND]);
  for (let executed = 0; executed < 7; executed += 1) expect(await answers(query)).toEqual([SECOND]);
  await alice.query('commit');
});

test('a cursor keeps to the version of its snapshot, also in functions that are first called when another is promoted', async () => {
  const make = `create function asked() returns float8[] stable language plpgsql as $$ begin return (${ASK}); end $$`;
  const declare = `begin; declare c cursor for select ${MENTIONS[0]} as typed, asked() as answers ${FROM}, generate_series(1, 3)`;
  await alice.query(make);
  await alice.query(declare);
  const fetch = async (): Promise<unknown[]> => {
    const { rows } = await alice.query<{ typed: number; answers: number[] }>('fetch 1 from c');
    return rows.map(({ typed, answers: all }) => [...new Set([typed, ...all])]);
  };
  expect(await fetch()).toEqual([[FIRST]]);
  await promote(2);
  expect(await fetch()).toEqual([[FIRST]]);
  expect(await fetch()).toEqual([[FIRST]]);
  await alice.query('commit');
  for (let executed = 0; executed < 7; executed += 1)
    expect(await answers('select asked() as answers')).toEqual([SECOND]);
});

test('a procedure follows from one statement to the next', async () => {
  const tell = `for n in 1 .. 3 loop insert into told ${ASK}; end loop;`;
  await alice.query('create table told (answers float8[])');
  const make = `create procedure tell() language plpgsql as
    $$ begin ${tell} commit; perform pg_advisory_xact_lock_shared(37); ${tell} commit; ${tell} end $$`;
  await alice.query(make);
  await superuser.query('select pg_advisory_lock(37)');
  const called = alice.query('call tell()');
  await waitFor(async () => (await superuser.query('select from alice.told')).rows.length === 3);
  await lockAwaited(superuser, 37);
  await promote(2);
  await superuser.query('select pg_advisory_unlock(37)');
  await called;
  const { rows } = await alice.query<{ answers: number[] }>('select answers from told order by ctid');
  expect(rows.map((row) => [...new Set(row.answers)])).toEqual([
    ...Array<number[]>(3).fill([FIRST]),
    ...Array<number[]>(6).fill([SECOND]),
  ]);
});

test('whoever promotes sees it at once and in every way, and no more where it is rolled back', async () => {
  const query = {
    name: 'own',
    text: `select array[score('sum', '{"a": 1, "b": 2}'), score('sum', to_jsonb(r))] as answers from (select 1 as a, 2 as b) r`,
  };
  const own = async (): Promise<number[]> => {
    const { rows } = await ada.query<{ answers: number[] }>(query);
    return [...new Set(rows.flatMap((row) => row.answers))];
  };
  for (let executed = 0; executed < 7; executed += 1) expect(await own()).toEqual([FIRST]);
  await ada.query('begin; savepoint before');
  await promote(2);
  for (let executed = 0; executed < 7; executed += 1) expect(await own()).toEqual([SECOND]);
  expect(await answers(ASK)).toEqual([FIRST]);
  await ada.query('rollback to before');
  for (let executed = 0; executed < 7; executed += 1) expect(await own()).toEqual([FIRST]);
  await promote(2);
  await promote(1);
  await promote(2);
  expect(await own()).toEqual([SECOND]);
  await ada.query('commit');
  for (let executed = 0; executed < 7; executed += 1) expect(await own()).toEqual([SECOND]);
  expect(await answers(ASK)).toEqual([SECOND]);
});

test('a promotion that is not committed holds up none of another model', async () => {
  await deployBytes(ada, 'other', weightedModel({ a: 'float32', b: 'float32' }));
  const carol = await database.client('ada');
  await carol.query('begin');
  await carol.query(`select pgscore.promote('sum@2')`);
  await ada.query(`set statement_timeout = '20s'`);
  await ada.query(`select pgscore.promote('other@1'), pgscore.set_alias('other@1', 'challenger')`);
  expect(await answers(ASK)).toEqual([FIRST]);
  await carol.query('commit');
  expect(await answers(ASK)).toEqual([SECOND]);
  await ada.query('reset statement_timeout');
});

test('two aliases that change places in one transaction never mean the same version', async () => {
  const place = async (champion: number): Promise<void> => {
    await ada.query('begin');
    await ada.query(`select pgscore.set_alias($1, 'challenger')`, [`sum@${3 - champion}`]);
    await promote(champion);
    await ada.query('commit');
  };
  const both = `select array[score('sum@champion', l), score('sum@challenger', l), pause(), score('sum@challenger', p), score('sum', l)] as answers ${FROM}`;
  await place(1);
  await superuser.query('select pg_advisory_lock(36)');
  const asked = alice.query<{ answers: number[] }>(both);
  await lockAwaited(superuser, 36);
  await place(2);
  await superuser.query('select pg_advisory_unlock(36)');
  expect((await asked).rows).toEqual([{ answers: [SECOND, FIRST, null, FIRST, SECOND] }]);
});

test('a check has the version of the row that it checks', async () => {
  await alice.query(`create table checked (s float8 constraint by_model check (s = score('sum', '{"a": 1, "b": 2}')))`);
  const insert = `insert into checked select score('sum', l) from loose l where pause() is null`;
  const inserted = whilePlanned(
    superuser,
    () => alice.query(insert),
    () => promote(2),
  );
  await expect(inserted).resolves.toMatchObject({ rowCount: 1 });
});
