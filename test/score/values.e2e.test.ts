import { describe, expect, test } from '@jest/globals';
import { score } from '../../src/client/score.ts';
import { deployModel } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { endOfRun } from '../support/run.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { columnsOf, loadValueRows } from '../support/value-models.ts';
import { waitFor } from '../support/wait-for.ts';

const { ada, alice, superuser } = await scoreFixture({ PGSCORE_POLL: '0.4' });
const TARGETS = ['air_time', 'arr_delay'];
const LABELS = ['departed_late', 'arrived_late', 'long flight'];

async function scoreTable(model: string, target: string, more = ''): Promise<void> {
  const text = `select pgscore.score_table('${model}', '${model}', target => '${target}'${more}) as run`;
  const run = (await alice.query<{ run: string }>(text)).rows[0]?.run ?? '';
  expect(await endOfRun(alice, run)).toMatchObject({ state: 'done', error: null });
}

async function value(text: string): Promise<unknown> {
  return Object.values((await alice.query<Record<string, unknown>>(text)).rows[0] ?? {})[0];
}

const SHARED = [
  'error_code text',
  'model_version text',
  'run_id bigint',
  'event_time timestamp with time zone',
  'scored_at timestamp with time zone',
];

await deployModel(ada, 'trees_targets', 'test/models/values/trees_targets.onnx', { targets: TARGETS });
await deployModel(ada, 'one_vs_rest', 'test/models/values/one_vs_rest.onnx', { class_labels: LABELS });
await deployModel(ada, 'boosted_quantiles', 'test/models/values/boosted_quantiles.onnx', {
  task: 'quantiles',
  targets: ['0.1', '0.5', '0.9'],
});
await superuser.query(
  `select pgscore.grant_model(m, 'alice') from unnest(array['trees_targets', 'one_vs_rest', 'boosted_quantiles']) m`,
);
for (const name of ['trees_targets', 'one_vs_rest', 'boosted_quantiles']) await loadValueRows(alice, name);

test('pgscore.models says what such a model gives', async () => {
  const { rows } = await alice.query('select model, task, outputs, execution from pgscore.models order by model');
  expect(rows).toEqual([
    {
      model: 'boosted_quantiles',
      task: 'quantiles',
      outputs: 'value, quantiles q0_1, q0_5, q0_9',
      execution: 'batch, online',
    },
    {
      model: 'one_vs_rest',
      task: 'multilabel',
      outputs: 'label and probability of each: departed_late, arrived_late, long flight',
      execution: 'batch, online',
    },
    { model: 'trees_targets', task: 'multi_target', outputs: 'values air_time, arr_delay', execution: 'batch, online' },
  ]);
});

