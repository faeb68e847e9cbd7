import { beforeAll, describe, expect, test } from '@jest/globals';

import { deployBytes, deployModel } from '../support/deploy.ts';
import { node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice } = await scoreFixture();

const FEATURES = { Small: 'float32', whole: 'int32', big: 'int64', single: 'float32', exact: 'float64' } as const;

/** Rows enough to be sent as numbers, of what their types can hold. */
const FILL = `insert into given
  select n, (n * 37 % 60000 - 30000)::int2, n * 40009, n * 30000000000001, (array['-0', '1e-45', '0.1', '-3.4e38'])[n % 4 + 1]::real,
         (array['1e300', '5e-324', '0.1', '123456789.123456789', '-0'])[n % 5 + 1]::double precision
    from generate_series(1, 250) n`;
const TREE_COLUMNS = Array.from({ length: 20 }, (_, n) => `f${n}`);
const LEAVES = `create table leaves (id int primary key, ${TREE_COLUMNS.map((name) => `${name} real`).join(', ')})`;
/** And of what has no number in JSON. */
const FILL_LEAVES = `insert into leaves select n, ${TREE_COLUMNS.map((_, at) => `(array[null, 'NaN', 'Infinity', '-Infinity', sin(n * ${at + 1})::text])[(n + ${at}) % 5 + 1]::real`).join(', ')}
    from generate_series(1, 250) n`;

beforeAll(async () => {
  await deployBytes(ada, 'mix', weightedModel(FEATURES));
  await deployModel(ada, 'trees', 'bench/trees.onnx', { nulls: 'nan', native: false });
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'logged', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'double', weightedModel({ a: 'float64' }));
  await deployBytes(ada, 'tone', weightedModel({ a: 'float32', tone: 'string' }));
  await alice.query(
    'create table given (id bigint primary key, small smallint, whole int, big bigint, gone text, single real, exact double precision)',
  );
  await alice.query('alter table given drop column gone');
  await alice.query(FILL);
  await alice.query(LEAVES);
  await alice.query(FILL_LEAVES);
  await alice.query('create table pairs (id uuid primary key default gen_random_uuid(), b double precision, a real)');
  await alice.query('insert into pairs (a, b) select n * 0.1, n from generate_series(1, 200) n');
  await alice.query('set pgscore.execution = online');
});

async function writer(model: string, type: string): Promise<string | null> {
  const { rows } = await superuser.query<{ writer: string | null }>(
    `select pgscore_models._rows_writer((pgscore._find_version($1)).version_id, $2::regtype) as writer`,
    [model, type],
  );
  return rows[0]?.writer ?? null;
}

test.each([
  ['mix', 'given', 'r.small, r.whole, r.big, r.single, r.exact]::double'],
  ['trees', 'leaves', 'r.f18, r.f19]::real'],
])('rows of numbers have the scores that the same rows have as JSON: by %s, of %s', async (model, table, written) => {
  expect(await writer(model, `alice.${table}`)).toContain(written);
  const scores = (element: string): string =>
    `select row_number() over () as n, s.score from pgscore.score_rows('${model}', array(select ${element} from ${table} g order by id)) s`;
  const compare = `select count(*)::int as rows, count(*) filter (where numbers.score is not distinct from json.score)::int as same
    from (${scores('g')}) numbers join (${scores('to_jsonb(g)')}) json using (n)`;
  const { rows } = await alice.query(compare);
  expect(rows).toEqual([{ rows: 250, same: 250 }]);
});

test.each([
  ['a NULL', 'b = null', '22004', 'b is NULL'],
  ['NaN', `b = 'NaN'`, '22004', 'b is NaN'],
  ['a number past float32', 'b = 1e300', '22003', 'b is a number that float32 can not hold'],
])('a row with %s is refused as it is as JSON', async (_, change, code, message) => {
  await alice.query('begin');
  await alice.query(`create temp table bad on commit drop as select a, b from pairs order by b`);
  const spoil = `update bad set ${change} where b = 150`;
  await alice.query(spoil);
  const ask = (element: string): string =>
    `select count(s.score) from pgscore.score_rows('sum', array(select ${element} from bad r)) s`;
  await alice.query('savepoint asked');
  const numbers = await refusal(alice, ask('r'));
  await alice.query('rollback to asked');
  const json = await refusal(alice, ask('to_jsonb(r)'));
  await alice.query('rollback');
  expect(numbers).toMatchObject({ code, message, detail: expect.stringMatching(/^Row \d+ of 200\.$/) });
  expect({ ...numbers, where: '' }).toEqual({ ...json, where: '' });
});

