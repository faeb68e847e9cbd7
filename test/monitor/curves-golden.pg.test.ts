import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { readGolden, stage } from './golden/staged.ts';
import { addRun } from './monitored-model.ts';
import { wilson } from './wilson.ts';

type Point = Record<string, number | null>;
type Month = { window_date: string; thresholds: Point[]; tenths: Point[]; roc: Point[] };

const file = new URL('golden/curves.json', import.meta.url);
const { months } = JSON.parse(readFileSync(file, 'utf8')) as { months: Month[] };

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);
const model = await stage(superuser, alice, 'binary');
const unlabelled = Array.from({ length: 500 }, (_, at) => 100_000 + at);
await addRun(
  superuser,
  model,
  unlabelled.map((id) => ({ id, at: '2026-03-02 12:00:00+00', score: 0.7, label: 'yes' })),
);
await superuser.query('select pgscore.refresh()');

/** What differs, with the point's place on the curve. */
function differences(golden: readonly Point[], shown: readonly Point[]): string[] {
  return golden.flatMap((point, at) =>
    Object.entries(point).flatMap(([name, value]) => {
      const found = shown[at]?.[name];
      const same =
        value === null || found === null || found === undefined
          ? value === found
          : Math.abs(Number(found) - value) <= 1e-12 * Math.max(1, Math.abs(value));
      return same ? [] : [`${at} ${name}: ${String(found)}, and not ${String(value)}`];
    }),
  );
}

async function shown(view: string, order: string, month: string): Promise<Point[]> {
  const read = `select * from pgscore_bi.${view} where model_name = 'binary' and window_date = $1 order by ${order}`;
  return (await superuser.query<Point>(read, [month])).rows;
}

test.each(months)(
  'in $window_date each threshold would have done what scikit-learn says: ROC, precision-recall, gain and lift',
  async (month) => {
    const points = await shown('threshold_curve', 'threshold', month.window_date);
    expect(points).toHaveLength(100);
    expect(differences(month.thresholds, points)).toEqual([]);
  },
);

test.each(months)(
  'in $window_date probabilities came true as often as scikit-learn says, with the interval of Wilson',
  async (month) => {
    const points = await shown('reliability_curve', 'bin_low', month.window_date);
    expect(points).toHaveLength(month.tenths.length);
    expect(differences(month.tenths, points)).toEqual([]);
  },
);

test.each(months)('in $window_date the ROC curve has the points of scikit-learn, and no other', async (month) => {
  const points = await shown('roc_curve', 'threshold desc', month.window_date);
  expect(points).toHaveLength(month.roc.length);
  expect(differences(month.roc, points)).toEqual([]);
});

test.each(['reliability_curve', 'threshold_curve', 'roc_curve'])(
  '%s tells of each month whether its labels are there, as the performance view does',
  async (view) => {
    const read = `select p.is_mature, count(c.*)::int > 1 as has_points, bool_and((c.is_mature, c.label_coverage) = (p.is_mature, p.label_coverage)) as same
        from pgscore_bi.binary_performance_monthly p left join pgscore_bi.${view} c using (model_name, model_version, window_start)
       where model_name = 'binary' and p.segment_key is null and p.n_labeled > 0 group by window_start, p.is_mature order by window_start`;
    const { rows } = await superuser.query<{ is_mature: boolean }>(read);
    expect(new Set(rows.map(({ is_mature: mature }) => mature))).toEqual(new Set([true, false]));
    expect(rows).toEqual(rows.map((row) => ({ ...row, has_points: true, same: true })));
  },
);

type Cut = Record<'above' | 'hits' | 'all' | 'positives', number>;

/** The intervals of what a threshold does, and why it does not do it. */
function judged({ above, hits, all, positives }: Cut): Record<string, unknown> {
  const interval = (name: string, k: number, n: number): [string, unknown][] =>
    wilson(k, n).map((end, at) => [`${name}_ci_${at === 0 ? 'low' : 'high'}`, n === 0 ? null : near(end)]);
  const f1 = wilson(hits, above - hits + positives).map((end) => near((2 * end) / (1 + end)));
  return {
    ...Object.fromEntries([
      ...interval('true_positive_rate', hits, positives),
      ...interval('false_positive_rate', above - hits, all - positives),
      ...interval('precision', hits, above),
    ]),
    f1_ci_low: f1[0],
    f1_ci_high: f1[1],
    n_labeled: String(all),
    undefined_reason: above === 0 ? 'no_predicted_positives' : null,
  };
}

const near = (value: number) => expect.closeTo(value, 12);

test.each(['threshold_curve', 'roc_curve'])(
  '%s says of each threshold how many labels it rests on, with the intervals of Wilson and the reason where there is none',
  async (view) => {
    const read = `select c.*, p.n_labeled as all, x.positives, c.n_predicted_positive as above, round(c.true_positive_rate * x.positives) as hits
      from pgscore_bi.${view} c join pgscore_bi.binary_performance_monthly p using (model_name, model_version, window_start) cross join lateral (select p.true_positives + p.false_negatives as positives) x
     where model_name = 'binary' and p.segment_key is null`;
    const { rows } = await superuser.query<Record<keyof Cut, string>>(read);
    expect(rows.length).toBeGreaterThan(100);
    for (const row of rows) {
      const { above, hits, all, positives } = row;
      const cut = { above: Number(above), hits: Number(hits), all: Number(all), positives: Number(positives) };
      expect(row).toMatchObject(judged(cut));
    }
  },
);

test('each share of a confusion matrix has the interval of recall, of which one of its cells is', async () => {
  const { rows } = await superuser.query(
    `select count(*)::int > 5 as many, bool_and((c.share_of_actual, c.share_of_actual_ci_low, c.share_of_actual_ci_high, c.n_labeled) = (p.recall_score, p.recall_ci_low, p.recall_ci_high, p.n_labeled)) as same
       from pgscore_bi.confusion_matrix_daily c join pgscore_bi.binary_performance_daily p using (model_name, model_version, window_start)
      where c.actual_class = 'yes' and c.predicted_class = 'yes' and p.segment_key is null`,
  );
  expect(rows).toEqual([{ many: true, same: true }]);
});

/** The queries of a page, about another model. */
function queriesOf(page: string, model: string): string[] {
  const text = readFileSync(new URL(`../../docs/reference/${page}`, import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/```sql\n([^]*?)```/g)].map(([, sql = '']) => sql);
  const block = blocks.find((sql) => sql.includes('percentile_cont')) ?? '';
  return block.split(';').map((one) => one.replace(/model_name = '\w+'/, `model_name = '${model}'`));
}

test('the queries of docs/reference/metrics.md give exact values, as scikit-learn and numpy do of all rows', async () => {
  await stage(superuser, alice, 'regression');
  const golden = (task: 'binary' | 'regression') =>
    readGolden(task).golden.find(({ grain, window_date: date }) => grain === 'month' && date === '2026-03-01')?.values;
  const [auc = ''] = queriesOf('metrics.md', 'binary');
  const area = await superuser.query<{ roc_auc: string }>(auc);
  expect(Number(area.rows[0]?.roc_auc)).toBeCloseTo(Number(golden('binary')?.['roc_auc']), 12);
  const [, errors = ''] = queriesOf('metrics.md', 'regression');
  const found = await superuser.query<{ abs_errors: number[] }>(errors);
  const exact = ['median_abs_error', 'p90_abs_error', 'max_abs_error'].map((name) => golden('regression')?.[name]);
  expect(found.rows[0]?.abs_errors).toEqual(exact.map((value) => expect.closeTo(Number(value), 12)));
});
