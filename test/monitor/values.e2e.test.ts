import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { loadValueRows } from '../support/value-models.ts';
import { waitFor } from '../support/wait-for.ts';

type Row = { flight_id: number; date: string; truth: Record<string, number | null>; said: number[] };
type Golden = { grain: string; date: string; target: string | null; n: number; values: Record<string, number> };
type Model = { name: string; rows: Row[]; golden: Golden[] };

const MODELS = JSON.parse(readFileSync(new URL('golden/values.json', import.meta.url), 'utf8')) as Model[];
const SUFFIXES: Record<string, string> = { day: 'daily', week: 'weekly', month: 'monthly' };
const QUANTILES = { task: 'quantiles', targets: ['0.1', '0.5', '0.9'] };

/** How near its metrics are to the golden ones. */
const tolerances = new Map<string, number>();

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_POLL: '0.4' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

function goldenOf(name: string): Model {
  const found = MODELS.find((model) => model.name === name);
  if (found === undefined) throw new Error(`${name} is golden`);
  return found;
}

async function deploy(model: string, file: string, options: Record<string, unknown>): Promise<void> {
  await deployModel(ada, model, `test/models/values/${file}.onnx`, options);
  await superuser.query(`select pgscore.grant_model($1, 'alice')`, [model]);
}

/** Deploys a model, makes a table of its rows with the day that each is for, and one of the truth, and scores the first into these columns. */
async function scored(name: string, options: Record<string, unknown>, columns: string[]): Promise<void> {
  await deploy(name, name, options);
  await loadValueRows(alice, name);
  const { rows } = goldenOf(name);
  const truths = Object.keys(rows[0]?.truth ?? {}).map((column) => `"${column}" float8`);
  const truth = rows.map((row) => ({ flight_id: row.flight_id, at: `${row.date} 12:00+00`, ...row.truth }));
  const create = `create table ${name}_truth (flight_id int primary key, at timestamptz, ${truths.join(', ')})`;
  await alice.query(create);
  const fill = `insert into ${name}_truth select * from jsonb_populate_recordset(null::${name}_truth, $1)`;
  await alice.query(fill, [JSON.stringify(truth)]);
  const date = `alter table ${name} add at timestamptz; update ${name} x set at = t.at from ${name}_truth t where t.flight_id = x.flight_id`;
  await alice.query(date);
  const run = await scoreTable(alice, name, name, { event_time: 'at', target: `${name}_said` });
  expect(run).toMatchObject({ state: 'done' });
  tolerances.set(name, toleranceOf(await said(name, columns), rows));
}

/** On another processor, kernels may round a value otherwise than where the golden values were made; then so do metrics. */
function toleranceOf(served: Row['said'][], rows: Row[]): number {
  const golden = rows.toSorted((a, b) => a.flight_id - b.flight_id).map((row) => row.said);
  expect(served).toEqual(golden.map((values) => values.map((value) => expect.closeTo(value, 3))));
  return JSON.stringify(served) === JSON.stringify(golden) ? 1e-12 : 1e-5;
}

async function said(name: string, columns: string[]): Promise<Row['said'][]> {
  const values = columns.map((column) => `"${column}"${column.startsWith('label_') ? '::int' : ''}::float8`).join(', ');
  const read = `select array[${values}] as said from ${name}_said order by flight_id`;
  return (await alice.query<{ said: number[] }>(read)).rows.map((row) => row.said);
}

async function setLabels(name: string, columns: string[]): Promise<void> {
  const labels = `select pgscore.set_labels($1, $2::regclass, label => $3::text[], known_at => 'at')`;
  await alice.query(labels, [name, `${name}_truth`, columns]);
}

async function labelsCounted(model: string, n: number): Promise<void> {
  const read = `select sum(n_labeled)::int as n from pgscore_bi.label_coverage_daily where model_name = $1`;
  const count = async () => (await superuser.query<{ n: number }>(read, [model])).rows[0]?.n;
  await waitFor(async () => (await count()) === n, { message: `${n} labels of ${model}` });
}

