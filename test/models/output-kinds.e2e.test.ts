import { describe, expect, test } from '@jest/globals';
import { ident, literal } from '../../src/lib/text.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { outputCase } from './output-kinds.ts';

const database = await cloneDatabase();
await startTestService(database, { PGSCORE_POLL: '0.4' });
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);
await superuser.query('grant usage on schema alice to pgscore_owner');

type Row = Record<string, unknown>;

/** Deploys a case with its rows expected, and puts them into a table of its name, numbered. */
async function deployCase(name: string, more: Row = {}): Promise<void> {
  const { options, rows, bytes } = outputCase(name);
  await deployBytes(ada, name, bytes, { ...options, ...more, expect: rows });
  const columns = Object.keys(rows[0] ?? {});
  const typed = columns.map((column) => `${ident(column)} ${column === 'expected_label' ? 'text' : 'float8'}`);
  const create = `create table ${ident(name)} as select n::int as id, r.*
    from jsonb_array_elements(${literal(JSON.stringify(rows))}) with ordinality as x (x, n), jsonb_to_record(x) as r (${typed.join(', ')})`;
  await alice.query(create);
  const key = `alter table ${ident(name)} add primary key (id)`;
  await alice.query(key);
}

/** How many rows of a query, over s for what is said and t for what is expected, do not hold. */
async function wrong(name: string, said: string, condition: string): Promise<unknown> {
  const text = `select count(*) filter (where (${condition}) is not true)::int as wrong, count(*)::int as n
    from ${ident(name)} t cross join lateral (${said}) s`;
  return (await alice.query(text)).rows[0];
}

const near = (one: string, other: string): string => `abs(${one} - ${other}) <= 1e-5 * greatest(1, abs(${other}))`;
const ALL_RIGHT = { wrong: 0, n: 60 };

const WAYS = ['native', 'online'] as const;
const setWay = (way: (typeof WAYS)[number]) =>
  alice.query(`select set_config('pgscore.execution', $1, false)`, [way === 'native' ? '' : way]);

const models = async (name: string): Promise<Row> =>
  (await alice.query(`select task, outputs, execution from pgscore.models where model = $1 and state = 'ready'`, [name])).rows[0] as Row;

describe('logits', () => {
  test('of a network are scored as probabilities in all ways', async () => {
    await deployCase('torch_logit');
    expect(await models('torch_logit')).toMatchObject({
      task: 'binary',
      outputs: 'label, probability of malignant, benign (sigmoid of its logits)',
    });
    await scoreTable(alice, 'torch_logit', 'torch_logit');
    const stored = 'select p.* from torch_logit_scores p where p.id = t.id';
    expect(await wrong('torch_logit', stored, near('s.score', 't.expected_score'))).toEqual(ALL_RIGHT);
    expect(await wrong('torch_logit', stored, near('s.probability_benign', 't.expected_score'))).toEqual(ALL_RIGHT);
    for (const way of WAYS) {
      await setWay(way);
      const called = `select pgscore.score('torch_logit', t) as score, pgscore.predict('torch_logit', t) as p`;
      expect(await wrong('torch_logit', called, near('s.score', 't.expected_score'))).toEqual(ALL_RIGHT);
      const benign = `(s.p -> 'probabilities' ->> 'benign')::float8`;
      expect(await wrong('torch_logit', called, near(benign, 't.expected_score'))).toEqual(ALL_RIGHT);
    }
    await setWay('native');
  });

  test('without the option are refused with it as the remedy', async () => {
    const { bytes } = outputCase('torch_log_softmax');
    await expect(deployBytes(ada, 'torch_log_softmax', bytes)).rejects.toMatchObject({
      hint: expect.stringContaining('logits => true'),
    });
    await deployCase('torch_log_softmax');
    expect(await models('torch_log_softmax')).toMatchObject({ task: 'multiclass' });
    const called = `select pgscore.predict('torch_log_softmax', t) as p`;
    const probability = `(s.p -> 'probabilities' ->> 'class_1')::float8`;
    const fits = `${near(probability, 't.expected_probability_class_1')} and s.p ->> 'label' = t.expected_label`;
    expect(await wrong('torch_log_softmax', called, fits)).toEqual(ALL_RIGHT);
  });
});

