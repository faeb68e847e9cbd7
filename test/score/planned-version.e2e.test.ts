import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, superuser, ada, alice } = await scoreFixture();

const [FIRST, SECOND] = [21, 12];

/** Whichever statement is planned waits where pause() stands in it, as long as this lock is held; to lock a table, PostgreSQL then hears of what others did. */
const PAUSE = `create function pause() returns float8 immutable language plpgsql as
  'begin perform pg_advisory_xact_lock_shared(36); return (select null from news); end'`;

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
/** Of functions that a promotion replaces. */
const BOUND = [
  'pgscore_models.sum(p)',
  `score('sum', p)`,
  `score('sum@champion', p)`,
  `score(n.model, p)`,
  `score((select model from names), p)`,
  'wrapped(p)',
  `(select x.s from lateral (select score('sum', p) as s) x)`,
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
  await alice.query(
    `create function wrapped(bound) returns float8 volatile language sql as 'select score(''sum'', $1)'`,
  );
  await alice.query('create table news ()');
  await alice.query(PAUSE);
  await alice.query(`create function same_row(loose) returns loose volatile language plpgsql as 'begin return $1; end'`);
  await alice.query(`create function same(text) returns text volatile language plpgsql as 'begin return $1; end'`);
});

const promote = (number: number): Promise<unknown> => ada.query('select pgscore.promote($1)', [`sum@${number}`]);

beforeEach(async () => {
  await promote(1);
});

/** Waits until somebody waits for the lock. */
const waitsFor = (lock: number): Promise<unknown> =>
  waitFor(async () => {
    const waiting = `select from pg_locks where locktype = 'advisory' and objid = ${lock} and not granted
        and database = (select oid from pg_database where datname = current_database())`;
    return (await superuser.query(waiting)).rows.length > 0;
  });

type Query = string | { readonly name: string; readonly text: string };

/** The different answers that one execution gave. */
async function answers(query: Query): Promise<number[]> {
  const { rows } = await alice.query<{ answers: number[] }>(query);
  return [...new Set(rows.flatMap((row) => row.answers))];
}

/** The same of one that is planned while another version is promoted. */
const answersWhilePromoted = (query: Query): Promise<number[]> => whilePromoted(() => answers(query));

async function whilePromoted<T>(ask: () => Promise<T>): Promise<T> {
  await superuser.query('select pg_advisory_lock(36)');
  const asked = ask();
  try {
    await waitsFor(36);
    await promote(2);
  } finally {
    await superuser.query('select pg_advisory_unlock(36)');
  }
  return asked;
}

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

const BOUND_ASK = `select array[${BOUND.join(', ')}] as answers ${FROM}`;
const BOUND_AROUND = `select array_remove(array[${[...BOUND, 'pause()', ...BOUND].join(', ')}], null) as answers ${FROM}`;

describe('calls for a bound table', () => {
  test('have the version that they were planned with, and the next statement has the new one', async () => {
    for (const version of await answersWhilePromoted(BOUND_AROUND)) expect([FIRST, SECOND]).toContain(version);
    expect(await answers(BOUND_AROUND)).toEqual([SECOND]);
  });

  test.each(['auto', 'force_generic_plan', 'force_custom_plan'])(
    'follow the champion where they are prepared, with the setting %s',
    async (mode) => {
      await alice.query(`select set_config('plan_cache_mode', $1, false)`, [mode]);
      const query = { name: `bound ${mode}`, text: BOUND_ASK };
      for (const version of [2, 1, 2, 1]) {
        for (let executed = 0; executed < 7; executed += 1)
          expect(await answers(query)).toEqual([version === 2 ? FIRST : SECOND]);
        await promote(version);
      }
      await alice.query('reset plan_cache_mode');
    },
  );

  test('follow the next promotion also where one was committed while they were planned, the typed function at once', async () => {
    const query = { name: 'bound around', text: BOUND_AROUND };
    const typed = { name: 'typed around', text: `select array[pgscore_models.sum(p), coalesce(pause(), ${SECOND})] as answers from bound p` };
    await alice.query(`set plan_cache_mode = force_generic_plan`);
    await answersWhilePromoted(query);
    await promote(1);
    for (let executed = 0; executed < 7; executed += 1) expect(await answers(query)).toEqual([FIRST]);
    await answersWhilePromoted(typed);
    for (let executed = 0; executed < 7; executed += 1) expect(await answers(typed)).toEqual([SECOND]);
    await alice.query('reset plan_cache_mode');
  });

  test('keep to their version while the statement is executed', async () => {
    const all = [...BOUND, ...MENTIONS].join(', ');
    const declare = `begin; declare kept cursor for select array[${all}] as answers ${FROM}, generate_series(1, 3)`;
    await alice.query(declare);
    expect(await answers('fetch 1 from kept')).toEqual([FIRST]);
    await promote(2);
    expect(await answers('fetch 2 from kept')).toEqual([FIRST]);
    await alice.query('commit');
  });

  test('follow from one statement to the next in a transaction that repeats its reads', async () => {
    await alice.query('begin isolation level repeatable read');
    await alice.query('select from loose');
    await promote(2);
    expect(await answers(BOUND_ASK)).toEqual([SECOND]);
    await alice.query('commit');
  });
});

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
  await waitsFor(37);
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
  await waitsFor(36);
  await place(2);
  await superuser.query('select pg_advisory_unlock(36)');
  expect((await asked).rows).toEqual([{ answers: [SECOND, FIRST, null, FIRST, SECOND] }]);
});

test('a check has the version of the row that it checks', async () => {
  await alice.query(
    `create table checked (s float8 constraint by_model check (s = score('sum', '{"a": 1, "b": 2}')))`,
  );
  const inserted = whilePromoted(() =>
    alice.query(`insert into checked select score('sum', l) from loose l where pause() is null`),
  );
  await expect(inserted).resolves.toMatchObject({ rowCount: 1 });
});
