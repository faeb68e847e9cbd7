import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { addFlightsByTarget, LABELLED, LATENESS, TIMES } from './flights-by-target.ts';
import { addMonitoredModel, addRun, addVersion, type MonitoredPrediction } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_POLL: '0.4' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);
await addFlightsByTarget(ada, alice, 'times', TIMES);
await addFlightsByTarget(ada, alice, 'lateness', LATENESS);

type Compared = { metric: string; n_a: string; verdict: string };

const COLUMNS =
  'metric, value_a, value_b, difference, ci_low, ci_high, n_a, n_b, n_days, first_date::text, last_date::text, verdict, undefined_reason';

async function compared(model: string, target: string | null): Promise<Compared[]> {
  const read = `select ${COLUMNS} from pgscore_bi.version_comparison
    where model_name = $1 and model_version = 2 and compared_with = 'champion' and target is not distinct from $2 order by metric`;
  return (await superuser.query<Compared>(read, [model, target])).rows;
}

/** The metrics in which version 2 is better or worse, when all labels are counted. */
async function verdicts(model: string, target: string | null): Promise<Record<string, string>> {
  const isAll = async () => {
    const [first] = await compared(model, target);
    return Number(first?.n_a) === LABELLED;
  };
  await waitFor(isAll, { message: `a comparison of ${model}` });
  return Object.fromEntries((await compared(model, target)).map(({ metric, verdict }) => [metric, verdict]));
}

/** A model of one value, whose two versions said what those of `model` said of one target. */
async function addOneValue(name: string, model: string, task: 'regression' | 'binary', said: string, truth: string) {
  const older = await addMonitoredModel(superuser, name, task);
  const newer = await addVersion(superuser, older, 2);
  const champion = `insert into pgscore_data.alias (model_id, model_name, alias, version_id) values ($1, $2, 'champion', $3) on conflict do nothing`;
  await superuser.query(champion, [older.modelId, name, older.versionId]);
  for (const [number, version] of [older, newer].entries()) {
    const read = `select id, r.at::text, ${said} from ${model}_rows r join ${model}_said_${number + 1}_history using (id) order by id`;
    await addRun(superuser, version, (await alice.query<MonitoredPrediction>(read)).rows);
  }
  const labels = `select pgscore.record_label($1, id::text, ${truth}, known_at) from alice.${model}_truth`;
  await superuser.query(labels, [name]);
}

test.each([
  { target: 'air_time', mae: 'better', rmse: 'no_difference' },
  { target: 'arr_delay', mae: 'worse', rmse: 'worse' },
])('versions are compared by $target as those of a model that gives it alone', async ({ target, ...expected }) => {
  await addOneValue(target, 'times', 'regression', `"${target}"::float8 as score`, `"${target}"::text`);
  expect(await verdicts('times', target)).toEqual(expected);
  await verdicts(target, null);
  expect(await compared('times', target)).toEqual(await compared(target, null));
});

test.each([
  { target: 'departed_late', name: 'departed', accuracy: 'worse' },
  { target: 'long flight', name: 'long', accuracy: 'better' },
])(
  'versions are compared by the label $target as those of a classifier, and have its curves',
  async ({ target, name, accuracy }) => {
    const said = `"probability_${target}"::float8 as score, case when "label_${target}" then 'yes' else 'no' end as label`;
    await addOneValue(name, 'lateness', 'binary', said, `case when "${target}" then 'yes' else 'no' end`);
    expect(await verdicts('lateness', target)).toMatchObject({ accuracy, roc_auc: expect.any(String) });
    await verdicts(name, null);
    expect(await compared('lateness', target)).toEqual(await compared(name, null));
    for (const view of ['threshold_curve', 'roc_curve', 'reliability_curve']) {
      const curve = await curveOf(view, 'lateness', target);
      expect(curve.length).toBeGreaterThan(10);
      expect(curve).toEqual(await curveOf(view, name, null));
    }
  },
);

async function curveOf(view: string, model: string, target: string | null): Promise<unknown[]> {
  const read = `select to_jsonb(c) - '{model_name,target}'::text[] as point from pgscore_bi.${view} c
    where model_name = $1 and target is not distinct from $2 order by 1`;
  return (await superuser.query(read, [model, target])).rows;
}

async function checked(gate: string, options: string): Promise<unknown> {
  const set = `select pgscore.set_gate('times', $1, metric => 'mae', margin => 0.5, name => 'tried', ${options})`;
  await ada.query(set, [gate]);
  const check = async () =>
    (await ada.query<{ reason: string }>(`select passed, needs, reason from pgscore.check_gates('times@2')`)).rows[0];
  await waitFor(async () => (await check())?.reason.includes('not compared') === false, { message: 'the segments' });
  const verdict = await check();
  await ada.query(`select pgscore.drop_gate('times', 'tried')`);
  return verdict;
}

