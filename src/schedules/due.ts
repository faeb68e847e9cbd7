import { firesBetween, lastFiresBetween, nextFire } from './clock.ts';
import { statement } from '../postgres/statement.ts';

export type CatchUp = 'skip' | 'latest' | 'all';

/** What says when a schedule fires. */
export type Timetable = {
  readonly cron: string;
  readonly timeZone: string;
  readonly paused: boolean;
  readonly catchUp: CatchUp;
  /** Fire times up to here need nothing any more. */
  readonly decidedUntil: Date;
};

/** What is to become of the fire times up to now. */
export type Due = {
  /** To be submitted, oldest first. */
  readonly submit: Date[];
  /** To be recorded as missed, oldest first. */
  readonly missed: Date[];
  /** Whether there are missed times before the first of `missed`, too many to record. */
  readonly more: boolean;
  /** How far this decides. */
  readonly decidedUntil: Date;
  /** When to decide again: the next fire time, which is past where there is more to submit than is submitted at once. */
  readonly next: Date;
};

/** A fire this late was not missed: the service was busy. */
const GRACE_MS = 60_000;
/** Others wait while a long gap is caught up, so it is caught up in parts. */
const MOST_SUBMITTED = 100;
const MOST_MISSED = 1000;

/**
 * Decides about the fire times that a schedule has had since `decidedUntil`, by the database's clock. Nothing is due in the
 * future, and nothing twice: a clock set back has no effect until it gets past `decidedUntil` again.
 *
 * @throws PgscoreError `schedule_cron_invalid` or `schedule_time_zone_unknown`.
 */
export function dueFires(timetable: Timetable, now: Date): Due {
  const { cron, timeZone, paused, catchUp, decidedUntil } = timetable;
  if (paused || now <= decidedUntil) return nothing(decidedUntil, nextFire(cron, timeZone, later(now, decidedUntil)));
  if (catchUp === 'all') return oldestFirst(timetable, now);
  const fires = lastFiresBetween(cron, timeZone, decidedUntil, now, MOST_MISSED + 1);
  const submit = catchUp === 'latest' ? fires.slice(-1) : fires.filter((fire) => +fire > +now - GRACE_MS);
  const missed = fires.slice(0, fires.length - submit.length);
  const more = fires.length > MOST_MISSED;
  return { submit, missed, more, decidedUntil: now, next: nextFire(cron, timeZone, now) };
}

function oldestFirst({ cron, timeZone, decidedUntil }: Timetable, now: Date): Due {
  const submit = firesBetween(cron, timeZone, decidedUntil, now, MOST_SUBMITTED);
  const reached = submit.length === MOST_SUBMITTED ? (submit.at(-1) ?? now) : now;
  return { submit, missed: [], more: false, decidedUntil: reached, next: nextFire(cron, timeZone, reached) };
}

function nothing(decidedUntil: Date, next: Date): Due {
  return { submit: [], missed: [], more: false, decidedUntil, next };
}

function later(one: Date, other: Date): Date {
  return one > other ? one : other;
}

/** A schedule whose next fire time has come, or is not known yet. */
export type DueSchedule = {
  readonly id: number;
  readonly name: string;
  readonly owner: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly catchUp: CatchUp;
  readonly decidedUntil: Date;
  /** Its function in pgscore_sources. */
  readonly handle: string;
  readonly guardKey: string;
  /** The database's clock, the only one that decides. */
  readonly now: Date;
};

/** The schedules to look at, the most urgent first. */
export const dueSchedules = statement<[], DueSchedule>(
  'due_schedules',
  `with clock as materialized (select clock_timestamp() as now)
   select s.schedule_id as id, s.name, s.owner, s.cron, s.time_zone as "timeZone", s.catch_up as "catchUp", s.decided_until as "decidedUntil",
          s.handle, s.guard_key as "guardKey", clock.now
     from pgscore_data.schedule s cross join clock
    where not s.paused and s.error is null and (s.next_fire_at is null or s.next_fire_at <= clock.now)
    order by s.next_fire_at nulls last, s.schedule_id`,
);

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