/** What differs from the golden values by more than 1e-12 of them, or the bound that the view admits. */
async function differences(name: string, view: string, golden: Golden[]): Promise<unknown[]> {
  const wrong: unknown[] = [];
  const tolerance = tolerances.get(name) ?? 1e-12;
  const isAbout = (value: unknown, expected: number, bound: unknown) =>
    Math.abs(Number(value) - expected) <= Number(bound ?? 0) + tolerance * Math.max(1, Math.abs(expected));
  for (const grain of ['day', 'month']) {
    const read = `select *, window_date::text as date from pgscore_bi.${view}_performance_${SUFFIXES[grain]} where model_name = $1 and segment_key is null`;
    const { rows } = await superuser.query<Record<string, unknown>>(read, [name]);
    for (const one of golden.filter((entry) => entry.grain === grain)) {
      const shown = rows.find((row) => row['date'] === one.date && (row['target'] ?? null) === one.target);
      const values = Object.entries({ n_labeled: one.n, ...one.values });
      const off = values.filter(
        ([metric, value]) => !isAbout(shown?.[metric] ?? Number.NaN, value, shown?.[`${metric}_error_bound`]),
      );
      wrong.push(...off.map(([metric, value]) => [grain, one.date, one.target, metric, value, shown?.[metric]]));
    }
  }
  return wrong;
}

async function expectGolden(name: string, view: string, golden: Golden[]): Promise<void> {
  const isGolden = async () => (await differences(name, view, golden)).length === 0;
  await waitFor(isGolden, { message: 'the golden values', timeout: 5000 }).catch(() => {});
  expect(await differences(name, view, golden)).toEqual([]);
}

test('each quantile has the pinball loss and the coverage of scikit-learn, and the score those of the middle', async () => {
  const name = 'boosted_quantiles';
  await scored(name, QUANTILES, ['q0_1', 'q0_5', 'q0_9']);
  const labels = `select pgscore.set_labels($1, $2::regclass, label => 'arr_delay', known_at => 'at')`;
  await alice.query(labels, [name, `${name}_truth`]);
  await labelsCounted(name, 100);
  await expectGolden(name, 'regression', goldenOf(name).golden);
});

test('what is corrected, withdrawn and counted again leaves nothing behind', async () => {
  const name = 'boosted_quantiles';
  const { rows, golden } = goldenOf(name);
  const change = `create table kept_truth as table ${name}_truth;
    update ${name}_truth set arr_delay = arr_delay + 7 where flight_id % 3 = 0;
    delete from ${name}_truth where flight_id % 5 = 0`;
  await alice.query(change);
  await labelsCounted(name, rows.filter((row) => row.flight_id % 5 !== 0).length);
  expect(await differences(name, 'regression', golden)).not.toEqual([]);
  const restore = `truncate ${name}_truth; insert into ${name}_truth table kept_truth`;
  await alice.query(restore);
  await labelsCounted(name, 100);
  await expectGolden(name, 'regression', golden);
  await ada.query('select pgscore.rebuild($1)', [name]);
  await expectGolden(name, 'regression', golden);
});

test.each([
  { model: 'large', copies: 12 },
  { model: 'called', copies: 1 },
])(
  'quantiles are judged alike in a large run, which is kept in blocks, and in calls: $model',
  async ({ model, copies }) => {
    await deploy(model, 'boosted_quantiles', QUANTILES);
    const create = `create table ${model} as select x.flight_id * 100 + n as id, x.* from boosted_quantiles x, generate_series(1, ${copies}) n;
    create table ${model}_truth as select x.id, t.arr_delay from ${model} x join boosted_quantiles_truth t using (flight_id);
    alter table ${model} add primary key (id);
    alter table ${model}_truth add primary key (id)`;
    await alice.query(create);
    if (model === 'large') expect(await scoreTable(alice, model, model)).toMatchObject({ state: 'done' });
    else {
      await ada.query(`select pgscore.log_calls('called', key => array['id'])`);
      await alice.query(`select count(pgscore.score('called', x)) from called x`);
    }
    const read = `select distinct date_trunc('month', window_date)::date::text as date from pgscore_bi.label_coverage_daily where model_name = $1 and n_predictions = $2`;
    const months = async () => (await superuser.query<{ date: string }>(read, [model, 100 * copies])).rows;
    await waitFor(async () => (await months()).length === 1, { message: 'predictions' });
    await alice.query(`select pgscore.set_labels($1, $2::regclass, label => 'arr_delay')`, [model, `${model}_truth`]);
    await labelsCounted(model, 100 * copies);
    const date = (await months())[0]?.date ?? '';
    const month = goldenOf('boosted_quantiles').golden.filter(({ grain }) => grain === 'month');
    tolerances.set(model, tolerances.get('boosted_quantiles') ?? 1e-12);
    await expectGolden(
      model,
      'regression',
      month.map((one) => ({ ...one, n: 100 * copies, date })),
    );
    const blocks = await superuser.query('select from pgscore_data.kept_block where probabilities is not null');
    expect(blocks.rowCount).toBeGreaterThan(0);
  },
);

