import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from '@jest/globals';
import { renewCalibrations } from '../../src/monitor/renew-calibrations.ts';
import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun, type MonitoredModel } from './monitored-model.ts';

type Estimates = Record<string, number>;
type Day = { date: string; probabilities: number[][]; truth: string[]; as_scored: Estimates; isotonic: Estimates };
type Whole = Pick<Day, 'as_scored' | 'isotonic'>;

const file = new URL('golden/class_estimates.json', import.meta.url);
const { days, whole } = JSON.parse(readFileSync(file, 'utf8')) as { days: Day[]; whole: Whole[] };

const database = await cloneDatabase();
const superuser = await database.client();
const always = (): boolean => true;

function predictionsOf({ date, probabilities }: Day, first: number) {
  return probabilities.map((p, index) => {
    const score = Math.max(...p);
    const label = ['a', 'b', 'c'][p.indexOf(score)] ?? '';
    return { id: first + index, at: `${date} 12:00:00+00`, score, label, probabilities: p };
  });
}

/** A model with a day of labelled predictions and two of unlabelled ones. */
async function stage(name: string): Promise<MonitoredModel> {
  const model = await addMonitoredModel(superuser, name, 'multiclass');
  const predictions = days.flatMap((day, index) => predictionsOf(day, index * 1000));
  await addRun(superuser, model, predictions);
  await superuser.query(
    `select pgscore.record_label($1, (n - 1)::text, y, '2026-03-02 13:00+00') from unnest($2::text[]) with ordinality as x (y, n)`,
    [name, days[0]?.truth],
  );
  await superuser.query('select pgscore.refresh()');
  return model;
}

async function shown(name: string, suffix = 'daily'): Promise<Record<string, unknown>[]> {
  const read = `select *, window_date::text from pgscore_bi.estimated_performance_${suffix} where model_name = $1 order by window_start`;
  return (await superuser.query<Record<string, unknown>>(read, [name])).rows;
}

function expectValues(row: Record<string, unknown> | undefined, values: Estimates): void {
  for (const [name, value] of Object.entries(values)) {
    const off = Math.abs(Number(row?.[name]) - value) / value;
    expect([name, off < 1e-12, row?.[name]]).toEqual([name, true, row?.[name]]);
  }
}

function expectEstimates(rows: Record<string, unknown>[], state: 'as_scored' | 'isotonic'): void {
  expect(rows.map((row) => row['window_date'])).toEqual(days.map(({ date }) => date));
  for (const [index, day] of days.entries()) expectValues(rows[index], day[state]);
}

/** All days are of one week and one month. */
async function expectWhole(state: 'as_scored' | 'isotonic'): Promise<void> {
  const [golden] = whole;
  if (golden === undefined) throw new Error('no golden values');
  for (const [suffix, from] of [
    ['weekly', '2026-03-02'],
    ['monthly', '2026-03-01'],
  ] as const) {
    const rows = await shown('estimated', suffix);
    expect(rows).toMatchObject([{ window_date: from, undefined_reason: null, is_calibrated: state === 'isotonic' }]);
    expectValues(rows[0], golden[state]);
  }
}

let model: MonitoredModel;
beforeAll(async () => {
  model = await stage('estimated');
});

test('before calibration probabilities are taken as they are, and the estimates are those of numpy from every pair of rows', async () => {
  const rows = await shown('estimated');
  expectEstimates(rows, 'as_scored');
  await expectWhole('as_scored');
  expect(rows[1]).toMatchObject({ is_calibrated: false, calibration: 'too_few_labels', is_realized: false, n: '300' });
});

test('with a labelled history each class means what it says of it, as scikit-learn learns it; one of few labels is taken at its word', async () => {
  await renewCalibrations(superuser, always);
  await superuser.query('select pgscore.refresh()');
  const rows = await shown('estimated');
  expectEstimates(rows, 'isotonic');
  await expectWhole('isotonic');
  const calibrated = { is_calibrated: true, calibration: 'isotonic', undefined_reason: null };
  expect(rows).toMatchObject([
    { ...calibrated, is_realized: true, n_labeled: '600', estimated_positive_rate: null },
    { ...calibrated, is_realized: false, n_labeled: '0', realized_accuracy: null },
    calibrated,
  ]);
});

