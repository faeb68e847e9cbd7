import { statement } from '../postgres/statement.ts';

/**
 * Notes how far a schedule is decided and when it fires next; never back. One that its owner has locked, by a pause that is
 * not committed yet, is left for the next time. Dates of JavaScript have no microseconds.
 */
export const advanceSchedule = statement<[scheduleId: number, decidedUntil: string, next: string]>(
  'advance_schedule',
  `update pgscore_data.schedule s
      set decided_until = greatest(s.decided_until, $2::timestamptz),
          next_fire_at = case when date_trunc('milliseconds', s.decided_until) <= $2::timestamptz then $3::timestamptz else s.next_fire_at end
    where s.schedule_id = (select x.schedule_id from pgscore_data.schedule x where x.schedule_id = $1 for no key update skip locked)`,
);

/** Says why a schedule can never fire, so that nobody tries again until it is paused and resumed. */
export const breakSchedule = statement<[scheduleId: number, error: string]>(
  'break_schedule',
  `update pgscore_data.schedule s set error = $2
    where s.schedule_id = (select x.schedule_id from pgscore_data.schedule x where x.schedule_id = $1 for no key update skip locked)`,
);
