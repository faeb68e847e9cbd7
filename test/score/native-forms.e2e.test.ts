import { readFile } from 'node:fs/promises';
import { beforeAll, expect, test } from '@jest/globals';
import { migrate } from '../../src/install/migrate.ts';
import { ident } from '../../src/lib/text.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, superuser, ada, alice } = await scoreFixture();
const another = await database.client('alice');

const FEATURES = Array.from({ length: 20 }, (_, n) => `f${n}`);

beforeAll(async () => {
  await deployBytes(ada, 'kinds', weightedModel({ number: 'float32', whole: 'int64', yes: 'bool', tone: 'string' }));
  await deployBytes(ada, 'Sum', weightedModel({ a: 'float32', B: 'float64' }));
  await deployBytes(ada, 'logistic', await readFile(new URL('../../bench/logistic.onnx', import.meta.url)));
  await alice.query(`set pgscore.execution = native`);
  await superuser.query(`set track_functions = 'all'; set search_path = alice, public`);
});

/** The answer, and which forms of the compiled functions it came by. */
async function traced(text: string): Promise<{ value: unknown; forms: string[] }> {
  await superuser.query('begin');
  const { rows } = await superuser.query<{ value: unknown }>(text);
  const calls = await superuser.query<{ form: string }>(
    `select distinct substring(funcname from '_(row|json)$') as form from pg_stat_xact_user_functions where funcname ~ '^_v[0-9]+_(row|json)$' order by 1`,
  );
  await superuser.query('rollback');
  return { value: rows[0]?.value, forms: calls.rows.map(({ form }) => form) };
}

const run = (text: string) => alice.query(text);

const score = async (text: string) => (await alice.query<{ score: unknown }>(text)).rows[0]?.score;

test.each([
  ['real', 'integer', 'text'],
  ['double precision', 'bigint', 'varchar(9)'],
  ['numeric', 'smallint', 'text'],
])('a row with a number of type %s, a whole one of type %s and a %s is taken as it is', async (number, whole, text) => {
  await alice.query(`drop table if exists fitting`);
  await run(`create table fitting (tone ${text}, more text[], yes boolean, whole ${whole}, number ${number}, id int)`);
  await alice.query(`insert into fitting values ('green', '{x}', true, 3, 0.5, 1)`);
  expect(await traced(`select score('kinds', f) as value from fitting f`)).toEqual({ value: 2130.5, forms: ['row'] });
});

test.each([
  ['a boolean for a number', 'number', 'true', 2131],
  ['a number for a whole one', 'whole', '3::double precision', 2130.5],
  ['a text of its own', 'tone', `'green'::name`, 2130.5],
])('a row with %s is taken by way of jsonb', async (_, column, value, expected) => {
  const columns = { tone: `'green'::text`, yes: 'true', whole: '3', number: '0.5', [column]: value };
  const list = Object.entries(columns).map(([name, expression]) => `${expression} as ${name}`);
  await alice.query('drop table if exists unfitting');
  await run(`create table unfitting as select ${list.join(', ')}`);
  const traces = await traced(`select score('kinds', u) as value from unfitting u`);
  expect(traces).toEqual({ value: expected, forms: ['json', 'row'] });
});

test('a row of a subquery, one without values, one that is not there and one of names in another case are what they were', async () => {
  await alice.query('create table other_case as select 1::real as "A", 2::real as b');
  await alice.query('create table empty_row (a real, "B" double precision)');
  await alice.query('insert into empty_row values (null, null)');
  expect(await traced(`select score('Sum', o) as value from other_case o`)).toMatchObject({ value: 21 });
  expect(await traced(`select score('Sum', r) as value from (select 1 as a, 3 as "B") r`)).toMatchObject({ value: 31 });
  expect((await refusal(alice, `select score('Sum', e) from empty_row e`)).code).toBe('22004');
  const missing = `select score('Sum', e) as value from (values (1)) v (n) left join empty_row e on e.a = n`;
  expect(await traced(missing)).toMatchObject({ value: null });
  // Too much is computed in it for PostgreSQL to put the function in its place.
  const sums = Array.from({ length: 20 }, (_, n) => `g * ${n} as x${n}`).join(', ');
  const computed = `select score('Sum', r) as value from (select g + 1 as a, g + 2 as "B", ${sums} from generate_series(1, 2) g) r order by 1`;
  expect(await traced(computed)).toMatchObject({ value: 32 });
});