test('what labels then said stands beside the estimate, as the performance view has it', async () => {
  const [row] = await shown('estimated');
  const read = `select accuracy, macro_precision as precision_score, macro_recall as recall_score, macro_f1 as f1_score, macro_roc_auc as roc_auc
    from pgscore_bi.multiclass_performance_daily where model_name = 'estimated' order by window_start limit 1`;
  const [performance] = (await superuser.query<Record<string, number>>(read)).rows;
  expect(Object.values(performance ?? {})).not.toContain(null);
  for (const [name, value] of Object.entries(performance ?? {}))
    expect([name, row?.[`realized_${name}`]]).toEqual([name, value]);
});

test('calibrated, the estimate of accuracy is near what came of it, where the probabilities claimed far more', async () => {
  const [row] = await shown('estimated');
  const realized = Number(row?.['realized_accuracy']);
  expect(Math.abs(Number(row?.['estimated_accuracy']) - realized)).toBeLessThan(0.01);
  expect((days[0]?.as_scored['estimated_accuracy'] ?? 0) - realized).toBeGreaterThan(0.1);
});

test('nothing is learned again until the labelled history has grown by a tenth', async () => {
  const learned = async (): Promise<unknown[]> => {
    const read = `select n, checked_at > changed_at as seen
      from pgscore_data.calibration_check left join pgscore_data.calibration using (version_id) where version_id = $1`;
    return (await superuser.query(read, [model.versionId])).rows;
  };
  const say = async (first: number, count: number): Promise<void> => {
    const [day] = days;
    const date = `2026-03-${10 + first / 1000}`;
    if (day !== undefined) await addRun(superuser, model, predictionsOf({ ...day, date }, first * 10).slice(0, count));
    const label = `select pgscore.record_label('estimated', n::text, 'a', $3) from generate_series($1::int, $2::int) n`;
    await superuser.query(label, [first * 10, first * 10 + count - 1, `${date} 13:00+00`]);
    await superuser.query('select pgscore.refresh()');
    await renewCalibrations(superuser, always);
  };
  expect(await learned()).toEqual([{ n: '600', seen: true }]);
  await say(1000, 10);
  expect(await learned()).toEqual([{ n: '600', seen: true }]);
  await say(2000, 60);
  expect(await learned()).toEqual([{ n: '670', seen: true }]);
  const withdraw = `select pgscore.record_label('estimated', n::text, null, '2026-03-02 13:00+00') from generate_series(0, 599) n`;
  await superuser.query(withdraw);
  await superuser.query('select pgscore.refresh()');
  await renewCalibrations(superuser, always);
  expect(await learned()).toEqual([{ n: null, seen: true }]);
});

test('counts of an attempt that came to nothing are let go of, and those of a run that goes on are left to it', async () => {
  const other = await addMonitoredModel(superuser, 'attempts', 'multiclass');
  const [day] = days;
  if (day === undefined) throw new Error('there is no day');
  const runs: string[] = [];
  for (const first of [0, 1000, 2000]) runs.push(await addRun(superuser, other, predictionsOf(day, first)));
  await superuser.query('update pgscore_data.class_tally set attempt = 0 where run_id = $1', [runs[0]]);
  await superuser.query(`update pgscore_data.run set state = 'running' where run_id = $1`, [runs[1]]);
  await superuser.query('select pgscore.refresh()');
  expect(await shown('attempts')).toMatchObject([{ n: '600' }]);
  expect((await superuser.query('select run_id from pgscore_data.class_tally')).rows).toEqual([{ run_id: runs[1] }]);
});

test('predictions that were not counted by class have no estimate, and the row says so', async () => {
  const other = await addMonitoredModel(superuser, 'uncounted', 'multiclass');
  const [day] = days;
  if (day === undefined) throw new Error('there is no day');
  const run = await addRun(superuser, other, predictionsOf(day, 0));
  await superuser.query('delete from pgscore_data.class_tally where run_id = $1', [run]);
  await superuser.query('select pgscore.refresh()');
  const nothing = { n: '0', estimated_accuracy: null };
  expect(await shown('uncounted')).toMatchObject([{ ...nothing, undefined_reason: 'not_counted' }]);
  await superuser.query('update pgscore_data.execution set probabilities = false where version_id = $1', [
    other.versionId,
  ]);
  expect(await shown('uncounted')).toMatchObject([{ ...nothing, undefined_reason: 'no_probabilities' }]);
});