test.each([
  {
    gate: 'not_worse',
    options: `target => 'air_time'`,
    passed: true,
    reason: /^air_time: mae is 10\.4, that of times@1 13\.35, by labels that judge both, 6 Jan 2026 to 8 Apr 2026$/,
  },
  { gate: 'not_worse', options: `target => 'arr_delay'`, passed: false, reason: /^arr_delay: mae is 7\.128/ },
  { gate: 'not_worse', options: 'target => null', passed: false, reason: /^arr_delay: mae is .* 6\.585 worse$/ },
  {
    gate: 'not_worse',
    options: 'minimum_labels => 5000',
    passed: false,
    reason: /^arr_delay: mae counts 1200 labels, .*; air_time: mae counts 1200 labels/,
  },
  {
    gate: 'no_segment_worse',
    options: `target => 'air_time'`,
    passed: true,
    reason: /^none of 2 is worse; the nearest is air_time, region = .*: mae is/,
  },
  { gate: 'no_segment_worse', options: 'target => null', passed: false, reason: /^arr_delay, region = north: mae is/ },
])('$gate with $options goes by that target, or by each of them', async ({ gate, options, passed, reason }) => {
  const verdict = await checked(gate, options);
  expect(verdict).toMatchObject({ passed, reason: expect.stringMatching(reason) });
});

test('promotion is refused by the name of the target that is worse', async () => {
  await ada.query(`select pgscore.set_gate('times', 'not_worse', metric => 'mae', margin => 0.5)`);
  expect(await refusal(ada, `select pgscore.promote('times@2')`)).toMatchObject({
    code: '55000',
    detail: expect.stringMatching(/^not_worse_mae: arr_delay: mae is/),
  });
});

test.each([
  {
    model: 'times',
    options: `metric => 'mae', target => 'delay'`,
    hint: 'Use one of air_time, arr_delay, or leave target out for all of them.',
  },
  { model: 'times', options: `metric => 'roc_auc'`, hint: 'Use one of mae, rmse.' },
  {
    model: 'long',
    options: `metric => 'accuracy', target => 'long'`,
    hint: 'It gives one value a row: leave target out.',
  },
])('a gate of $model with $options is refused', async ({ model, options, hint }) => {
  const text = `select pgscore.set_gate('${model}', 'not_worse', margin => 0, ${options})`;
  expect(await refusal(ada, text)).toMatchObject({ code: '22023', hint });
});

test('the verdict of a model is about the target that got worse, and about where', async () => {
  const read = `select verdict, cause, sentence, target, undefined_reason, value > 40 as is_off from pgscore_bi.model_verdict where model_name = 'times'`;
  expect((await superuser.query(read)).rows).toEqual([
    {
      verdict: 'act',
      cause: 'accuracy_worse',
      sentence: expect.stringMatching(
        /^Mean absolute error of air_time rose to 40\.08 in Apr 2026 .* from 4\.436 over the 3 months before, most where region is/,
      ),
      target: 'air_time',
      undefined_reason: null,
      is_off: true,
    },
  ]);
});

test.each([
  { model: 'lateness', row: { verdict: 'healthy', cause: 'none', better_version: null, is_of_worst: true } },
  {
    model: 'nearer',
    row: { verdict: 'watch', cause: 'challenger_better', better_version: 2, target: 'air_time', is_of_worst: false },
  },
])('a version is said to be better if it is in a target and worse in none: $model', async ({ model, row }) => {
  if (model === 'nearer') {
    const truths = ['b + 0.02 * r.m * (a - b) + noise', '(a + b) / 2 + (20 + 0.2 * r.m) * noise'];
    await addFlightsByTarget(ada, alice, model, { ...TIMES, truths });
  }
  for (const target of model === 'nearer' ? TIMES.targets : LATENESS.targets) await verdicts(model, target);
  const read = `
    select v.verdict, v.cause, v.sentence, v.better_version::int, v.target, a.is_first as is_of_worst
      from pgscore_bi.model_verdict v
      left join pgscore_data.judged_accuracy_text a on a.target = v.target and a.value = v.value
       and a.model_id = (select m.model_id from pgscore_data.model m where m.name = v.model_name)
     where v.model_name = $1`;
  const sentence = {
    lateness: /^Accuracy of [a-z_ ]+ is \d\d\.\d % in Apr 2026/,
    nearer: /^Version 2 is surely better: mean absolute error of air_time 0\.\d+ instead of 4\.\d+/,
  }[model];
  expect((await superuser.query(read, [model])).rows).toEqual([
    { target: expect.any(String), ...row, sentence: expect.stringMatching(sentence ?? '') },
  ]);
});

test('a rule that every model has is raised for the target that got worse, and not for the other', async () => {
  const read = `select distinct column_name from pgscore.preview_monitor('times') where metric = 'mae' and is_breach`;
  expect((await ada.query(read)).rows).toEqual([{ column_name: 'air_time' }]);
});

test('what one version was trained on is left out of the comparison of each target', async () => {
  await superuser.query(
    `update pgscore_data.version set options = options || '{"trained_until": "2026-02-01 00:00+00"}'
      where number = 2 and model_id = (select model_id from pgscore_data.model where name = 'lateness')`,
  );
  await superuser.query('delete from pgscore_data.compared_pair');
  for (const target of LATENESS.targets) {
    const first = async () => (await compared('lateness', target))[0];
    await waitFor(async () => Number((await first())?.n_a) > 0, { message: `a comparison of ${target}` });
    expect(await first()).toMatchObject({ n_a: String((LABELLED * 3) / 4), first_date: '2026-02-06' });
  }
});
