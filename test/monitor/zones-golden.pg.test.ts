import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

let models = 0;

type Window = { date: string; start: string; end: string; labeled: number; right: number };

/** The windows of a model in a zone that has a prediction an hour, rightly called, from one instant to another. */
async function windows(zone: string, from: string, to: string, grain = 'daily'): Promise<Window[]> {
  models += 1;
  const name = `zoned${models}`;
  const model = await addMonitoredModel(superuser, name, 'binary');
  await superuser.query('update pgscore_data.monitor set time_zone = $2 where model_id = $1', [model.modelId, zone]);
  const hours = await superuser.query<{ at: string }>(
    `select to_char(h at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"+00"') as at from generate_series($1::timestamptz, $2::timestamptz - interval '1 second', interval '1 hour') h`,
    [from, to],
  );
  await addRun(
    superuser,
    model,
    hours.rows.map(({ at }, id) => ({ id, at, score: id % 2 === 0 ? 0.75 : 0.25, label: id % 2 === 0 ? 'yes' : 'no' })),
  );
  await superuser.query(
    `select pgscore.record_label($1, n::text, case n % 2 when 0 then 'yes' else 'no' end, now()) from generate_series(0, $2::int - 1) n`,
    [name, hours.rows.length],
  );
  await superuser.query('select pgscore.refresh()');
  const read = `select window_date::text as date, to_char(window_start at time zone 'UTC', 'MM-DD HH24:MI') as start, to_char(window_end at time zone 'UTC', 'MM-DD HH24:MI') as end,
      n_labeled::int as labeled, (roc_auc * (true_positives + true_negatives))::int as right
    from pgscore_bi.binary_performance_${grain} where model_name = $1 order by window_start`;
  const { rows } = await superuser.query<Window>(read, [name]);
  return rows;
}

test('the day on which clocks go forward in New York has 23 hours, and the one on which they go back 25', async () => {
  expect(await windows('America/New_York', '2026-03-07 05:00+00', '2026-03-10 04:00+00')).toEqual([
    { date: '2026-03-07', start: '03-07 05:00', end: '03-08 05:00', labeled: 24, right: 24 },
    { date: '2026-03-08', start: '03-08 05:00', end: '03-09 04:00', labeled: 23, right: 23 },
    { date: '2026-03-09', start: '03-09 04:00', end: '03-10 04:00', labeled: 24, right: 24 },
  ]);
  expect(await windows('America/New_York', '2026-11-01 04:00+00', '2026-11-02 05:00+00')).toEqual([
    { date: '2026-11-01', start: '11-01 04:00', end: '11-02 05:00', labeled: 25, right: 25 },
  ]);
});

test('a day in Kolkata begins at half past six in the evening', async () => {
  expect(await windows('Asia/Kolkata', '2026-03-07 18:30+00', '2026-03-09 18:30+00')).toEqual([
    { date: '2026-03-08', start: '03-07 18:30', end: '03-08 18:30', labeled: 24, right: 24 },
    { date: '2026-03-09', start: '03-08 18:30', end: '03-09 18:30', labeled: 24, right: 24 },
  ]);
});

test('a day whose midnight the clock skips ends where the next one begins', async () => {
  // Santiago goes from 23:59:59 on Saturday to 01:00 on Sunday.
  expect(await windows('America/Santiago', '2025-09-06 04:00+00', '2025-09-09 03:00+00')).toEqual([
    { date: '2025-09-06', start: '09-06 04:00', end: '09-07 04:00', labeled: 24, right: 24 },
    { date: '2025-09-07', start: '09-07 04:00', end: '09-08 03:00', labeled: 23, right: 23 },
    { date: '2025-09-08', start: '09-08 03:00', end: '09-09 03:00', labeled: 24, right: 24 },
  ]);
});

test('weeks and months are those of the zone', async () => {
  expect(await windows('America/New_York', '2026-03-02 05:00+00', '2026-03-16 04:00+00', 'weekly')).toEqual([
    { date: '2026-03-02', start: '03-02 05:00', end: '03-09 04:00', labeled: 167, right: 167 },
    { date: '2026-03-09', start: '03-09 04:00', end: '03-16 04:00', labeled: 168, right: 168 },
  ]);
  expect(await windows('Asia/Kolkata', '2026-02-28 16:30+00', '2026-02-28 20:30+00', 'monthly')).toEqual([
    { date: '2026-02-01', start: '01-31 18:30', end: '02-28 18:30', labeled: 2, right: 2 },
    { date: '2026-03-01', start: '02-28 18:30', end: '03-31 18:30', labeled: 2, right: 2 },
  ]);
});
