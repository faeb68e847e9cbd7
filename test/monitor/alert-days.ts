import type { Client } from 'pg';

import type { MonitoredModel } from './monitored-model.ts';

export type Day = {
  /** Of 0 to 1; null: none of the truth is known. */
  readonly accuracy: number | null;
  readonly n?: number;
  /** Of the labelled, how many are positive; half of them by default. */
  readonly positives?: number;
  readonly failed?: number;
};

const FIRST = Date.UTC(2026, 2, 1);
const DAY_MS = 86_400_000;

/** Midnight of a day, 0 being 1 March 2026 in UTC, with some hours added. */
export function at(day: number, hours = 0): string {
  return new Date(FIRST + day * DAY_MS + hours * 3_600_000).toISOString();
}

/** Puts a day of a binary classifier into the cells, as refreshes would have left it: so many right, in either class. */
export async function putDay(superuser: Client, model: MonitoredModel, day: number, put: Day): Promise<void> {
  const { accuracy, n = 10_000, positives = n / 2, failed = 0 } = put;
  const cells: [number, number, number][] = [];
  if (accuracy !== null) {
    const [found, kept] = [Math.round(positives * accuracy), Math.round((n - positives) * accuracy)];
    cells.push([1, 1, found], [1, 0, positives - found], [0, 0, kept], [0, 1, n - positives - kept]);
  }
  await superuser.query('begin');
  await superuser.query(
    `with due as (
       insert into pgscore_data.alert_due (version_id) values ($1)
     ), volume as (
       insert into pgscore_data.cell_volume (version_id, day, n_predictions, n_failed, n_scored) values ($1, $2, $3, $4, $3)
       on conflict (version_id, segment_id, day) do update set n_predictions = excluded.n_predictions, n_failed = excluded.n_failed, n_scored = excluded.n_scored
     ), scored as (
       insert into pgscore_data.cell_score (version_id, day, bin, n) values ($1, $2, 0, $3)
       on conflict (version_id, day, bin) do update set n = excluded.n
     ), gone as (
       delete from pgscore_data.cell_outcome where version_id = $1 and day = $2 and age_band = 0
     )
     select`,
    [model.versionId, at(day), n, failed],
  );
  await superuser.query(
    `insert into pgscore_data.cell_outcome (version_id, day, age_band, actual_class, predicted_class, n, sum_brier, sum_log_loss)
     select $1, $2, 0, (c ->> 0)::int, (c ->> 1)::int, (c ->> 2)::int, 0, 0 from jsonb_array_elements($3::jsonb) c`,
    [model.versionId, at(day), JSON.stringify(cells)],
  );
  await superuser.query('commit');
}

/** Looks at the alerts as a service would at that time, whatever the time of another test was; the last event that came of it. */
export async function evaluate(client: Client, time: string): Promise<string | null> {
  await client.query(`update pgscore_data.alert_clock set last_at = '-infinity'`);
  const { rows } = await client.query<{ event: string | null }>(
    'select event from pgscore_data._evaluate_alerts($1, at_once => true)',
    [time],
  );
  return rows[0]?.event ?? null;
}

/** A series of accuracies, a day each, looked at on the morning after each. */
export async function live(superuser: Client, model: MonitoredModel, days: readonly Day[]): Promise<void> {
  for (const [day, put] of days.entries()) {
    await putDay(superuser, model, day, put);
    await evaluate(superuser, at(day + 1, 6));
  }
}

export type Told = { event: string; day: number; value: number | null };

/** The events of a rule in order, by the day of their window. */
export async function told(client: Client, model: string, alert: string): Promise<Told[]> {
  const { rows } = await client.query<Told>(
    `select event, window_date - date '2026-03-01' as day, value from pgscore_bi.alert_history
      where model_name = $1 and alert = $2 and event <> 'reminder' order by event_id`,
    [model, alert],
  );
  return rows;
}

/** The number of yesterday, for a service that has a clock of its own. */
export function yesterday(): number {
  return Math.floor((Date.now() - FIRST) / DAY_MS) - 1;
}
