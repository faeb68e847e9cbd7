import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';
import { wilson } from './wilson.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const ROWS = 240;
/** Hours that labels take, one in each band. */
const DELAYS = [3, 100, 500, 2000, 3000];
const AGES = ['1 day', '7 days', '30 days', '90 days', 'later'];

type Task = 'binary' | 'multiclass' | 'regression';

/** Two months of predictions whose labels come in five waves, the later ones more often wrong. */
async function addAged(task: Task): Promise<void> {
  const model = await addMonitoredModel(superuser, task, task);
  const said = (id: number) => (task === 'binary' ? ['no', 'yes'][id % 2] : 'abc'[id % 3]) ?? '';
  const at = (id: number): string => new Date(Date.UTC(2026, id % 2, 1 + (id % 28), 9)).toISOString();
  const rows = Array.from({ length: ROWS }, (_, id) => ({ id, at: at(id), score: (id % 10) / 10 }));
  await addRun(
    superuser,
    model,
    rows.map((row) => {
      if (task === 'regression') return row;
      if (task === 'multiclass') return { ...row, probabilities: [0.5, 0.3, 0.2], label: said(row.id) };
      return { ...row, label: said(row.id) };
    }),
  );
  const labels = rows.map(({ id, at: from, score }) => {
    const wave = id % DELAYS.length;
    const known = new Date(Date.parse(from) + (DELAYS[wave] ?? 0) * 3_600_000).toISOString();
    if (task === 'regression') return [String(id), String(score + wave + (id % 3)), known];
    return [String(id), said(id + (id % 7 <= wave ? 1 : 0)), known];
  });
  await superuser.query(
    `select pgscore.record_label($1, l ->> 0, l ->> 1, (l ->> 2)::timestamptz) from jsonb_array_elements($2::jsonb) l`,
    [task, JSON.stringify(labels)],
  );
}

for (const task of ['binary', 'multiclass', 'regression'] as const) await addAged(task);
await superuser.query('select pgscore.refresh()');

/** Month by month what every labelled prediction says of those whose label came within so many days. */
const RECOUNTED = `
  select to_char(d.event_time at time zone 'UTC', 'YYYY-MM-01') as month, a.age, count(*)::int as n,
         avg(d.is_correct::int)::float8 as accuracy, avg(abs(d.error))::float8 as mae, stddev_samp(abs(d.error))::float8 / sqrt(count(*)) as mae_error,
         count(*) filter (where d.is_correct)::int as hits,
         count(*) filter (where d.actual = 'yes' and d.predicted = 'yes')::int as found, count(*) filter (where 'yes' in (d.actual, d.predicted))::int as concerned
    from pgscore_bi.prediction_detail d
    join unnest($2::text[], array[1, 7, 30, 90, 1e9]) as a (age, days) on d.label_delay_days <= a.days
   where d.model_name = $1 group by 1, 2 order by 1, 3`;

type Recounted = Record<'n' | 'accuracy' | 'mae' | 'mae_error' | 'hits' | 'found' | 'concerned', number>;

const near = (value: number) => expect.closeTo(value, 12);

function expected(task: Task, row: Recounted): Record<string, unknown> {
  if (task === 'regression') {
    const margin = (1.959963984540054 * row.mae_error) / row.mae;
    const widened = Math.exp(1.1 * margin + 4 / (row.n - 1));
    const interval = { mae_ci_low: near(row.mae * Math.exp(-margin)), mae_ci_high: near(row.mae * widened) };
    return { accuracy: null, f1_score: null, f1_ci_low: null, mae: near(row.mae), ...interval };
  }
  const [low, high] = wilson(row.hits, row.n);
  const right = { accuracy: near(row.accuracy), accuracy_ci_low: near(low), accuracy_ci_high: near(high), mae: null };
  if (task === 'multiclass') return { ...right, f1_score: null, f1_ci_low: null };
  const [least, most] = wilson(row.found, row.concerned);
  return {
    ...right,
    f1_score: near((2 * row.found) / (row.found + row.concerned)),
    f1_ci_low: near((2 * least) / (1 + least)),
    f1_ci_high: near((2 * most) / (1 + most)),
  };
}

test.each(['binary', 'multiclass', 'regression'] as const)(
  'each month of a %s model is told by the labels that came within a day, a week and longer, with intervals',
  async (task) => {
    const recounted = await superuser.query<Recounted & { month: string; age: string }>(RECOUNTED, [task, AGES]);
    const { rows } = await superuser.query(
      `select *, window_date::text as month, window_end = window_start + interval '1 month' as is_month from pgscore_bi.performance_by_label_age where model_name = $1 order by window_date, n_labeled`,
      [task],
    );
    expect(rows).toHaveLength(2 * AGES.length);
    expect(rows).toMatchObject(
      recounted.rows.map((row) => ({
        ...expected(task, row),
        month: row.month,
        label_age: row.age,
        n_labeled: String(row.n),
        is_month: true,
      })),
    );
  },
);

test('each day is told how many labels came within a day, a week and longer', async () => {
  const { rows } = await superuser.query(
    `with recounted as (
       select d.model_name, (d.event_time at time zone 'UTC')::date as window_date, count(*) as n, count(*) filter (where d.label_delay_days <= 1) as n1, count(*) filter (where d.label_delay_days <= 7) as n7,
              count(*) filter (where d.label_delay_days <= 30) as n30, count(*) filter (where d.label_delay_days <= 90) as n90
         from pgscore_bi.prediction_detail d group by 1, 2
     )
     select count(*)::int as days, count(*) filter (where (c.n_labeled, c.n_labeled_1_day, c.n_labeled_7_days, c.n_labeled_30_days, c.n_labeled_90_days) = (r.n, r.n1, r.n7, r.n30, r.n90))::int as same
       from pgscore_bi.label_coverage_daily c full join recounted r using (model_name, window_date)`,
  );
  expect(rows).toEqual([{ days: 3 * 28, same: 3 * 28 }]);
});