test('a session that has scored a table goes on where another changes the table', async () => {
  await alice.query('create table changing (a real, "B" double precision, spare int)');
  await alice.query('insert into changing values (1, 2, 3)');
  const call = `select score('Sum', c) from changing c`;
  await run(`prepare kept as ${call}`);
  const both = async () => [await score(call), await score('execute kept')];
  expect(await both()).toEqual([21, 21]);
  await another.query('alter table changing alter a type double precision');
  expect(await both()).toEqual([21, 21]);
  await another.query('alter table changing alter "B" type numeric, drop spare, add later text');
  expect(await both()).toEqual([21, 21]);
  await another.query('alter table changing rename a to z; alter table changing add a int default 5');
  expect(await both()).toEqual([25, 25]);
  await another.query(`alter table changing alter "B" type text using '7'`);
  const mistyped = { code: '42804', message: 'column "B" of the row is text, and feature "B" is float64' };
  expect(await refusal(alice, call)).toMatchObject(mistyped);
  expect(await refusal(alice, 'execute kept')).toMatchObject(mistyped);
  await another.query('alter table changing drop "B"');
  const missing = { code: '42703', message: 'the row has no column "B", which the model needs' };
  expect(await refusal(alice, call)).toMatchObject(missing);
  expect(await refusal(alice, 'execute kept')).toMatchObject(missing);
  await another.query('alter table changing add "B" real default 2');
  expect(await both()).toEqual([25, 25]);
});

test('what is no row is refused as before', async () => {
  const refused = { code: '42804', message: expect.stringMatching(/^the model takes a row, not /) };
  for (const value of ['5', 'true', `'5'::text`, `now()`, `'{1,2}'::int[]`, `'1 day'::interval`, `'[1]'::jsonb`])
    expect(await refusal(alice, `select score('Sum', ${value})`)).toMatchObject(refused);
});

test('jsonb whose values are of other types or missing is refused with the name of the feature', async () => {
  const of = (row: object) => refusal(alice, `select score('kinds', $1::jsonb)`, [JSON.stringify(row)]);
  const row = { number: 0.5, whole: 3, yes: true, tone: 'green' };
  expect(await score(`select score('kinds', '${JSON.stringify(row)}'::jsonb)`)).toBe(2130.5);
  expect(await score(`select score('kinds', '${JSON.stringify({ ...row, number: true })}'::jsonb)`)).toBe(2131);
  expect(await of({ ...row, number: '0.5' })).toMatchObject({ message: 'feature number is "0.5", not a number' });
  expect(await of({ ...row, number: [0.5] })).toMatchObject({ message: 'feature number is [0.5], not a number' });
  expect(await of({ ...row, number: null })).toMatchObject({ code: '22004' });
  expect(await of({ ...row, whole: 3.5 })).toMatchObject({ message: 'feature whole is 3.5, not a whole number' });
  expect(await of({ ...row, yes: 1 })).toMatchObject({ message: 'feature yes is 1, not a boolean' });
  expect(await of({ ...row, tone: 1 })).toMatchObject({ message: 'feature tone is 1, not a text' });
  expect(await of({ ...row, tone: undefined })).toMatchObject({ code: '42703' });
});

test('names of features that are hard to quote, or longer than a column may be, are taken out of rows and jsonb', async () => {
  const odd = `it's "odd" \\ é $1`;
  const long = 'n'.repeat(70);
  await deployBytes(ada, 'odd', weightedModel({ [odd]: 'float32', b: 'int32' }));
  await deployBytes(ada, 'long', weightedModel({ [long]: 'float32', b: 'int32' }));
  const call = 'select score($1, $2::jsonb) as score';
  const scores = async (model: string, row: object) =>
    (await alice.query<{ score: number }>(call, [model, JSON.stringify(row)])).rows[0]?.score;
  expect(await scores('odd', { [odd]: 3, b: 2 })).toBe(23);
  expect(await scores('long', { [long]: 3, b: 2 })).toBe(23);
  const table = `create table odd_columns as select 5::real as ${alice.escapeIdentifier(odd)}, 1::int as b`;
  await alice.query(table);
  expect(await traced(`select score('odd', o) as value from odd_columns o`)).toMatchObject({ value: 15 });
});