const TARGETS = ['air_time', 'arr_delay'];
const LABELS = ['departed_late', 'arrived_late', 'long flight'];

test.each(['linear_targets', 'trees_targets'])(
  'each target of %s has the metrics of scikit-learn, also where a truth is not known',
  async (name) => {
    await scored(name, { targets: TARGETS }, TARGETS);
    // By their names, whatever their order.
    await setLabels(name, TARGETS.toReversed());
    await labelsCounted(name, 100);
    await expectGolden(name, 'regression', goldenOf(name).golden);
  },
);

test.each(['one_vs_rest', 'neighbours_labels', 'labels_alone'])(
  'each label of %s has the metrics of scikit-learn, and all of a row the subset accuracy',
  async (name) => {
    const kinds = name === 'labels_alone' ? ['label_'] : ['probability_', 'label_'];
    const columns = kinds.flatMap((kind) => LABELS.map((label) => kind + label));
    await scored(name, { class_labels: LABELS }, columns);
    await setLabels(name, LABELS);
    await labelsCounted(name, 100);
    const { golden } = goldenOf(name);
    await expectGolden(
      name,
      'binary',
      golden.filter(({ target }) => target !== null),
    );
    await expectGolden(
      name,
      'multilabel',
      golden.filter(({ target }) => target === null),
    );
  },
);

test.each([
  { name: 'trees_targets', view: 'regression', column: 'arr_delay', wrong: '500' },
  { name: 'one_vs_rest', view: 'binary', column: 'arrived_late', wrong: '1 - arrived_late' },
])('what is corrected in one column of $name, and counted again, leaves nothing behind', async (one) => {
  const { name, view, column, wrong } = one;
  const golden = goldenOf(name).golden.filter(({ target }) => target !== null);
  const change = `create table kept_${name} as table ${name}_truth;
    update ${name}_truth set "${column}" = ${wrong} where flight_id % 3 = 0;
    update ${name}_truth set "${column}" = null where flight_id % 5 = 0`;
  await alice.query(change);
  const changed = async () => (await differences(name, view, golden)).length > 0;
  await waitFor(changed, { message: 'other values' });
  const restore = `delete from ${name}_truth; insert into ${name}_truth table kept_${name}`;
  await alice.query(restore);
  await expectGolden(name, view, golden);
  await ada.query('select pgscore.rebuild($1)', [name]);
  await expectGolden(name, view, golden);
  const audit = await superuser.query<{ wrong: string }>('select pgscore_data._audit(1000) as wrong');
  expect(Number(audit.rows[0]?.wrong ?? 0)).toBe(0);
});

test.each([
  { model: 'trees_targets', label: ['arr_delay'], message: 'gives 2 values a row, and label has 1' },
  {
    model: 'trees_targets',
    label: ['arr_delay', 'at'],
    message: '"arr_delay" has the name of a value of model "trees_targets"',
  },
  { model: 'boosted_quantiles', label: ['arr_delay', 'at'], message: 'gives one value a row, and label has 2' },
  { model: 'one_vs_rest', label: [], message: 'label names no column' },
])('$label cannot be the truth of $model, which says so', async ({ model, label, message }) => {
  await expect(setLabels(model, label)).rejects.toMatchObject({
    code: '22023',
    message: expect.stringContaining(message),
    hint: expect.any(String),
  });
});