describe('several targets', () => {
  const row = 'from trees_targets t where flight_id = (select min(flight_id) from trees_targets)';

  test('are columns of the views, as the framework computes them', async () => {
    await scoreTable('trees_targets', 'times');
    const own = ['flight_id integer', 'air_time double precision', 'arr_delay double precision'];
    expect(await columnsOf(alice, 'times')).toEqual([...own, ...SHARED]);
    expect(await columnsOf(alice, 'times_history')).toEqual([...own, ...SHARED]);
    expect(await value(`select col_description('times'::regclass, 2)`)).toBe('The predicted value of air_time.');
    const { rows } = await alice.query(
      `select count(*)::int as rows, max(abs(p.air_time - t.expected_air_time)) < 1e-3 as air_time, max(abs(p.arr_delay - t.expected_arr_delay)) < 1e-3 as arr_delay
         from times p join trees_targets t using (flight_id)`,
    );
    expect(rows).toEqual([{ rows: 100, air_time: true, arr_delay: true }]);
  });

  test('score() gives the one that is named, and predict() all of them', async () => {
    expect(
      await value(`select abs(score('trees_targets', t, class => 'arr_delay') - t.expected_arr_delay) < 1e-3 ${row}`),
    ).toBe(true);
    expect(
      await value(
        `select abs((pgscore.predict('trees_targets', t) -> 'values' ->> 'air_time')::real - t.expected_air_time) < 1e-3 ${row}`,
      ),
    ).toBe(true);
    expect(await value(`select array(select jsonb_object_keys(pgscore.predict('trees_targets', t))) ${row}`)).toEqual([
      'values',
      'version',
    ]);
    expect(await refusal(alice, `select score('trees_targets', t) ${row}`)).toMatchObject({
      message: 'model "trees_targets" has 2 values: score() needs to know which one',
      detail: 'Its values are air_time, arr_delay.',
      hint: `score('trees_targets', row, class => 'air_time'), or pgscore.predict('trees_targets', row) for all of them.`,
    });
    expect(await refusal(alice, `select score('trees_targets', t, class => 'delay') ${row}`)).toMatchObject({
      message: 'model "trees_targets" has no value "delay"',
      hint: 'Its values are air_time, arr_delay.',
    });
    expect((await refusal(alice, `select pgscore.classify('trees_targets', t) ${row}`)).hint).toBe(
      `pgscore.predict('trees_targets', row) gives all of them.`,
    );
  });

  test('score_or_null() and why_not() take them', async () => {
    await alice.query(
      'create table gaps as select * from trees_targets order by flight_id limit 2; update gaps set temp = null where flight_id = (select min(flight_id) from gaps)',
    );
    const { rows } = await alice.query(
      `select pgscore.score_or_null('trees_targets', g, class => 'air_time') is null as is_null, pgscore.why_not('trees_targets', g) as why from gaps g order by flight_id`,
    );
    expect(rows).toEqual([
      { is_null: true, why: expect.stringContaining('temp') },
      { is_null: false, why: null },
    ]);
  });

  test('score_rows() gives them for many rows, and each call is kept', async () => {
    const { rows } = await alice.query(
      `select count(*)::int as rows, count(s.score)::int as scores, count(s.probabilities)::int as shares,
              max(abs((s.outputs -> 'values' ->> 'arr_delay')::float8 - (s.features).expected_arr_delay)) < 1e-3 as alike
         from pgscore.score_rows('trees_targets', array(select t from trees_targets t)) s`,
    );
    expect(rows).toEqual([{ rows: 100, scores: 0, shares: 0, alike: true }]);
    const kept = `select count(*)::int from pgscore.online_predictions p join trees_targets t on abs((p.outputs -> 'values' ->> 'air_time')::real - t.expected_air_time) < 1e-3
                   and (p.inputs ->> 'distance')::real = t.distance and (p.inputs ->> 'temp')::real = t.temp and (p.inputs ->> 'visib')::real = t.visib where p.model = 'trees_targets' and p.score is null and p.probabilities is null`;
    await waitFor(async () => Number(await value(kept)) >= 100, { message: 'the calls to be kept' });
  });

  test('the Node client gives them by name', async () => {
    const { rows } = await alice.query(
      'select distance, scheduled_minutes, departure_hour, temp, wind_speed, visib from trees_targets limit 2',
    );
    const [first] = await score(alice, 'trees_targets', rows);
    expect(first).toMatchObject({
      score: null,
      label: null,
      labels: null,
      embedding: null,
      values: { air_time: expect.any(Number), arr_delay: expect.any(Number) },
    });
  });

  test('a bound table has a function that gives all of them', async () => {
    await superuser.query('grant usage on schema alice to pgscore_owner');
    await alice.query(`select pgscore.bind('trees_targets', 'trees_targets')`);
    expect(
      await value(
        `select abs((pgscore_models.trees_targets(t) -> 'values' ->> 'air_time')::real - t.expected_air_time) < 1e-3 ${row}`,
      ),
    ).toBe(true);
  });

  test('a watch and a run over changed rows follow them', async () => {
    await alice.query(`select pgscore.watch('trees_targets', 'trees_targets', target => 'followed')`);
    const count = (condition: string): Promise<unknown> =>
      value(`select count(*)::int from followed where ${condition}`);
    await waitFor(async () => (await count('air_time > 0')) === 100, { message: 'the watch to have scored all' });
    const before = await value(`select air_time from followed order by flight_id limit 1`);
    await alice.query(
      'update trees_targets set distance = 4000, scheduled_minutes = 500 where flight_id = (select min(flight_id) from trees_targets)',
    );
    await waitFor(async () => (await value(`select air_time from followed order by flight_id limit 1`)) !== before, {
      message: 'the change to be followed',
    });
    await scoreTable('trees_targets', 'changed', ', only_changed => true');
    await alice.query(
      'update trees_targets set distance = 3000 where flight_id = (select min(flight_id) from trees_targets)',
    );
    await scoreTable('trees_targets', 'changed', ', only_changed => true');
    expect(await value('select count(*)::int from changed where arr_delay is not null')).toBe(100);
  });

  test('a key with the name of a target is refused', async () => {
    await alice.query(
      'create table clash as select air_time_key as air_time, distance, scheduled_minutes, departure_hour, temp, wind_speed, visib from (select *, flight_id as air_time_key from trees_targets) t',
    );
    await alice.query('alter table clash add primary key (air_time)');
    expect(
      await refusal(alice, `select pgscore.score_table('trees_targets', 'clash', target => 'clashed')`),
    ).toMatchObject({
      code: '42701',
      hint: expect.stringContaining('targets =>'),
    });
  });

  test('one column of labels is refused, and its volume is counted', async () => {
    await alice.query('create table landed (flight_id int primary key, minutes real)');
    const text = `select pgscore.set_labels('trees_targets', 'landed', label => 'minutes')`;
    expect(await refusal(alice, text)).toMatchObject({
      code: '22023',
      hint: expect.stringContaining('air_time, arr_delay'),
    });
    const counted = `select coalesce(sum(n_predictions), 0)::int from pgscore_bi.current_model_health where model_name = 'trees_targets'`;
    await waitFor(async () => Number((await superuser.query(counted)).rows[0].coalesce) >= 100, {
      message: 'its predictions to be counted',
    });
  });
});