test('a bound table of real columns has its score without casts, and the same as of double precision', async () => {
  await superuser.query('grant usage on schema alice to pgscore_owner');
  for (const type of ['real', 'double precision']) {
    const table = ident(`all ${type}`);
    const columns = FEATURES.map((name, n) => `sin(i * ${n + 1})::real::${type} as ${name}`).join(', ');
    await run(`create table ${table} as select i as id, ${columns} from generate_series(1, 1000) i`);
    await run(`select pgscore.bind('logistic', '${table}')`);
  }
  const { rows } = await alice.query(
    `select count(*)::int as same from "all real" r join "all double precision" d using (id) where pgscore_models.logistic(r) = pgscore_models.logistic(d)`,
  );
  expect(rows).toEqual([{ same: 1000 }]);
  const text = `explain (verbose, costs off) select pgscore_models.logistic(r) from "all real" r`;
  const { rows: lines } = await alice.query<{ 'QUERY PLAN': string }>(text);
  expect(lines.map((line) => line['QUERY PLAN']).join('\n')).not.toMatch(/\(r?\.?f0\)::double precision \*/);
});

test('a bound table of real columns goes on where one gets another type', async () => {
  const of = async (id: number) =>
    Number(await score(`select pgscore_models.logistic(r) as score from "all real" r where id = ${id}`));
  const before = await of(7);
  await alice.query(
    'alter table "all real" alter f0 type double precision, alter f1 type numeric, alter f2 type integer using 0',
  );
  const { rows } = await run(
    `select pgscore_models.logistic_v1(${FEATURES.join(', ')}) as score from "all real" where id = 7`,
  );
  expect(await of(7)).toBe(rows[0]?.score);
  expect(await of(7)).not.toBe(before);
});

test('with a bound table in the database, rows of every other kind go their own ways', async () => {
  const list = FEATURES.map((name) => `0.5::real as ${name}`).join(', ');
  await run(`create table loose as select ${list}`);
  await alice.query('create view loosely as select * from loose');
  await alice.query(`create table child () inherits (loose); insert into child select * from loose`);
  const expected = await score(`select pgscore_models.logistic_v1(${FEATURES.map(() => '0.5').join(', ')}) as score`);
  for (const from of [
    'loose t',
    'only loose t',
    'child t',
    'loosely t',
    `(select ${list}) t`,
    `(select * from loose offset 0) t`,
    '(select to_jsonb(l) from loose l limit 1) x (t)',
    '(select l from loose l limit 1) x (t)',
    '(select to_jsonb(l)::text from loose l limit 1) x (t)',
  ]) {
    expect({ from, score: await score(`select score('logistic', t) as score from ${from} limit 1`) }).toEqual({
      from,
      score: expect.closeTo(Number(expected), 6),
    });
  }
  expect(await score(`select score('logistic', r) as score from "all real" r where id = 7`)).toBe(
    await score(`select pgscore_models.logistic(r) as score from "all real" r where id = 7`),
  );
  const refused = { code: '42804', message: expect.stringMatching(/^the model takes a row, not /) };
  for (const value of ['5', 'true', `'5'::text`, `now()`, `'{1,2}'::int[]`, `'1 day'::interval`])
    expect(await refusal(alice, `select score('logistic', ${value})`)).toMatchObject(refused);
});

test('a bound row that needs a look at each feature gets what its features one by one get', async () => {
  const list = FEATURES.join(', ');
  const zeros = FEATURES.map((name) => `${name} double precision default 0`).join(', ');
  await run(`create table extremes (id int, ${zeros})`);
  await alice.query(
    `insert into extremes (id, f4, f7) values (1, 0, 0), (2, 1e6, 1e6), (3, -1e30, 0), (4, 3e38, -3e38), (5, 1e-310, 0), (6, '-Infinity', 0)`,
  );
  await alice.query(`select pgscore.bind('logistic', 'extremes')`);
  const { rows } = await run(
    `select id, pgscore_models.logistic(e) = pgscore_models.logistic_v1(${list}) as same from extremes e order by id`,
  );
  expect(rows).toEqual([1, 2, 3, 4, 5, 6].map((id) => ({ id, same: true })));
  const joined = `select pgscore_models.logistic(e) as score from (values (9)) v (id) left join extremes e using (id)`;
  expect(await score(joined)).toBeNull();
  for (const [value, code] of [
    ['null', '22004'],
    [`'NaN'`, '22004'],
    ['1e39', '22003'],
  ]) {
    await run(`insert into extremes (id, f7) values (7, ${value})`);
    expect(await refusal(alice, 'select pgscore_models.logistic(e) from extremes e where id = 7')).toEqual(
      await refusal(alice, `select pgscore_models.logistic_v1(${list}) from extremes e where id = 7`),
    );
    expect(await refusal(alice, `select score('logistic', e) from extremes e where id = 7`)).toMatchObject({ code });
    await alice.query('delete from extremes where id = 7');
  }
});

