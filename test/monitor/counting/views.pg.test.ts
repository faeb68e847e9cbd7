import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../../support/database.ts';
import { addMonitoredModel, addVersion, type MonitoredModel } from '../monitored-model.ts';
import { judgeAll, type Judged } from './judge.ts';
import { ModelHistory } from './model-history.ts';
import { Nights } from './nights.ts';
import { passNight } from './pass-night.ts';
import { groupedBy, type Prediction } from './record.ts';
import { SlowRecord } from './slow-record.ts';
import type { Task } from './watched.ts';

const database = await cloneDatabase();
const [superuser, alice, ada] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client('ada'),
]);

const ENTITIES = 120;
const NIGHTS = 32;

type Pair = Extract<Judged, { state: 'labeled' }>;
type History = ModelHistory<SlowRecord>;

function historyOf(
  name: string,
  task: Task,
  versions: readonly [MonitoredModel, ...MonitoredModel[]],
): Promise<History> {
  const model = { ...versions[0], name, task, target: `${name}_scores` };
  return ModelHistory.of({ superuser, alice, ada }, { model, versions }, new SlowRecord());
}

/** What the model gave, by what was said of it. */
function givenOf(task: Task, { score, label }: Prediction): number {
  return task === 'multiclass' && label === 'b' ? 1 - score / 0.75 : score;
}

/** The pairs of a version as a model of its own that has nothing else: each label comes at the time of its prediction. */
async function plainly(name: string, task: Task, pairs: readonly Pair[]): Promise<void> {
  const plain = await historyOf(name, task, [await addMonitoredModel(superuser, name, task)]);
  const series = [...groupedBy(pairs, ({ prediction }) => prediction.entity).values()];
  const most = Math.max(...series.map(({ length }) => length));
  for (let nth = 0; nth < most; nth += 1) {
    const part = series.flatMap((of) => of[nth]?.prediction ?? []);
    await plain.run(1, {
      snapshotAt: Date.now() - 60_000 * (most - nth),
      ids: part.map(({ entity }) => Number(entity)),
      given: part.map((prediction) => givenOf(task, prediction)),
      times: part.map(({ at }) => at),
      isLarge: true,
    });
  }
  await plain.tell(
    pairs.map(({ prediction, truth }) => ({ id: Number(prediction.entity), knownAt: prediction.at, truth })),
  );
  await superuser.query('select pgscore.refresh()');
}

const PERFORMANCE = ['daily', 'weekly', 'monthly'].map((grain) => `performance_${grain} where n_labeled > 0`);
const METRICS = `model_metric where metric in (select k.metric from pgscore_data.metric_kind k where k.kind = 'performance') and value is not null`;
/** Views of what labels say, and which of their rows are about labelled predictions. */
const VIEWS: Readonly<Record<Task, readonly string[]>> = {
  binary: [
    ...PERFORMANCE.map((view) => `binary_${view}`),
    'confusion_matrix_daily where true',
    'reliability_curve where true',
    'threshold_curve where true',
    'roc_curve where true',
    `score_distribution_daily where outcome <> 'all'`,
    'prediction_detail where true',
    METRICS,
  ],
  multiclass: [
    ...PERFORMANCE.flatMap((view) => [`multiclass_${view}`, `class_${view}`]),
    'confusion_matrix_daily where true',
    'prediction_detail where true',
    METRICS,
  ],
  regression: [
    ...PERFORMANCE.map((view) => `regression_${view}`),
    'predicted_vs_actual where true',
    'error_distribution where true',
    'prediction_detail where true',
    METRICS,
  ],
};
/** What says which prediction it was, and how many others there are. */
const OF_OTHERS = `{model_name,model_version,n_predictions,n_awaiting,n_superseded,label_coverage,is_mature,known_at,label_delay_days,run,online_prediction,lower_threshold,upper_threshold,is_breach}`;

async function rowsOf(view: string, model: string, version: number): Promise<string[]> {
  const read = `select to_jsonb(v) - $3::text[] as row from pgscore_bi.${view.replace(' where', ' v where')} and model_name = $1 and model_version = $2`;
  const { rows } = await superuser.query<{ row: Record<string, unknown> }>(read, [model, version, OF_OTHERS]);
  return rows.map(({ row }) => JSON.stringify(row, rounded)).toSorted();
}

/** Doubles that are summed up in another order differ in their last digits. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(12)) : value;
}

const KNOWN = `select entity_key as entity, round(extract(epoch from event_time) * 1000)::float8 as at, round(extract(epoch from known_at) * 1000)::float8 as known
  from pgscore_bi.prediction_detail where model_name = $1 and model_version = $2 order by 1, 2`;

const AGES = `select sum(n_labeled)::int as n, sum(n_labeled_1_day)::int as day, sum(n_labeled_7_days)::int as week, sum(n_labeled_30_days)::int as month
  from pgscore_bi.label_coverage_daily where model_name = $1 and model_version = $2`;

const SCORES = `select sum(n)::int as n from pgscore_bi.score_distribution_daily where model_name = $1 and model_version = $2 and outcome = 'all'`;

test.each(['binary', 'multiclass', 'regression'] as const)(
  'after nightly runs, calls and late labels every view of truth says what it says of the pairs that count: %s',
  async (task) => {
    const model = await addMonitoredModel(superuser, task, task);
    const history = await historyOf(task, task, [model, await addVersion(superuser, model, 2)]);
    const nights = new Nights(ENTITIES, NIGHTS, Date.now());
    for (let night = 0; night < NIGHTS; night += 1) {
      await passNight(history, nights, night);
      if (night % 4 === 0) await superuser.query('select pgscore.refresh()');
      if (night === NIGHTS - 5) await history.dropTarget();
    }
    await superuser.query('select pgscore.refresh()');
    const judged = judgeAll(history.record, history.settings, Date.now());
    for (const version of [1, 2]) {
      const pairs = judged
        .filter((each) => each.state === 'labeled')
        .filter((each) => each.prediction.version === version);
      expect(pairs.length).toBeGreaterThan(10);
      const known = pairs.map(({ prediction: { entity, at }, knownAt }) => ({ entity, at, known: knownAt }));
      expect((await superuser.query(KNOWN, [task, version])).rows).toEqual(
        known.toSorted((a, b) => (a.entity === b.entity ? a.at - b.at : a.entity < b.entity ? -1 : 1)),
      );
      const within = (days: number) =>
        pairs.filter(({ prediction, knownAt }) => knownAt - prediction.at <= days * 86_400_000).length;
      expect((await superuser.query(AGES, [task, version])).rows).toEqual([
        { n: pairs.length, day: within(1), week: within(7), month: within(30) },
      ]);
      if (task === 'binary') {
        const predictions = history.record.predictions.filter((each) => each.version === version);
        expect((await superuser.query(SCORES, [task, version])).rows).toEqual([{ n: predictions.length }]);
      }
      await plainly(`plain_${task}_${version}`, task, pairs);
      for (const view of VIEWS[task]) {
        const expected = await rowsOf(view, `plain_${task}_${version}`, 1);
        expect(expected.length).toBeGreaterThan(0);
        expect([view, await rowsOf(view, task, version)]).toEqual([view, expected]);
      }
    }
  },
  300_000,
);