describe('several labels', () => {
  const row = 'from one_vs_rest t where flight_id = (select min(flight_id) from one_vs_rest)';

  test('are two columns each, the labels as the model itself has them', async () => {
    await scoreTable('one_vs_rest', 'late');
    expect(await columnsOf(alice, 'late')).toEqual([
      'flight_id integer',
      ...LABELS.map((label) => `probability_${label} double precision`),
      ...LABELS.map((label) => `label_${label} boolean`),
      ...SHARED,
    ]);
    const same = LABELS.map(
      (label) =>
        `p."label_${label}" = (t."expected_label_${label}" = 1) and abs(p."probability_${label}" - t."expected_probability_${label}") < 1e-5`,
    );
    expect(
      await value(`select count(*)::int from late p join one_vs_rest t using (flight_id) where ${same.join(' and ')}`),
    ).toBe(100);
  });

  test('predict() names those that apply, and score() gives the probability of one', async () => {
    const { rows } = await alice.query<{
      said: { labels: string[]; probabilities: Record<string, number> };
      expected: string[];
      share: number;
    }>(
      `select pgscore.predict('one_vs_rest', t) as said, score('one_vs_rest', t, class => 'long flight') as share,
              array_remove(array[case when "expected_label_departed_late" = 1 then 'departed_late' end, case when "expected_label_arrived_late" = 1 then 'arrived_late' end,
                    case when "expected_label_long flight" = 1 then 'long flight' end], null) as expected from one_vs_rest t`,
    );
    expect(rows.filter(({ expected }) => expected.length > 0).length).toBeGreaterThan(5);
    for (const { said, expected, share } of rows) {
      expect(said.labels).toEqual(expected);
      expect(said.probabilities['long flight']).toBe(share);
    }
    expect((await refusal(alice, `select score('one_vs_rest', t) ${row}`)).message).toBe(
      'model "one_vs_rest" has 3 labels: score() needs to know which one',
    );
    expect((await refusal(alice, `select pgscore.classify('one_vs_rest', t) ${row}`)).message).toBe(
      'model "one_vs_rest" has several labels a row: classify() gives one label',
    );
  });

  test('score_rows() gives the probabilities and the labels', async () => {
    const { rows } = await alice.query(
      `select cardinality(s.probabilities) as n, s.outputs -> 'labels' = pgscore.predict('one_vs_rest', s.features) -> 'labels' as alike, s.label
         from pgscore.score_rows('one_vs_rest', array(select t from one_vs_rest t limit 3)) s`,
    );
    expect(rows).toEqual(Array.from({ length: 3 }, () => ({ n: 3, alike: true, label: null })));
  });

  test('a threshold decides every label', async () => {
    await deployModel(ada, 'one_vs_rest', 'test/models/values/one_vs_rest.onnx', {
      class_labels: LABELS,
      threshold: 0.2,
    });
    const text = `select count(*)::int from one_vs_rest t cross join pgscore.predict('one_vs_rest@2', t) p
                   where ("expected_probability_arrived_late" >= 0.2) <> (p -> 'labels' ? 'arrived_late')`;
    expect(await value(text)).toBe(0);
  });
});

describe('quantiles', () => {
  test('are columns beside the score, which is the middle one', async () => {
    await scoreTable('boosted_quantiles', 'delays');
    expect(await columnsOf(alice, 'delays')).toEqual([
      'flight_id integer',
      'score double precision',
      'q0_1 double precision',
      'q0_5 double precision',
      'q0_9 double precision',
      ...SHARED,
    ]);
    const text = `select count(*)::int from delays p join boosted_quantiles t using (flight_id)
      where p.score = p.q0_5 and abs(p.q0_1 - t.expected_q0_1) < 1e-3 and abs(p.q0_5 - t.expected_q0_5) < 1e-3 and abs(p.q0_9 - t.expected_q0_9) < 1e-3`;
    expect(await value(text)).toBe(100);
  });

  test('score() gives the middle one, or one that is named, and predict() all', async () => {
    const { rows } = await alice.query(
      `select bool_and(abs(score('boosted_quantiles', t) - t.expected_q0_5) < 1e-3) as middle, bool_and(abs(score('boosted_quantiles', t, class => 'q0_9') - t.expected_q0_9) < 1e-3) as upper,
              bool_and(pgscore.predict('boosted_quantiles', t) -> 'value' = pgscore.predict('boosted_quantiles', t) -> 'values' -> 'q0_5') as all from boosted_quantiles t`,
    );
    expect(rows).toEqual([{ middle: true, upper: true, all: true }]);
  });

  test('are judged by the middle one, as a regression is', async () => {
    await alice.query(
      'create table truth (flight_id int primary key, delay real); insert into truth select flight_id, expected_q0_5 + 3 from boosted_quantiles',
    );
    await alice.query(`select pgscore.set_labels('boosted_quantiles', 'truth', label => 'delay')`);
    const text = `select n_labeled::int from pgscore_bi.current_model_health where model_name = 'boosted_quantiles'`;
    await waitFor(async () => (await superuser.query(text)).rows[0]?.n_labeled === 100, {
      timeout: 20_000,
      message: 'labels to judge the predictions',
    });
  });
});