test('a query over a bound logistic model holds the checks of its features nowhere', async () => {
  const text = `explain (verbose) select score('logistic', e) from extremes e`;
  const { rows } = await alice.query<{ 'QUERY PLAN': string }>(text);
  const plan = rows.map((line) => line['QUERY PLAN']).join('\n');
  expect(plan).toMatch(/COALESCE\(.*_checked\(/);
  expect(plan).not.toContain('_null_feature');
});

test('two versions that become ready at once are both written into score()', async () => {
  const [one, other] = [await database.client(), await database.client()];
  const renew = 'select pgscore_data._renew_score_calls()';
  const pid = (await other.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid;
  await one.query('begin');
  await one.query(renew);
  const second = other.query(renew);
  const waits = 'select wait_event_type as kind from pg_stat_activity where pid = $1';
  await waitFor(async () => (await one.query<{ kind: string }>(waits, [pid])).rows[0]?.kind === 'Lock', {
    timeout: 10_000,
    message: 'nobody waits',
  });
  await one.query('commit');
  await second;
  expect(await score(`select score('Sum', r) from changing r`)).toBe(25);
});

test('versions that were deployed before the forms get them by the next migrate', async () => {
  const forms = `select p.oid::regprocedure::text as form, prosrc from pg_proc p where p.pronamespace = 'pgscore_models'::regnamespace and (proname ~ '^_v[0-9]+_(row|json|real|quick|checked)$' or proname in ('_score', '_score_row', 'logistic_v1')) order by 1`;
  await alice.query(`select pgscore.bind('logistic', '"all real"')`);
  const before = (await superuser.query(forms)).rows;
  const drops = await superuser.query<{ line: string }>(
    `select format('drop function %s', p.oid::regprocedure) as line from pg_proc p where p.pronamespace = 'pgscore_models'::regnamespace and proname ~ '^_v[0-9]+_(row|real)$'
     union all select format('drop type pgscore_models.%I', typname) from pg_type where typnamespace = 'pgscore_models'::regnamespace and typname ~ '^_v[0-9]+_numbers$'`,
  );
  for (const { line } of drops.rows) await superuser.query(line);
  await migrate({ url: database.url() });
  expect((await superuser.query(forms)).rows).toEqual(before);
  await another.query('alter table changing alter "B" type double precision');
  expect(await traced(`select score('Sum', r) as value from changing r`)).toEqual({ value: 25, forms: ['row'] });
});

test('a version that is dropped leaves nothing behind', async () => {
  await ada.query(`select pgscore.drop_model('Sum')`);
  const left = await superuser.query(
    `select typname from pg_type t where typnamespace = 'pgscore_models'::regnamespace and typname ~ '^_v[0-9]+_numbers$' and not exists (select from pgscore_data.execution e where typname = '_v' || e.version_id || '_numbers')`,
  );
  expect(left.rows).toEqual([]);
});

test('a hundred versions are found by halving', async () => {
  const { rows } = await superuser.query<{ calls: string }>(
    `select pgscore_data._score_calls(array(select generate_series(1, 100)), array(select generate_series(1, 50)), 'json(features)', 'true', '{true}', '{features::text}') as calls`,
  );
  const calls = rows[0]?.calls ?? '';
  expect(calls.match(/_v\d+_online_score\(features::text\)/g)).toHaveLength(100);
  expect(calls.match(/_v\d+_json\(features\)/g)).toHaveLength(50);
  expect(calls).toContain('if version_id operator(pg_catalog.<) 51 then');
});
