import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { endOfRun, scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database, { PGSCORE_SCORERS: '2' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);
await deployBytes(ada, 'same', weightedModel({ a: 'float32' }));
await alice.query(`create type mood as enum ('sad', 'so, so', 'happy "wow"');
  create domain code as text check (value ~ '^[A-Z]'); create domain small_code as code check (length(value) < 5)`);

/** Types of a key, and values that their text or binary forms could get wrong. */
const KEYS: readonly (readonly [type: string, values: string])[] = [
  ['int2', `(-32768), (0), (32767)`],
  ['int4', `(-2147483648), (0), (2147483647)`],
  ['int8', `(-9223372036854775808), (9007199254740993), (9223372036854775807)`],
  ['numeric', `(0), (1.10), (-12345678901234567890.123456789), ('NaN'), ('Infinity'), (1e-100)`],
  ['numeric(10, 2)', `(1.5), (99999999.99)`],
  ['float8', `('-0'), (0.1), (1e-308), ('Infinity'), ('NaN')`],
  ['real', `(0.1), (3.4e38)`],
  ['text', `(''), (' '), ('a'), ('A'), ('Grün ☃ 😀'), (E'tab\\tline\\n'), ('\\N'), ('NULL'), (repeat('x', 2000))`],
  ['varchar(20)', `('a '), ('a')`],
  ['char(5)', `('a'), ('b    ')`],
  ['name', `('pg_class'), ('')`],
  ['uuid', `('00000000-0000-0000-0000-000000000000'), ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')`],
  ['timestamptz', `('2013-07-04 12:00:00.000001+02'), ('infinity'), ('4714-11-24 00:00:00+00 BC')`],
  ['timestamp', `('2013-07-04 12:00:00.000001'), ('-infinity')`],
  ['date', `('2013-07-04'), ('infinity'), ('0001-01-01 BC')`],
  ['time', `('00:00:00'), ('24:00:00')`],
  ['interval', `('1 mon'), ('1 day 00:00:00.000001'), ('-3 years')`],
  ['bytea', `(''), ('\\x00'), ('\\xff00ff')`],
  ['bool', `(true), (false)`],
  ['"char"', `('a'), ('')`],
  ['inet', `('10.0.0.1'), ('10.0.0.0/8'), ('::1')`],
  ['jsonb', `('{"a": 1}'), ('[]'), ('null')`],
  ['int4[]', `('{}'), ('{1,NULL,3}'), ('{{1,2},{3,4}}')`],
  ['int4range', `('[1,5)'), ('empty'), ('(,)')`],
  ['bit varying', `(B''), (B'101')`],
  ['money', `(1.5), (-1)`],
  ['oid', `(0), (4294967295)`],
  ['mood', `('sad'), ('so, so'), ('happy "wow"')`],
  ['mood[]', `('{sad,"so, so"}'), ('{}')`],
  ['code', `('Abc')`],
  ['small_code', `('Xy'), ('Z')`],
];

// What stores a key of a type of hers must be able to name it; a domain counts as its base type.
await alice.query('grant usage on schema alice to pgscore_owner, pgscore_service');

describe('a key comes out as it went in', () => {
  test.each(KEYS)('of type %s', async (type, values) => {
    await alice.query('drop table if exists keyed');
    const create = `create table keyed (k ${type} primary key, a real)`;
    const fill = `insert into keyed select v, row_number() over () from (values ${values}) as x (v)`;
    const fillCast = fill.replace('select v,', `select v::${type},`);
    await alice.query(create);
    await alice.query(fillCast);
    const target = `keyed_${KEYS.findIndex(([name]) => name === type)}`;
    const run = await scoreTable(alice, 'same', 'keyed', { target });
    expect(run).toMatchObject({ state: 'done', rows_failed: '0', error: null });
    // The bytes on the wire, not what = thinks of them: numeric 1.1 = 1.10.
    const compare = `select count(*)::int as rows, count(*) filter (where p.k is null or p.score <> s.a)::int as wrong
      from (select *, convert_to(k::text, 'UTF8') as bytes from keyed) s
      left join (select *, convert_to(k::text, 'UTF8') as bytes from ${target}) p using (bytes)`;
    const { rows } = await alice.query<{ rows: number; wrong: number }>(compare);
    expect(rows).toEqual([{ rows: Number(run.rows_done), wrong: 0 }]);
  });

  test('of two columns, in the order asked for', async () => {
    await alice.query(`create table pairs (n int, t text, a real, primary key (t, n));
      insert into pairs select n, t, n + length(t) from generate_series(1, 3) n, (values ('x'), ('yy')) as v (t)`);
    await scoreTable(alice, 'same', 'pairs');
    expect((await alice.query('select t, n, score from pairs_scores order by t, n')).rows).toEqual([
      { t: 'x', n: 1, score: 2 },
      { t: 'x', n: 2, score: 3 },
      { t: 'x', n: 3, score: 4 },
      { t: 'yy', n: 1, score: 3 },
      { t: 'yy', n: 2, score: 4 },
      { t: 'yy', n: 3, score: 5 },
    ]);
    const text = `select pgscore.score_table('same', 'pairs', key => array['n', 't'], target => 'pairs_by_n') as run`;
    const { rows } = await alice.query<{ run: string }>(text);
    expect(await endOfRun(alice, rows[0]?.run ?? '')).toMatchObject({ state: 'done', rows_done: '6' });
    const columns = await alice.query(
      `select attname from pg_attribute where attrelid = 'pairs_by_n'::regclass and attnum < 3 order by attnum`,
    );
    expect(columns.rows).toEqual([{ attname: 'n' }, { attname: 't' }]);
  });
});

describe('a key that does not identify rows fails the run, and what was published stays', () => {
  async function published(): Promise<unknown[]> {
    return (await alice.query('select id, score, run_id from faulty_scores order by id')).rows;
  }

  test.each([
    ['NULL', 'null_key', `(1, 1), (null, 2), (3, 3)`, /null value in column "id"/],
    [
      'twice the same',
      'duplicate_key',
      `(1, 1), (2, 2), (1, 3)`,
      /Key \(id\)=\(1\) is duplicated|Key \(id\)=\(1\) already exists/,
    ],
  ])('%s', async (_, code, values, reason) => {
    await alice.query(
      `drop table if exists faulty; create table faulty (id int, a real); insert into faulty values (1, 10), (2, 20)`,
    );
    const first = await scoreTable(alice, 'same', 'faulty', { key: 'id' });
    const before = await published();
    expect(before).toEqual([1, 2].map((id) => ({ id, score: id * 10, run_id: first.run })));
    const refill = `truncate faulty; insert into faulty values ${values}`;
    await alice.query(refill);
    const run = await scoreTable(alice, 'same', 'faulty', { key: 'id' });
    expect(run).toMatchObject({
      state: 'failed',
      error_code: code,
      error: expect.stringMatching(reason),
      published: null,
    });
    expect(run.error).toContain('"alice.faulty"');
    expect(run.remedy).toContain('key');
    expect(await published()).toEqual(before);
    const history = await alice.query('select distinct run_id from faulty_scores_history where run_id = $1', [run.run]);
    expect(history.rows).toEqual([]);
  });

  test.each([
    ['a small run', 'wordy', 1, 30],
    ['a run with storage of its own', 'many_words', 30_000, 30],
    ['a small run, and for a page', 'epic', 1, 1000],
  ])('too long for an index: %s', async (_, table, rows, hashes) => {
    const create = `create table ${table} as
      select case i when 1 then (select string_agg(sha512(n::text::bytea)::text, '') from generate_series(1, ${hashes}) n) else i::text end as id, i::real as a
        from generate_series(1, ${rows}) i`;
    await alice.query(create);
    expect(await scoreTable(alice, 'same', table, { key: 'id' })).toMatchObject({
      state: 'failed',
      error_code: 'key_too_long',
      error: expect.stringContaining(`a key of "alice.${table}" is too long`),
      remedy: 'Score a view whose key is shorter, such as a hash of it: md5(...).',
      published: null,
    });
  });

  test('twice the same, in a table that is scored in shards', async () => {
    await alice.query(`create table many (id int, a real, filler text);
      insert into many select i, i, repeat('x', 400) from generate_series(1, 10000) i; insert into many values (77, 0, '')`);
    const run = await scoreTable(alice, 'same', 'many', { key: 'id' });
    expect(run).toMatchObject({
      state: 'failed',
      error_code: 'duplicate_key',
      error: expect.stringContaining('(id)=(77)'),
    });
    expect((await alice.query('select * from many_scores')).rows).toEqual([]);
    expect((await alice.query('select * from many_scores_history')).rows).toEqual([]);
  });
});

describe('a key is refused at once', () => {
  test('where there is none', async () => {
    await alice.query('create table keyless (id int, a real)');
    expect(await refusal(alice, `select pgscore.score_table('same', 'keyless')`)).toMatchObject({
      code: '22023',
      message: 'source alice.keyless has no primary key',
      hint: expect.stringContaining(`key => 'id'`),
    });
  });

  test('where the column does not exist', async () => {
    const refused = await refusal(alice, `select pgscore.score_table('same', 'keyless', key => 'ID')`);
    expect(refused).toMatchObject({ code: '42703', message: 'key column "ID" does not exist in alice.keyless' });
  });

  test('where a column is named twice', async () => {
    const refused = await refusal(alice, `select pgscore.score_table('same', 'keyless', key => array['id', 'id'])`);
    expect(refused).toMatchObject({ code: '42701', hint: 'Name each column once.' });
  });

  test.each(['score', 'label', 'run_id', 'probability_x', 'generation', 'event_time'])(
    'where it is named %s, as a column of every prediction',
    async (name) => {
      const create = `drop table if exists named; create table named (${name} int primary key, a real)`;
      await alice.query(create);
      const refused = await refusal(alice, `select pgscore.score_table('same', 'named')`);
      expect(refused).toMatchObject({
        code: '42701',
        message: expect.stringContaining(`"${name}"`),
        hint: `Score a view that gives it another name: select ${name} as source_${name}, ... .`,
      });
    },
  );

  test('where its type goes with the session', async () => {
    await alice.query(`create type pg_temp.passing as enum ('x')`);
    const insert = `insert into pgscore._target_request (view_schema, view_name, task, key_columns, class_labels)
      values ('alice', 'passing', 'regression', '[{"name": "k", "sql_type": "pg_temp.passing"}]', '{}')`;
    expect(await refusal(alice, insert)).toMatchObject({ code: '42804', message: `key column 'k' cannot be stored` });
  });

  test('where its type is one that pgscore may not use', async () => {
    await alice.query(
      `revoke usage on schema alice from pgscore_service; create table moody (k mood primary key, a real)`,
    );
    const refused = await refusal(alice, `select pgscore.score_table('same', 'moody')`);
    expect(refused).toMatchObject({
      code: '42501',
      message: 'key column "k" is alice.mood, a type that pgscore may not use',
      hint: 'grant usage on schema alice to pgscore_owner, pgscore_service; or score a view that casts it: k::text.',
    });
  });

  test.each([
    ['json', 'json'],
    ['point', 'point'],
    ['xml', 'xml'],
    ['a composite type', 'pair'],
  ])('where its type has no order or runs code of its maker: %s', async (_, type) => {
    await alice.query(
      `drop table if exists named; do $$ begin create type pair as (x int, y int); exception when duplicate_object then null; end $$`,
    );
    const create = `create table named (k ${type}, a real)`;
    await alice.query(create);
    const refused = await refusal(alice, `select pgscore.score_table('same', 'named', key => 'k')`);
    expect(refused).toMatchObject({ code: '42804', hint: 'Score a view that casts it: k::text.' });
  });
});