test.each([
  { name: 'trees_targets', view: 'regression', options: { targets: TARGETS }, columns: TARGETS },
  { name: 'one_vs_rest', view: 'binary', options: { class_labels: LABELS }, columns: LABELS },
])('labels of $name that are recorded one by one count as those of a table', async (one) => {
  const { name, view, options, columns } = one;
  const told = `told_${name}`;
  await deploy(told, name, options);
  expect(await scoreTable(alice, told, name, { event_time: 'at' })).toMatchObject({ state: 'done' });
  const record = `select pgscore.record_label($1, flight_id::text, (to_jsonb(t) - '{flight_id,at}'::text[])::text, at)
    from ${name}_truth t where num_nonnulls(${columns.map((column) => `"${column}"`).join()}) > 0`;
  // As jsonb; the other as text.
  await alice.query(record.replace(')::text, at)', '), at)'), [told]);
  await alice.query(record.replaceAll('::text, at)', `::text, at - interval '1 day')`), [told]);
  const withdraw = `select pgscore.record_label($1, flight_id::text, null, at - interval '1 day') from ${name}_truth`;
  await alice.query(withdraw, [told]);
  tolerances.set(told, tolerances.get(name) ?? 1e-12);
  const golden = goldenOf(name).golden.filter(({ target }) => target !== null);
  await expectGolden(told, view, golden);
});

test.each([
  ['trees_targets', '5', 'is an object of JSON', '{"air_time"'],
  ['trees_targets', '{"air_time": ', 'is an object of JSON', 'Write'],
  ['trees_targets', '{"air_time": 1, "air_time": 2}', 'says "air_time" more than once', 'each name once'],
  ['trees_targets', '{"delay": 5}', 'gives no "delay"', 'air_time, arr_delay'],
  ['trees_targets', '{"air_time": null}', 'the truth of nothing', 'withdraw a label with NULL'],
  ['trees_targets', '{"air_time": "soon", "arr_delay": 1}', '"soon" of air_time is no label of', 'a finite number'],
  ['one_vs_rest', '{"arrived_late": 2}', '"2" of arrived_late is no label of', 'true or false'],
])('record_label() refuses for %s %s, which it says', async (name, label, message, hint) => {
  await expect(ada.query(`select pgscore.record_label($1, '126', $2)`, [name, label])).rejects.toMatchObject({
    code: '22023',
    message: expect.stringContaining(message),
    hint: expect.stringContaining(hint),
  });
});

test('pinball loss and coverage of a quantile are rows of model_metric, and a rule can be about one quantile', async () => {
  const read = `select metric, column_name from pgscore_bi.model_metric
                 where model_name = 'boosted_quantiles' and grain = 'month' and column_name is not null order by 1, 2`;
  const quantiles = ['q0_1', 'q0_5', 'q0_9'];
  expect((await superuser.query(read)).rows).toEqual(
    ['coverage', 'pinball_loss'].flatMap((metric) => quantiles.map((column_name) => ({ metric, column_name }))),
  );
  const rule = `select pgscore.set_alert('boosted_quantiles', $1, 'coverage', threshold => 0.99, direction => 'below', column_name => $2, min_samples => 10)`;
  await ada.query(rule, ['upper', 'q0_9']);
  const preview = `select distinct column_name from pgscore.preview_monitor('boosted_quantiles', 'upper')`;
  expect((await ada.query(preview)).rows).toEqual([{ column_name: 'q0_9' }]);
  await expect(ada.query(rule, ['lower', 'q0_2'])).rejects.toMatchObject({
    code: '22023',
    message: expect.stringContaining('coverage is not about q0_2, but one of q0_1, q0_5, q0_9'),
  });
});

test('a text that only begins like JSON judges nothing, and fails no refresh', async () => {
  const queue = `insert into pgscore_data.label_change (model_id, key, known_at, label)
                 select model_id, '{126}', '2013-01-01', '{"x' from pgscore_data.model where name = 'trees_targets'`;
  await superuser.query(queue);
  await superuser.query('select pgscore.refresh()');
});
