import { expect, test } from '@jest/globals';
import { renewCalibrations } from '../../src/monitor/renew-calibrations.ts';
import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const CLEAN_DAYS = 210;
const DRIFTED_DAYS = 20;
const LATER_DAYS = 20;
const ROWS = 8;
const FIRST = Date.UTC(2026, 0, 1, 12);
const dayOf = (day: number): string => new Date(FIRST + day * 86_400_000).toISOString();

/** Scores that claim too much: 0.9 comes true in two of four rows, 0.3 in one of four. */
const SCORES = [0.9, 0.3];

/** Labels the days from `first` on: as ever, or turned around. */
async function label(model: string, [yes, no]: [string, string], [first, end]: [number, number]): Promise<void> {
  const drifted = first >= CLEAN_DAYS;
  const say = `select pgscore.record_label($1, (d * $5 + r)::text, case when (r / 2 < case r % 2 when 0 then 2 else 1 end) <> $6 then $7 else $8 end, $4::timestamptz + d * interval '1 day' + interval '1 hour')
    from generate_series($2::int, $3::int) d, generate_series(0, $5::int - 1) r`;
  await superuser.query(say, [model, first, end - 1, dayOf(0), ROWS, drifted, yes, no]);
  await superuser.query('select pgscore.refresh()');
  await renewCalibrations(superuser, () => true);
  await superuser.query('select pgscore.refresh()');
}

type Shown = { window_date: string; calibrated_until: string; calibration: string; estimated_accuracy: number };

async function shown(model: string, suffix = 'daily'): Promise<Shown[]> {
  const read = `select window_date::text, calibrated_until::text, calibration, estimated_accuracy, estimated_recall_score, estimated_roc_auc
    from pgscore_bi.estimated_performance_${suffix} where model_name = $1 order by window_start`;
  return (await superuser.query<Shown>(read, [model])).rows;
}

async function predict(model: MonitoredModel, days: number, labels: [string, string]): Promise<void> {
  const several = labels[0] === 'a';
  const predictions = Array.from({ length: days * ROWS }, (_, id) => {
    const score = SCORES[id % 2] ?? 0;
    const probabilities = several ? { probabilities: [score, 0.95 - score, 0.05] } : {};
    return {
      id,
      at: dayOf(Math.floor(id / ROWS)),
      score,
      label: score > 0.5 ? labels[0] : labels[1],
      ...probabilities,
    };
  });
  await addRun(superuser, model, predictions);
  await superuser.query('select pgscore.refresh()');
}

test.each([
  ['binary', ['yes', 'no']],
  ['multiclass', ['a', 'b']],
] as const)(
  'twenty days of concept drift move no estimate of the two hundred and ten days before them: %s',
  async (task, [yes, no]) => {
    const name = `drifted_${task}`;
    const model = await addMonitoredModel(superuser, name, task);
    await predict(model, CLEAN_DAYS + DRIFTED_DAYS + LATER_DAYS, [yes, no]);
    await label(name, [yes, no], [0, CLEAN_DAYS]);
    const before = await shown(name);
    expect(new Set(before.map(({ calibration }) => calibration))).toEqual(new Set(['isotonic']));
    await label(name, [yes, no], [CLEAN_DAYS, CLEAN_DAYS + DRIFTED_DAYS]);
    const after = await shown(name);
    expect(after.slice(0, CLEAN_DAYS)).toEqual(before.slice(0, CLEAN_DAYS));
    const [was, is] = [before.at(-1), after.at(-1)];
    expect(is).toMatchObject({ window_date: '2026-09-07', calibrated_until: '2026-08-18' });
    expect(is?.estimated_accuracy).not.toBe(was?.estimated_accuracy);
  },
);

test('a month is estimated by the labels of the year before it, and the first one, which has none before, by its own', async () => {
  const model = await addMonitoredModel(superuser, 'monthly', 'binary');
  const days = 31 * 15;
  await predict(model, days, ['yes', 'no']);
  await label('monthly', ['yes', 'no'], [0, 100]);
  const until = async () =>
    new Map((await shown('monthly', 'monthly')).map((row) => [row.window_date, row.calibrated_until]));
  expect([...(await until())]).toEqual([
    ['2026-01-01', '2026-01-31'],
    ['2026-02-01', '2026-01-31'],
    ['2026-03-01', '2026-02-28'],
    ['2026-04-01', '2026-03-31'],
    ...['05', '06', '07', '08', '09', '10', '11', '12'].map((month) => [`2026-${month}-01`, '2026-04-10']),
    ...['01', '02', '03', '04'].map((month) => [`2027-${month}-01`, '2026-04-10']),
  ]);
  await label('monthly', ['yes', 'no'], [100, days - 31]);
  const learned = `select (month at time zone 'UTC')::date::text as month, n::int / ${ROWS} as days from pgscore_data.calibration where version_id = $1 order by 1 desc limit 2`;
  expect((await superuser.query(learned, [model.versionId])).rows).toEqual([
    { month: '2027-04-01', days: 365 - 31 + 10 },
    { month: '2027-03-01', days: 365 },
  ]);
});