/** All ways that a model is asked in: a table, score(), predict(), classify() and score_rows(). */
async function expectAllWays(name: string, byClass: string): Promise<void> {
  await scoreTable(alice, name, name);
  const right = `${near('s.score', 't.expected_score')} and s.label = t.expected_label`;
  const table = ident(name);
  const model = literal(name);
  const stored = `select p.* from ${ident(`${name}_scores`)} p where p.id = t.id`;
  expect(await wrong(name, stored, right)).toEqual(ALL_RIGHT);
  const empty = `${stored.replace(/ where .*/, '')} limit 0`;
  const columns = (await alice.query(empty)).fields.map((field) => field.name);
  expect(columns.filter((column) => column.startsWith('prob'))).toEqual([]);
  if (name === 'sgd_hinge_3') {
    expect(await wrong(name, stored, near('s.margin_barolo', 't.expected_margin_barolo'))).toEqual(ALL_RIGHT);
  }
  const predicted = `select (p.said -> ${literal(byClass)} ->> (p.said ->> 'label'))::float8 as score, p.said ->> 'label' as label,
    p.said ? 'probabilities' as probable from (select pgscore.predict(${model}, t) as said) p`;
  const ownOf = `abs(abs(s.score) - abs(t.expected_score)) <= 1e-5 * greatest(1, abs(s.score)) and s.label = t.expected_label and not s.probable`;
  expect(await wrong(name, predicted, ownOf)).toEqual(ALL_RIGHT);
  const classified = `select pgscore.classify(${model}, t) as label`;
  expect(await wrong(name, classified, 's.label = t.expected_label')).toEqual(ALL_RIGHT);
  const many = `select s.* from pgscore.score_rows(${model}, array(select x from ${table} x)) s where (s.features).id = t.id`;
  expect(await wrong(name, many, `${right} and s.probabilities is null`)).toEqual(ALL_RIGHT);
}

const scalar = async (name: string): Promise<unknown> =>
  wrong(name, `select pgscore.score(${literal(name)}, t) as score`, near('s.score', 't.expected_score'));

/** The area under the ROC curve, pair by pair. */
const AUC = `select sum(case when p.expected_score > n.expected_score then 1 when p.expected_score = n.expected_score then 0.5 else 0 end)
  / count(*) as auc from truth p cross join truth n where p.positive and not n.positive`;

/** Says what is true of a case's rows, waits until all are judged, and returns the month's row. */
async function judged(name: string, label: string, positive: string): Promise<Row & { exact: number }> {
  const table = ident(`${name}_truth`);
  const truth = `create table ${table} as select id, expected_score, expected_label, ${label} as label from ${ident(name)};
    alter table ${table} add primary key (id)`;
  await alice.query(truth);
  const exact = `with truth as (select *, (${positive}) as positive from ${table}) ${AUC}`;
  const { auc } = (await alice.query<{ auc: string }>(exact)).rows[0] ?? { auc: 'NaN' };
  await alice.query('select pgscore.set_labels($1, $2::regclass, label => $3)', [name, `${name}_truth`, 'label']);
  const month = `select * from pgscore_bi.binary_performance_monthly where model_name = $1 and segment_key is null and n_labeled = 60
    and roc_auc is not null`;
  let found: Row | undefined;
  await waitFor(
    async () => {
      found = (await superuser.query<Row>(month, [name])).rows[0];
      return found !== undefined;
    },
    { message: 'the accuracy of the month' },
  );
  return { ...found, exact: Number(auc) };
}

