import { expect, test } from '@jest/globals';
import { mulberry32 } from '../../src/lib/random.ts';
import { renewCalibrations } from '../../src/monitor/renew-calibrations.ts';
import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const random = mulberry32(3);

const PER_DAY = 2000;
const HISTORY = ['2026-03-02', '2026-03-03', '2026-03-04'];
const TODAY = '2026-04-06';

type Row = { id: number; at: string; score: number; label: string; truth: string };

/** Rows whose score is the root of the probability that they are positive: it claims too much. */
function day(date: string, first: number, draw: () => number): Row[] {
  return Array.from({ length: PER_DAY }, (_, index) => {
    const score = draw();
    const truth = random() < score ** 2 ? 'yes' : 'no';
    return { id: first + index, at: `${date} 12:00+00`, score, label: score >= 0.5 ? 'yes' : 'no', truth };
  });
}

async function label(rows: readonly Row[], at: string): Promise<void> {
  const record = `select pgscore.record_label('fraud', (l ->> 0), (l ->> 1), $1) from jsonb_array_elements($2::jsonb) l`;
  await superuser.query(record, [at, JSON.stringify(rows.map(({ id, truth }) => [id, truth]))]);
  await superuser.query('select pgscore.refresh()');
  await renewCalibrations(superuser, () => true);
  await superuser.query('select pgscore.refresh()');
}

async function today(): Promise<Record<string, unknown>> {
  const read = `select e.*, p.is_mature, p.accuracy, p.precision_score from pgscore_bi.estimated_performance_daily e
    join pgscore_bi.binary_performance_daily p using (model_name, model_version, window_start) where e.window_date = $1`;
  const [row] = (await superuser.query<Record<string, unknown>>(read, [TODAY])).rows;
  return row ?? {};
}

const share = (rows: readonly Row[], holds: (row: Row) => boolean): number => rows.filter(holds).length / rows.length;

test('where the labels of positives come first, the window is not mature, and the estimate is near the truth that it is far from', async () => {
  const model = await addMonitoredModel(superuser, 'fraud', 'binary');
  const history = HISTORY.flatMap((date, index) => day(date, index * PER_DAY, random));
  // Other rows than before: more of those that the model is unsure of.
  const rows = day(TODAY, HISTORY.length * PER_DAY, () => (random() + random()) / 2);
  await addRun(superuser, model, [...history, ...rows]);
  await label(history, '2026-04-01 12:00+00');
  const truth = {
    accuracy: share(rows, (row) => row.label === row.truth),
    precision: share(
      rows.filter((row) => row.label === 'yes'),
      (row) => row.truth === 'yes',
    ),
  };

  const early = rows.filter((row) => row.truth === 'yes');
  await label(early, '2026-04-07 12:00+00');
  const before = await today();
  expect(before).toMatchObject({ is_mature: false, is_realized: false, is_calibrated: true, calibration: 'isotonic' });
  expect(before).toMatchObject({ n_labeled: String(early.length), n: String(PER_DAY) });
  expect(Math.abs(Number(before['accuracy']) - truth.accuracy)).toBeGreaterThan(0.1);
  expect(before['precision_score']).toBe(1);
  expect(Math.abs(Number(before['estimated_accuracy']) - truth.accuracy)).toBeLessThan(0.02);
  expect(Math.abs(Number(before['estimated_precision_score']) - truth.precision)).toBeLessThan(0.03);

  const late = rows.filter((row) => row.truth === 'no');
  await label(late, '2026-05-06 12:00+00');
  const after = await today();
  expect(after).toMatchObject({ is_mature: true, is_realized: true, realized_accuracy: truth.accuracy });
  expect(Math.abs(Number(after['estimated_accuracy']) - truth.accuracy)).toBeLessThan(0.02);
});
