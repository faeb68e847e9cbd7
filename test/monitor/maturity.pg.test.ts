import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const TASKS = ['binary', 'multiclass', 'regression'] as const;
type Task = (typeof TASKS)[number];

const ROWS = 40;
const EARLY = 10;
const CLASSES = { binary: ['no', 'yes'], multiclass: ['a', 'b', 'c'], regression: ['1', '2', '3'] } as const;
const classOf = (task: Task, id: number): string => CLASSES[task][id % CLASSES[task].length] ?? '';

for (const task of TASKS) {
  const model = await addMonitoredModel(superuser, task, task);
  const rows = Array.from({ length: ROWS }, (_, id) => {
    const row = { id, at: '2026-01-07 09:00+00', score: (id % 10) / 10 };
    if (task === 'regression') return row;
    const label = classOf(task, id);
    return task === 'multiclass' ? { ...row, label, probabilities: [0.5, 0.3, 0.2] } : { ...row, label };
  });
  await addRun(superuser, model, rows);
}
await superuser.query('select pgscore.refresh()');

/** Tells the truth of these rows of each model as of the same evening. */
async function label(from: number, to: number): Promise<void> {
  for (const task of TASKS) {
    const labels = Array.from({ length: to - from }, (_, at) => [
      String(from + at),
      classOf(task, from + at + (at % 2)),
    ]);
    const record = `select pgscore.record_label($1, l ->> 0, l ->> 1, '2026-01-07 20:00+00') from jsonb_array_elements($2::jsonb) l`;
    await superuser.query(record, [task, JSON.stringify(labels)]);
  }
  await superuser.query('select pgscore.refresh()');
}

/** What each view that tells of truth says of the window's labels, by view, but for those that say nothing of these models. */
async function told(): Promise<[string, unknown[]][]> {
  const { rows: views } = await superuser.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid
      where c.relnamespace = 'pgscore_bi'::regnamespace and a.attname in ('is_mature', 'label_coverage') group by 1 having count(*) = 2 order by 1`,
  );
  const all: [string, unknown[]][] = [];
  for (const { name } of views) {
    const read = `select distinct label_coverage, is_mature from pgscore_bi.${name} where label_coverage is not null`;
    all.push([name, (await superuser.query(read)).rows]);
  }
  return all.filter(([, rows]) => rows.length > 0);
}

const ofEachGrain = (stem: string): string[] => ['daily', 'monthly', 'weekly'].map((suffix) => `${stem}_${suffix}`);

/** Rows are there before there are labels, so that a chart shows the gap. */
const WINDOWS = [
  ...TASKS.flatMap((task) => ofEachGrain(`${task}_performance`)),
  ...['class_performance', 'estimated_performance'].flatMap(ofEachGrain),
  'label_coverage_daily',
  'model_metric',
  'performance_by_label_age',
  'score_distribution_daily',
];
/** Nothing is there to be drawn before. */
const PICTURES = [
  'confusion_matrix_daily',
  'error_distribution',
  'predicted_vs_actual',
  'reliability_curve',
  'roc_curve',
  'threshold_curve',
];

const says = (views: readonly string[], coverage: number, mature: boolean): [string, unknown[]][] =>
  views.map((view) => [view, [{ label_coverage: coverage, is_mature: mature }]]);

test('a window without labels has its rows, and they say that it has none', async () => {
  expect(await told()).toEqual(says(WINDOWS.toSorted(), 0, false));
  for (const view of [...ofEachGrain('class_performance'), 'performance_by_label_age']) {
    const read = `select distinct n_labeled, undefined_reason from pgscore_bi.${view}`;
    const { rows } = await superuser.query(read);
    expect([view, rows]).toEqual([view, [{ n_labeled: '0', undefined_reason: 'no_labels' }]]);
  }
});

describe('once labels come', () => {
  beforeAll(async () => label(0, EARLY));

  test('no view takes the window for mature before those that its monitor asks for are there, and each does then', async () => {
    const all = [...WINDOWS, ...PICTURES].toSorted();
    expect(await told()).toEqual(says(all, EARLY / ROWS, false));
    await label(EARLY, ROWS);
    expect(await told()).toEqual(says(all, 1, true));
  });
});

test('the view of the age of labels goes by those that were known within it', async () => {
  await superuser.query(
    `select pgscore.record_label('binary', id::text, 'yes', '2026-02-01 00:00+00') from generate_series(0, 29) id`,
  );
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query(
    `select label_age, label_coverage, is_mature from pgscore_bi.performance_by_label_age
      where model_name = 'binary' order by array_position(array['1 day', '7 days', '30 days', '90 days', 'later'], label_age)`,
  );
  const few = { label_coverage: 0.25, is_mature: false };
  const whole = { label_coverage: 1, is_mature: true };
  expect(rows).toEqual([
    { label_age: '1 day', ...few },
    { label_age: '7 days', ...few },
    { label_age: '30 days', ...whole },
    { label_age: '90 days', ...whole },
    { label_age: 'later', ...whole },
  ]);
});
