import { LocalClock } from '../lib/local-clock.ts';
import { WallTimes } from './wall-times.ts';

/** The instants, in milliseconds, at which a cron expression fires. */
export type FireTimes = {
  /** The first one after an instant. */
  after(instant: number): number;
  /** The last one that is not after an instant. */
  upTo(instant: number): number;
};

/** @throws PgscoreError `schedule_cron_invalid` or `schedule_time_zone_unknown`. */
export function fireTimes(cron: string, timeZone: string): FireTimes {
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
