import { CronExpressionParser, type CronExpression } from 'cron-parser';
import { LocalClock } from '../lib/local-clock.ts';
import { PgscoreError } from '../errors.ts';

/**
 * The first fire time after an instant.
 *
 * @param cron five fields (minute hour day-of-month month day-of-week), or @hourly, @daily, @weekly, @monthly, @yearly;
 *   where both day fields are restricted, either may match
 * @param timeZone IANA name of the zone whose clocks the fields mean
 * @throws PgscoreError `schedule_cron_invalid` or `schedule_time_zone_unknown`.
 */
export function nextFire(cron: string, timeZone: string, after: Date): Date {
  return new Date(fireTimes(cron, timeZone).after(after.getTime()));
}

/** The fire times after `after` and not after `until`, oldest first; of more than `most`, the oldest. Errors as of nextFire. */
export function firesBetween(cron: string, timeZone: string, after: Date, until: Date, most: number): Date[] {
  const times = fireTimes(cron, timeZone);
  const fires: Date[] = [];
  for (
    let fire = times.after(after.getTime());
    fire <= until.getTime() && fires.length < most;
    fire = times.after(fire)
  ) {
    fires.push(new Date(fire));
  }
  return fires;
}

/** As firesBetween; of more than `most`, the newest. */
export function lastFiresBetween(cron: string, timeZone: string, after: Date, until: Date, most: number): Date[] {
  const times = fireTimes(cron, timeZone);
  const fires: Date[] = [];
  for (
    let fire = times.upTo(until.getTime());
    fire > after.getTime() && fires.length < most;
    fire = times.upTo(fire - 1)
  ) {
    fires.push(new Date(fire));
  }
  return fires.toReversed();
}

/** The instants, in milliseconds, at which a cron expression fires. */
type FireTimes = {
  /** The first one after an instant. */
  after(instant: number): number;
  /** The last one that is not after an instant. */
  upTo(instant: number): number;
};

/** @throws PgscoreError `schedule_cron_invalid` or `schedule_time_zone_unknown`. */
function fireTimes(cron: string, timeZone: string): FireTimes {
  const times = new WallTimes(cron);
  const clock = new LocalClock(timeZone);
  return times.everyHour ? elapsing(times, clock) : atHours(times, clock);
}

/**
 * An expression that names hours fires when the clock first gets as far as the time named. So a time that a change leaves
 * out fires at the change, once with all others left out, and a time that comes twice fires the first time.
 */
function atHours(times: WallTimes, clock: LocalClock): FireTimes {
  return {
    after: (instant) => clock.firstReached(times.after(clock.furthestReading(instant))),
    upTo: (instant) => clock.firstReached(times.upTo(clock.furthestReading(instant))),
  };
}

/** An expression for every hour fires whenever the clock reads a time of it, so that quarters of an hour stay that. */
function elapsing(times: WallTimes, clock: LocalClock): FireTimes {
  return {
    after: (instant) => {
      for (let from = instant + 1; ;) {
        const fire = from + times.after(clock.reading(from) - 1) - clock.reading(from);
        const change = clock.changeWithin(from, fire);
        if (change === undefined) return fire;
        from = change;
      }
    },
    upTo: (instant) => {
      for (let to = instant; ;) {
        const fire = to + times.upTo(clock.reading(to)) - clock.reading(to);
        const change = clock.lastChangeWithin(fire, to);
        if (change === undefined) return fire;
        to = change - 1;
      }
    },
  };
}

const SHORTHAND = /^@(yearly|annually|monthly|weekly|daily|hourly)$/;

/**
 * The readings of a clock at which a cron expression fires, in milliseconds as if they were UTC.
 *
 * cron-parser 5.10 is right about a clock without changes and wrong about others: it fires 02:30 an hour late in spring,
 * `0 2 * * *` not at all in Lord Howe's gap of half an hour, and drops a half hour of a quarter-hourly expression there.
 * So it is asked in UTC only, and LocalClock places its answers.
 */
class WallTimes {
  readonly #cron: string;
  readonly #expression: CronExpression;
  /** Whether every hour of the day has a fire; such an expression counts elapsed time. */
  readonly everyHour: boolean;

  /** @throws PgscoreError `schedule_cron_invalid`. */
  constructor(cron: string) {
    this.#cron = cron;
    this.#expression = parsed(cron);
    this.everyHour = this.#expression.fields.hour.values.length === 24;
  }

  /** The first one after `reading`. */
  after(reading: number): number {
    return this.#ask(reading, () => this.#expression.next());
  }

  /** The last one that is not after `reading`. */
  upTo(reading: number): number {
    return this.#ask(reading + 1, () => this.#expression.prev());
  }

  #ask(reading: number, step: () => { getTime(): number }): number {
    this.#expression.reset(new Date(reading));
    try {
      return step().getTime();
    } catch (error) {
      throw invalid(this.#cron, 'it never fires', error);
    }
  }
}

function parsed(cron: string): CronExpression {
  const text = cron.trim();
  // H would be another minute each time it is asked for.
  const malformed = /H/.test(text) || text.split(/\s+/).length !== 5;
  if (malformed && !SHORTHAND.test(text)) throw invalid(cron, 'it is not five fields');
  try {
    return CronExpressionParser.parse(text, { tz: 'UTC' });
  } catch (error) {
    throw invalid(cron, error instanceof Error ? error.message : String(error), error);
  }
}

function invalid(cron: string, reason: string, cause?: unknown): PgscoreError {
  return new PgscoreError('schedule_cron_invalid', `cron expression "${cron}" cannot be used: ${reason}`, {
    remedy:
      'Write minute hour day-of-month month day-of-week, such as 0 2 * * *, or @hourly, @daily, @weekly, @monthly, @yearly.',
    cause,
  });
}
