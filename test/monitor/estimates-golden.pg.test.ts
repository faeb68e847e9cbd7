import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from '@jest/globals';
import { renewCalibrations } from '../../src/monitor/renew-calibrations.ts';
import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun, type MonitoredModel } from './monitored-model.ts';

type Estimates = Record<string, number>;
type Day = { date: string; scores: number[]; truth: number[]; as_scored: Estimates; isotonic: Estimates };

type Whole = Pick<Day, 'as_scored' | 'isotonic'>;

const file = new URL('golden/estimates.json', import.meta.url);
const { days, whole } = JSON.parse(readFileSync(file, 'utf8')) as { days: Day[]; whole: Whole[] };
const THRESHOLD = 0.3714;

const database = await cloneDatabase();
const superuser = await database.client();
const always = (): boolean => true;

/** A model with a day of labelled predictions and one of unlabelled ones, of which a part lies in the bin of the threshold. */
async function stage(name: string): Promise<MonitoredModel> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  const decide = 'update pgscore_data.execution set threshold = $2 where version_id = $1';
  await superuser.query(decide, [model.versionId, THRESHOLD]);
  const rows = days.flatMap(({ date, scores, truth }) =>
    scores.map((score, index) => ({ score, at: `${date} 12:00:00+00`, truth: truth[index] })),
  );
  const predictions = rows.map(({ score, at }, id) => ({ id, at, score, label: score >= THRESHOLD ? 'yes' : 'no' }));
  await addRun(superuser, model, predictions);
  const truths = rows.map(({ truth }) => truth).filter((truth) => truth !== undefined);
  await superuser.query(
    `select pgscore.record_label($1, (n - 1)::text, case y when 1 then 'yes' else 'no' end, '2026-03-02 13:00+00') from unnest($2::int[]) with ordinality as x (y, n)`,
    [name, truths],
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

beforeAll(() => stage('estimated'));

test('before calibration scores are taken as they are, and the estimates are those of numpy from every pair of rows', async () => {
  const rows = await shown('estimated');
  expectEstimates(rows, 'as_scored');
  await expectWhole('as_scored');
  expect(rows[1]).toMatchObject({ is_calibrated: false, calibration: 'too_few_labels', is_realized: false, n: '300' });
});

test('with a labelled history scores mean what it says of them, as scikit-learn learns it, on days with labels and without', async () => {
  await renewCalibrations(superuser, always);
  await superuser.query('select pgscore.refresh()');
  const rows = await shown('estimated');
  expectEstimates(rows, 'isotonic');
  await expectWhole('isotonic');
  expect(rows).toMatchObject([
    { is_calibrated: true, is_realized: true, n_labeled: '600', undefined_reason: null },
    { is_calibrated: true, is_realized: false, n_labeled: '0', realized_accuracy: null, undefined_reason: null },
  ]);
});

test.each(['daily', 'weekly', 'monthly'])(
  'what labels then said stands beside the estimate, as the performance view has it, %s',
  async (suffix) => {
    const [row] = await shown('estimated', suffix);
    const read = `select accuracy, precision_score, recall_score, f1_score, roc_auc, positive_rate_actual as positive_rate
    from pgscore_bi.binary_performance_${suffix} where model_name = 'estimated' order by window_start limit 1`;
    const [performance] = (await superuser.query<Record<string, number>>(read)).rows;
    for (const [name, value] of Object.entries(performance ?? {}))
      expect([name, row?.[`realized_${name}`]]).toEqual([name, value]);
  },
);

test('a label that is corrected changes what came of a week, and not what was to be expected of it', async () => {
  const said = async () => (await shown('estimated', 'weekly'))[0];
  const before = await said();
  await superuser.query(
    `select pgscore.record_label('estimated', d.entity_key, case d.actual when 'yes' then 'no' else 'yes' end, '2026-03-02 13:00+00') from pgscore_bi.prediction_detail d where d.model_name = 'estimated' order by d.score desc limit 1`,
  );
  await superuser.query('select pgscore.refresh()');
  const after = await said();
  expect(after?.['realized_roc_auc']).not.toBe(before?.['realized_roc_auc']);
  for (const name of ['estimated_roc_auc', 'estimated_accuracy'])
    expect([name, after?.[name]]).toEqual([name, before?.[name]]);
});

test('nothing is learned again until the labelled history has grown by a tenth', async () => {
  const model = await stage('growing');
  await renewCalibrations(superuser, always);
  const learned = async (): Promise<unknown[]> => {
    const read = `select n, checked_at > changed_at as seen
      from pgscore_data.calibration_check left join pgscore_data.calibration using (version_id) where version_id = $1`;
    return (await superuser.query(read, [model.versionId])).rows;
  };
  expect(await learned()).toEqual([{ n: '600', seen: true }]);
  const grow = async (from: number, to: number, date: string): Promise<void> => {
    const more = Array.from({ length: to - from }, (_, index) => ({
      id: from + index,
      at: `${date} 12:00+00`,
      score: 0.6,
      label: 'yes',
    }));
    await addRun(superuser, model, more);
    const label = `select pgscore.record_label('growing', n::text, 'yes', $3) from generate_series($1::int, $2::int) n`;
    await superuser.query(label, [from, to - 1, `${date} 13:00+00`]);
    await superuser.query('select pgscore.refresh()');
    await renewCalibrations(superuser, always);
  };
  await grow(2000, 2010, '2026-03-04');
  expect(await learned()).toEqual([{ n: '600', seen: true }]);
  await grow(3000, 3060, '2026-03-05');
  expect(await learned()).toEqual([{ n: '670', seen: true }]);
  const withdraw = `select pgscore.record_label('growing', n::text, null, '2026-03-02 13:00+00') from generate_series(0, 599) n`;
  await superuser.query(withdraw);
  await superuser.query('select pgscore.refresh()');
  await renewCalibrations(superuser, always);
  expect(await learned()).toEqual([{ n: null, seen: true }]);
});

test('a refresh estimates the days that got predictions, and no other', async () => {
  const model = await stage('touched');
  await superuser.query('delete from pgscore_data.estimate where version_id = $1', [model.versionId]);
  await addRun(superuser, model, [{ id: 9000, at: '2026-03-03 12:00+00', score: 0.6, label: 'yes' }]);
  await superuser.query('select pgscore.refresh()');
  const rows = await shown('touched');
  expect(rows).toMatchObject([
    { n: '0', estimated_accuracy: null, undefined_reason: 'not_estimated' },
    { n: '301', undefined_reason: null },
  ]);
});

test('predictions without a score have no estimate, and the row says so', async () => {
  const model = await addMonitoredModel(superuser, 'speechless', 'binary');
  await superuser.query('update pgscore_data.execution set probabilities = false where version_id = $1', [
    model.versionId,
  ]);
  await addRun(superuser, model, [{ id: 1, at: '2026-03-03 12:00+00', score: Number.NaN, label: 'yes' }]);
  await superuser.query('select pgscore.refresh()');
  expect(await shown('speechless')).toMatchObject([
    { n: '0', estimated_accuracy: null, undefined_reason: 'no_probabilities' },
  ]);
});
