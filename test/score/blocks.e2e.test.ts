import { beforeAll, expect, test } from '@jest/globals';

import { deployBytes, deployModel } from '../support/deploy.ts';
import { DataType, floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice, bob } = await scoreFixture();

const ROWS = 2500;
/** Where each row is a call of its own. */
const CALLS = 300;

/** The nearest of three numbers to x, and nothing of how sure that is. */
function labelModel(): Uint8Array {
  return onnxModel({
    inputs: [tensorValue('x', [null, 1])],
    outputs: [tensorValue('label', [null], DataType.INT64)],
    tensors: [floats('numbers', [1, 3], [0, 1, 2])],
    nodes: [
      node('Sub', ['x', 'numbers'], ['distance']),
      node('Abs', ['distance'], ['length']),
      node('ArgMin', ['length'], ['label'], { axis: 1, keepdims: 0 }),
    ],
  });
}

const TREE_COLUMNS = Array.from({ length: 20 }, (_, at) => `f${at}`);
const TREE_VALUES = TREE_COLUMNS.map(
  (_, at) => `(array[null, 'NaN', '-Infinity', '-0', sin(n * ${at + 1})::text])[(n + ${at}) % 5 + 1]::real as f${at}`,
);

/** Tables of rows, by the model that is asked about them. */
const TABLES = {
  trees: `select n, ${TREE_VALUES.join()}`,
  kinds:
    'select n, (n % 7 / 10.0 + 4)::real as sepal_length, (3.1 + n % 5)::double precision as sepal_width, (n % 60 / 10.0)::double precision as petal_length, n % 3 as petal_width',
  sum: `select n, n as a, 0.1 * n::double precision as b`,
  nearest: 'select n, (n % 30 / 10.0)::real as x',
};

beforeAll(async () => {
  await deployModel(ada, 'trees', 'bench/trees.onnx', { nulls: 'nan', native: false });
  await deployModel(ada, 'kinds', 'test/models/iris_multiclass.onnx');
  for (const model of ['sum', 'found']) await deployBytes(ada, model, weightedModel({ a: 'int32', b: 'float64' }));
  await deployBytes(ada, 'nearest', labelModel(), {
    task: 'multiclass',
    class_labels: ['0', '1', '2'],
    features: ['x'],
  });
  for (const [model, rows] of Object.entries(TABLES)) {
    const table = `create table ${model}_rows as ${rows} from generate_series(1, ${ROWS}) n`;
    await alice.query(table);
    const grant = `grant select on ${model}_rows to bob`;
    await alice.query(grant);
  }
  await alice.query('grant usage on schema alice to bob');
  for (const client of [alice, bob]) await client.query('set pgscore.execution = online');
});

type Asker = typeof alice;

/** Has all rows of a model's table scored under a request id, and what was said kept in a table `said`. */
async function scored(client: Asker, model: string, id: string, table = model): Promise<void> {
  await client.query("select set_config('pgscore.request_id', $1, false)", [id]);
  await client.query('drop table if exists pg_temp.said');
  const said = `create temp table said as select to_jsonb(s.features) - 'n' as inputs, s.score, s.label, s.probabilities, s.version
    from pgscore.score_rows('${model}', array(select r from alice.${table}_rows r order by n)) s`;
  await client.query(said);
  await client.query('reset pgscore.request_id');
  await waitFor(async () => (await keptOf(id)) === ROWS, { message: `what is kept of ${id}` });
}

async function keptOf(id: string): Promise<number> {
  const { rows } = await superuser.query<{ n: number }>(
    'select count(*)::int as n from pgscore.online_predictions where request_id = $1',
    [id],
  );
  return rows[0]?.n ?? 0;
}

async function blocksOf(id: string): Promise<number[]> {
  const { rows } = await superuser.query<{ n_predictions: number }>(
    'select n_predictions from pgscore_data.online_block where request_id = $1 order by prediction_id',
    [id],
  );
  return rows.map(({ n_predictions: n }) => n);
}

test.each(Object.keys(TABLES))('what was said of rows of numbers by %s is shown as it was said', async (model) => {
  const id = `all of ${model}`;
  await scored(alice, model, id);
  expect(await blocksOf(id)).toEqual([1000, 1000, 500]);
  const text = `with said as (select row_number() over () as n, s.* from said s),
      kept as (select row_number() over (order by p.prediction_id) as n, p.* from pgscore.online_predictions p where p.request_id = $1)
    select count(*)::int as rows,
           count(*) filter (where k.inputs is not distinct from s.inputs)::int as inputs,
           count(*) filter (where k.score is not distinct from s.score)::int as scores,
           count(*) filter (where k.label is not distinct from s.label)::int as labels,
           count(*) filter (where k.probabilities is not distinct from s.probabilities)::int as probabilities,
           count(*) filter (where k.model || '@' || k.version = s.version and k.requested_by = 'alice' and k.error is null and k.key is null
             and k.asked_at between now() - interval '1 minute' and now() and k.duration_ms > 0)::int as others
      from said s full join kept k using (n)`;
  expect((await alice.query(text, [id])).rows).toEqual([
    { rows: ROWS, inputs: ROWS, scores: ROWS, labels: ROWS, probabilities: ROWS, others: ROWS },
  ]);
});

