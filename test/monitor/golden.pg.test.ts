import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { beyondBounds, differences, type Shown } from './golden/compare.ts';
import { readGolden, stage, type Grain, type Task } from './golden/staged.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

const TASKS = ['binary', 'multiclass', 'regression'] as const;
const SUFFIXES = { day: 'daily', week: 'weekly', month: 'monthly' } as const;
for (const task of TASKS) await stage(superuser, alice, task);
await superuser.query(`select pgscore.monitor('regression', quantile => 0.9)`);

async function show(task: Task, grain: Grain): Promise<Map<string, Shown>> {
  const read = `select *, window_date::text from pgscore_bi.${task}_performance_${SUFFIXES[grain]} where model_name = $1`;
  const { rows } = await superuser.query<Shown>(read, [task]);
  return new Map(rows.map((row) => [String(row['window_date']), row]));
}

test.each(TASKS.flatMap((task) => (['day', 'week', 'month'] as const).map((grain) => ({ task, grain }))))(
  'what the $task view says of a $grain is what scikit-learn says of its rows',
  async ({ task, grain }) => {
    const shown = await show(task, grain);
    const windows = readGolden(task).golden.filter((window) => window.grain === grain);
    expect([...shown.keys()].toSorted()).toEqual(windows.map((window) => window.window_date).toSorted());
    const wrong = windows.flatMap((window) => {
      const row = shown.get(window.window_date) ?? {};
      expect(Number(row['n_labeled'])).toBe(window.n_labeled);
      return differences(window, row);
    });
    expect(wrong).toEqual([]);
  },
);

test.each(['binary', 'multiclass'] as const)(
  'what comes of binned scores is off by no more than the %s row admits',
  async (task) => {
    for (const grain of ['day', 'week', 'month'] as const) {
      const shown = await show(task, grain);
      const windows = readGolden(task).golden.filter((window) => window.grain === grain);
      expect(windows.flatMap((window) => beyondBounds(window, shown.get(window.window_date) ?? {}))).toEqual([]);
    }
  },
);

test('the area of each class against the others is that of scikit-learn, within the bound of the row', async () => {
  const read = `select window_date::text, class_label, roc_auc, roc_auc_error_bound from pgscore_bi.class_performance_monthly where model_name = 'multiclass'`;
  const { rows } = await superuser.query<Shown>(read);
  const golden = new Map(
    readGolden('multiclass')
      .golden.filter(({ grain }) => grain === 'month')
      .map(({ window_date: date, values }) => [date, values]),
  );
  expect(rows.length).toBeGreaterThan(3);
  for (const { window_date: date, class_label: label, roc_auc: shown, roc_auc_error_bound: bound } of rows) {
    const exact = golden.get(String(date))?.[`class_auc_${String(label)}`] ?? null;
    expect([date, label, shown === null]).toEqual([date, label, exact === null]);
    expect(Math.abs(Number(shown) - Number(exact))).toBeLessThanOrEqual(Number(bound) + 1e-12);
  }
});

test.each(['day', 'week', 'month'] as const)(
  'precision, recall and F1 of each class are those of scikit-learn, with the intervals of scipy, by %s',
  async (grain) => {
    const read = `select *, window_date::text from pgscore_bi.class_performance_${SUFFIXES[grain]} where model_name = 'multiclass'`;
    const { rows } = await superuser.query<Shown>(read);
    for (const { window_date: date, values } of readGolden('multiclass').golden.filter((one) => one.grain === grain)) {
      for (const [name, value] of Object.entries(values ?? {})) {
        const [, label, column] = /^class_([abc])_(.+)$/.exec(name) ?? [];
        if (label === undefined || column === undefined) continue;
        const row = rows.find((one) => one['window_date'] === date && one['class_label'] === label);
        const expected = value === null ? null : expect.closeTo(Number(value), 12);
        expect([date, name, column === 'support' ? Number(row?.[column]) : row?.[column]]).toEqual([
          date,
          name,
          expected,
        ]);
      }
    }
  },
);

test('of each class it is told whether the labels of its window are there', async () => {
  const { rows } = await superuser.query(
    `select c.window_date from pgscore_bi.class_performance_weekly c
       full join pgscore_bi.multiclass_performance_weekly p using (model_name, model_version, window_start)
      where model_name = 'multiclass' and (c.n_labeled, c.label_coverage, c.is_mature, c.window_end) is distinct from (p.n_labeled, p.label_coverage, p.is_mature, p.window_end)`,
  );
  expect(rows).toEqual([]);
});

test('what a class has no value for has a reason', async () => {
  const read = `select window_date::text, class_label, precision_score, recall_score, f1_score, roc_auc, undefined_reason from pgscore_bi.class_performance_daily where model_name = 'multiclass'`;
  const { rows } = await superuser.query<Shown>(read);
  const told = rows.map((row) => [row['window_date'], row['class_label'], row['undefined_reason'] !== null]);
  const missing = rows.map((row) => [
    row['window_date'],
    row['class_label'],
    Object.values(row).slice(0, -1).includes(null),
  ]);
  expect(told).toEqual(missing);
  expect(new Set(rows.map((row) => row['undefined_reason']))).toEqual(
    new Set([null, 'no_labels', 'no_positive_labels', 'no_predicted_positives', 'one_class']),
  );
});

/** Columns that may be NULL without a reason: names that no prediction is split by, and intervals of too few rows. */
const OPTIONAL =
  /^segment_|^target$|^interval_|^undefined_reason$|^msle$|^top_[35]_|_ci_(low|high)$|_error_bound$|average_precision_(low|high)$/;

test.each(TASKS)('a row of the %s views gives a reason exactly where a value is missing', async (task) => {
  const shown = await show(task, 'day');
  const reasons = readGolden(task).days.map(({ set, date }) => [set, shown.get(date)?.['undefined_reason']]);
  expect(reasons).toEqual(readGolden(task).days.map(({ set, undefined_reason: reason }) => [set, reason]));
  for (const grain of ['day', 'week', 'month'] as const) {
    for (const row of (await show(task, grain)).values()) {
      const missing = Object.keys(row).filter((name) => row[name] === null && !OPTIONAL.test(name));
      expect([row['window_date'], missing, missing.length > 0]).toEqual([
        row['window_date'],
        missing,
        row['undefined_reason'] !== null,
      ]);
    }
  }
});

test.each(TASKS)('the %s views have no interval without a value, and none that leaves it out', async (task) => {
  for (const grain of ['day', 'week', 'month'] as const) {
    for (const row of (await show(task, grain)).values()) {
      for (const name of Object.keys(row).filter((column) => column.endsWith('_ci_low'))) {
        const [metric, low, high] = [name.slice(0, -7), row[name], row[name.replace(/low$/, 'high')]];
        const value = row[metric] ?? row[`${metric}_score`] ?? null;
        const ordered =
          low === null
            ? high === null
            : value !== null && Number(low) <= Number(value) && Number(value) <= Number(high);
        expect([row['window_date'], metric, low, value, high, ordered]).toEqual([
          row['window_date'],
          metric,
          low,
          value,
          high,
          true,
        ]);
      }
    }
  }
});