describe('margins', () => {
  test('of two classes are said in all ways, and named', async () => {
    await deployCase('svc_2');
    expect(await models('svc_2')).toEqual({
      task: 'binary',
      outputs: 'label, margin (no probability) of 0, 1',
      execution: 'batch, online',
    });
    await expectAllWays('svc_2', 'margins');
    expect(await scalar('svc_2')).toEqual(ALL_RIGHT);
    const comment = `select col_description('svc_2_scores'::regclass, attnum) as says from pg_attribute
      where attrelid = 'svc_2_scores'::regclass and attname = 'score'`;
    expect((await alice.query(comment)).rows).toEqual([{ says: expect.stringContaining('Margin, no probability') }]);
  });

  test('of three classes, too', async () => {
    await deployCase('sgd_hinge_3');
    await expectAllWays('sgd_hinge_3', 'margins');
    await expect(scalar('sgd_hinge_3')).rejects.toMatchObject({ hint: expect.stringContaining('class =>') });
    const asked = `select pgscore.score('sgd_hinge_3', t, class => 'barolo') as score`;
    expect(await wrong('sgd_hinge_3', asked, near('s.score', 't.expected_margin_barolo'))).toEqual(ALL_RIGHT);
  });

  test('rank as they are, and are not taken for probabilities', async () => {
    const label = `case when id % 7 = 0 then 1 - expected_label::int else expected_label::int end`;
    const month = await judged('svc_2', label, 'label = 1');
    expect(month).toMatchObject({
      brier_score: null,
      log_loss: null,
      ece: null,
      accuracy: expect.closeTo(52 / 60, 9),
      undefined_reason: 'no_probabilities',
    });
    expect(Math.abs(Number(month['roc_auc']) - month.exact)).toBeLessThanOrEqual(Number(month['roc_auc_error_bound']) + 1e-9);
    const curve = `select count(*)::int as n, min(threshold) filter (where threshold > '-Infinity') < 0 as negative,
      max(threshold) filter (where threshold < 'Infinity') > 1 as wide from pgscore_bi.threshold_curve where model_name = 'svc_2'`;
    expect((await superuser.query(curve)).rows).toEqual([{ n: 100, negative: true, wide: true }]);
    const bins = `select count(*)::int as n from pgscore_bi.score_distribution_daily d where d.model_name = 'svc_2' and d.outcome = 'all'
      and exists (select from alice.svc_2_scores s where s.score > d.bin_low and s.score <= d.bin_high)`;
    const all = `select count(*)::int as n from pgscore_bi.score_distribution_daily d where d.model_name = 'svc_2' and d.outcome = 'all'`;
    expect((await superuser.query(bins)).rows).toEqual((await superuser.query(all)).rows);
    const none = `select (select count(*) from pgscore_bi.reliability_curve where model_name = 'svc_2')
      + (select count(*) from pgscore_data.estimate e join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id)
          where m.name = 'svc_2') as n`;
    expect((await superuser.query(none)).rows).toEqual([{ n: '0' }]);
  });

  test('keep to a target of their own', async () => {
    await deployBytes(ada, 'calibrated', outputCase('raw_logistic_2').bytes, { logits: true });
    await expect(scoreTable(alice, 'calibrated', 'svc_2', { target: 'svc_2_scores' })).rejects.toMatchObject({
      detail: expect.stringContaining('binary margin'),
    });
  });
});

describe('clusters', () => {
  test.each([
    ['kmeans', 'distances'],
    ['mixture', 'shares'],
  ])('of %s are said in all ways, with their %s', async (name, byClass) => {
    await deployCase(name);
    expect(await models(name)).toMatchObject({ task: 'clustering' });
    await expectAllWays(name, byClass);
    expect(await scalar(name)).toEqual(ALL_RIGHT);
  });

  test('have no truth', async () => {
    const set = `select pgscore.set_labels('kmeans', 'kmeans', label => 'expected_label')`;
    await expect(alice.query(set)).rejects.toMatchObject({ code: '0A000', message: expect.stringContaining('clustering') });
    const one = `select pgscore.record_label('kmeans', '1', '2')`;
    await expect(alice.query(one)).rejects.toMatchObject({ code: '0A000' });
  });
});

describe('anomalies', () => {
  test('are said in all ways', async () => {
    await deployCase('isolation_forest');
    expect(await models('isolation_forest')).toMatchObject({ task: 'anomaly' });
    await expectAllWays('isolation_forest', 'margins');
    expect(await scalar('isolation_forest')).toEqual(ALL_RIGHT);
  });

  test('are judged by true and false', async () => {
    const label = `(expected_label = '-1') <> (id % 11 = 0)`;
    const month = await judged('isolation_forest', label, 'label');
    expect(month).toMatchObject({ accuracy: expect.closeTo(55 / 60, 9), brier_score: null });
    expect(Math.abs(Number(month['roc_auc']) - month.exact)).toBeLessThanOrEqual(Number(month['roc_auc_error_bound']) + 1e-9);
  });

  test('and by -1 and 1, of which 1 is normal', async () => {
    await deployCase('one_class_svm');
    await scoreTable(alice, 'one_class_svm', 'one_class_svm');
    const month = await judged('one_class_svm', 'expected_label::int', 'label = -1');
    expect(month).toMatchObject({ accuracy: 1 });
  });
});

test('views of accuracy call a task what pgscore.models does', async () => {
  for (const view of ['pgscore_bi.model_verdict', 'pgscore_bi.current_model_health']) {
    const text = `select v.model_name, v.task, m.task as named from ${view} v
      join pgscore.models m on m.model = v.model_name and m.version = v.model_version where v.task is distinct from m.task`;
    expect((await superuser.query(text)).rows).toEqual([]);
  }
});