test.each(['sum', 'nearest', 'kinds'])(
  'what was said of rows one by one by %s is shown as it was said, also where calls are kept together',
  async (model) => {
    const id = `each of ${model}`;
    await alice.query("select set_config('pgscore.request_id', $1, false)", [id]);
    await alice.query('drop table if exists told');
    const said = `create table told as select to_jsonb(r) - 'n' as inputs, pgscore.predict('${model}', r) as answer from alice.${model}_rows r where n <= ${CALLS}`;
    await alice.query(said);
    await alice.query('reset pgscore.request_id');
    await waitFor(async () => (await keptOf(id)) === CALLS, { message: `what is kept of ${id}` });
    const text = `with said as (select row_number() over (order by s.inputs, s.answer) as n, s.* from alice.told s),
        kept as (select row_number() over (order by p.inputs, p.answer) as n, p.* from (
          select p.*, jsonb_strip_nulls(jsonb_build_object('value', case when p.label is null then p.score end, 'label', p.label, 'version', p.model || '@' || p.version,
            'probabilities', case when p.probabilities is not null then (select jsonb_object_agg(l, x) from unnest((select array(select jsonb_array_elements_text(v.signature -> 'classLabels')) from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = p.model), p.probabilities) u (l, x)) end)) as answer
            from pgscore.online_predictions p where p.request_id = $1) p)
      select count(*)::int as rows, count(*) filter (where k.inputs = s.inputs)::int as inputs, count(*) filter (where k.answer = jsonb_strip_nulls(s.answer))::int as answers,
             count(distinct k.duration_ms) > 10 as "each took its time"
        from said s full join kept k using (n)`;
    expect((await superuser.query(text, [id])).rows).toEqual([
      { rows: CALLS, inputs: CALLS, answers: CALLS, 'each took its time': true },
    ]);
    const together = `select count(*) filter (where durations is not null and cardinality(durations) = n_predictions) > 0 as some, max(n_predictions) > 1 as several
      from pgscore_data.online_block where request_id = $1`;
    expect((await superuser.query(together, [id])).rows).toEqual([{ some: true, several: true }]);
  },
);

test('of a call that is kept without its inputs none are shown', async () => {
  await ada.query(`select pgscore.log_calls('sum', inputs => false)`);
  await scored(alice, 'sum', 'blind');
  await ada.query(`select pgscore.log_calls('sum', inputs => true)`);
  expect(await blocksOf('blind')).toHaveLength(3);
  const text = `select count(*) filter (where inputs is null)::int as without, count(score)::int as scores from pgscore.online_predictions where request_id = 'blind'`;
  expect((await alice.query(text)).rows).toEqual([{ without: ROWS, scores: ROWS }]);
});

test('a role sees her own blocks, a deployer all of them', async () => {
  await scored(bob, 'sum', 'of bob');
  const shown = `select count(*)::int as n from pgscore.online_predictions where request_id = 'of bob' and requested_by = 'bob'`;
  expect((await bob.query(shown)).rows).toEqual([{ n: ROWS }]);
  expect((await ada.query(shown)).rows).toEqual([{ n: ROWS }]);
  expect((await alice.query(shown)).rows).toEqual([{ n: 0 }]);
});

test('what each row is about is kept in the blocks, and all numbers of predictions are different', async () => {
  await ada.query(`select pgscore.log_calls('found', key => array['n'])`);
  await scored(alice, 'found', 'keyed', 'sum');
  await scored(alice, 'sum', 'not keyed');
  expect([await blocksOf('keyed'), await blocksOf('not keyed')]).toEqual([
    [1000, 1000, 500],
    [1000, 1000, 500],
  ]);
  const found = `select count(*)::int as n from pgscore.online_predictions p where p.request_id = 'keyed' and p.key = array[p.inputs ->> 'a']`;
  expect((await alice.query(found)).rows).toEqual([{ n: ROWS }]);
  const numbers = `select count(*) = count(distinct prediction_id) as different,
      max(prediction_id) filter (where request_id = 'keyed') < min(prediction_id) filter (where request_id = 'not keyed') as ascending
    from pgscore.online_predictions`;
  expect((await superuser.query(numbers)).rows).toEqual([{ different: true, ascending: true }]);
});

test('batches of blocks say between which numbers their predictions are, and how many there are', async () => {
  const text = `select count(*)::int as blocks, bool_and(exists (
      select from pgscore_data.online_batch o where o.version_id = b.version_id and b.prediction_id between o.first_id and o.last_id)) as within
    from pgscore_data.online_block b`;
  expect((await superuser.query(text)).rows).toEqual([{ blocks: expect.any(Number), within: true }]);
  const counted = `select v.version_id from pgscore_data.version v
     where (select coalesce(sum(o.n_predictions), 0) from pgscore_data.online_batch o where o.version_id = v.version_id)
       <> (select coalesce(sum(b.n_predictions), 0) from pgscore_data.online_block b where b.version_id = v.version_id)`;
  expect((await superuser.query(counted)).rows).toEqual([]);
});

test('conditions on what all predictions of a block have in common reach the blocks', async () => {
  await superuser.query('analyze pgscore_data.online_block');
  await superuser.query('set enable_seqscan = off');
  await superuser.query('set enable_bitmapscan = off');
  const explain = `explain (costs off) select * from pgscore.online_predictions where model = 'sum' and version = 1 and asked_at > now() - interval '1 hour' and requested_by = 'bob'`;
  const { rows } = await superuser.query<{ 'QUERY PLAN': string }>(explain);
  const plan = rows.map((row) => row['QUERY PLAN'].trim()).join('\n');
  expect(plan).toMatch(
    /online_block_of_version.*\nIndex Cond: \(\(version_id = \S+version_id\) AND \(asked_at > .*\nFilter: \(\(requested_by = 'bob'::name\)/,
  );
});