describe('rows go as JSON', () => {
  beforeAll(async () => {
    await alice.query('create domain ratio as real');
    await alice.query('create table odd (a real, "A" real, b numeric, c ratio, tone text)');
    await alice.query('create table half (a real)');
  });

  test.each([
    ['where a real would be read as a double precision', 'double', 'alice.pairs'],
    ['where a feature is a text', 'tone', 'alice.odd'],
    ['where a column is numeric', 'sum', 'alice.odd'],
    ['where they lack a feature', 'sum', 'alice.given'],
    ['where they lack one of several features', 'sum', 'alice.half'],
    ['where they are JSON', 'sum', 'jsonb'],
    ['where they have no type of their own', 'sum', 'record'],
  ])('%s', async (_, model, type) => {
    expect(await writer(model, type)).toBeNull();
  });

  test('where labels find them by a column that JSON writes in its own way', async () => {
    await alice.query('create table timed (at timestamptz, a real, b real)');
    expect(await writer('sum', 'alice.timed')).not.toBeNull();
    await ada.query(`select pgscore.log_calls('sum', key => array['at'])`);
    expect(await writer('sum', 'alice.timed')).toBeNull();
    await ada.query(`select pgscore.log_calls('sum', key => array['id'])`);
    expect(await writer('sum', 'alice.timed')).not.toBeNull();
    await ada.query(`select pgscore.log_calls('sum', event_time => 'at')`);
    expect(await writer('sum', 'alice.timed')).toContain('array_agg(r.at)');
    await ada.query(`select pgscore.log_calls('sum', event_time => '')`);
  });
});

test('rows of numbers are kept with the features that were given and with what labels find them by', async () => {
  await ada.query(`select pgscore.log_calls('logged', key => array['id'])`);
  await alice.query(`set pgscore.request_id = 'numbers'`);
  await alice.query(`select count(s.score) from pgscore.score_rows('logged', array(select p from pairs p)) s`);
  await alice.query('reset pgscore.request_id');
  const text = `select count(*)::int as kept, count(*) filter (where p.inputs = jsonb_build_object('a', r.a, 'b', r.b) and p.score = r.a + 10 * r.b)::int as right
    from pgscore.online_predictions p left join pairs r on p.key = array[r.id::text] where p.request_id = 'numbers'`;
  await waitFor(async () => (await alice.query<{ kept: number }>(text)).rows[0]?.kept === 200, { message: 'the log' });
  expect((await alice.query(text)).rows).toEqual([{ kept: 200, right: 200 }]);
});

test('rows of numbers are kept as the same rows are that are sent as JSON', async () => {
  await alice.query(
    'create table amounts (small real, whole int, big bigint, single double precision, exact double precision)',
  );
  const fill = `insert into amounts select n / 7.0::real, 1073741824 + n, 2 ^ 50 + n, 1234567.25 + n, n * 0.1::real from generate_series(1, 100) n`;
  await alice.query(fill);
  for (const table of ['given', 'amounts']) {
    const scored = async (id: string, element: string): Promise<void> => {
      await alice.query("select set_config('pgscore.request_id', $1, false)", [`${id} ${table}`]);
      const text = `select count(s.score) from pgscore.score_rows('mix', array(select ${element} from ${table} g)) s`;
      await alice.query(text);
    };
    await scored('numbers', 'g');
    await scored('JSON', 'to_jsonb(g)');
  }
  await alice.query('reset pgscore.request_id');
  const kept = `select count(*)::int as kept from pgscore.online_predictions where request_id ~ '^(numbers|JSON) '`;
  await waitFor(async () => (await alice.query<{ kept: number }>(kept)).rows[0]?.kept === 700, { message: 'the log' });
  const of = (id: string): string =>
    `select split_part(request_id, ' ', 2), inputs from pgscore.online_predictions where request_id like '${id} %'`;
  const strangers = `${of('numbers')} except ${of('JSON')}`;
  expect((await alice.query(strangers)).rows).toEqual([]);
});

test('rows of very many numbers fit into messages that the service takes, as their JSON does', async () => {
  const names = Array.from({ length: 1100 }, (_, n) => `f${n}`);
  const inputs = [tensorValue('x', [null, names.length])];
  const mean = node('ReduceMean', ['x'], ['y'], { axes: [1], keepdims: 1 });
  const model = onnxModel({ inputs, outputs: [tensorValue('y', [null, 1])], tensors: [], nodes: [mean] });
  await deployBytes(ada, 'wide', model, { features: names });
  const table = `create type wide as (${names.map((name) => `${name} int`).join()})`;
  await alice.query(table);
  const rows = `array(select row(${names.map(() => 'n % 2').join()})::wide from generate_series(1, 1000) n)`;
  const ask = `select count(s.score)::int as scored from pgscore.score_rows('wide', ${rows}) s`;
  expect((await alice.query(ask)).rows).toEqual([{ scored: 1000 }]);
});
