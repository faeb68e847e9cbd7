import { firesBetween, lastFiresBetween, nextFire } from './cron.ts';

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
