import { PgscoreError } from '../errors.ts';

/** Longer than any change that a zone has made, and than any offset from UTC. */
const DAY_MS = 86_400_000;

/** What the clocks of a time zone read, by Node's copy of the IANA data. Instants and readings are milliseconds. */
export class LocalClock {
  readonly #offset: Intl.DateTimeFormat;

  /** @throws PgscoreError `schedule_time_zone_unknown`. */
  constructor(timeZone: string) {
    try {
      this.#offset = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
    } catch (error) {
      throw new PgscoreError('schedule_time_zone_unknown', `time zone "${timeZone}" is not known`, {
        remedy: 'Use a name such as Europe/Berlin or UTC.',
        cause: error,
      });
    }
  }

  /** The reading at an instant, as if it were UTC. */
  reading(instant: number): number {
    return instant + this.#offsetAt(instant);
  }

  /** The furthest that the clock has read by an instant: in an hour that comes again, the end of that hour. */
  furthestReading(instant: number): number {
    const change = this.changeWithin(instant - DAY_MS, instant);
    if (change === undefined) return this.reading(instant);
    return Math.max(this.reading(instant), this.reading(change - 1));
  }

  /** The first instant at which the clock reads so much or more: of a reading left out, the change that leaves it out. */
  firstReached(reading: number): number {
    const change = this.changeWithin(reading - DAY_MS, reading + DAY_MS);
    const early = reading - this.#offsetAt(reading - DAY_MS);
    if (change === undefined || early < change) return early;
    return Math.max(change, reading - this.#offsetAt(change));
  }

  /** The instant of a reading, as PostgreSQL takes it: of one that comes again the later, of one left out as if the clock had not changed. */
  instantOf(reading: number): number {
    const change = this.changeWithin(reading - DAY_MS, reading + DAY_MS);
    const before = reading - this.#offsetAt(reading - DAY_MS);
    if (change === undefined) return before;
    const after = reading - this.#offsetAt(change);
    if (Math.max(before, after) < change) return before;
    return Math.min(before, after) >= change ? after : Math.max(before, after);
  }

  /** The first instant after `after`, up to `until`, from which the offset is another one. */
  changeWithin(after: number, until: number): number | undefined {
    for (let from = after; from < until; from += DAY_MS) {
      const to = Math.min(from + DAY_MS, until);
      if (this.#offsetAt(from) !== this.#offsetAt(to)) return this.#change(from, to);
    }
    return undefined;
  }

  /** As `changeWithin`, but the last one. */
  lastChangeWithin(after: number, until: number): number | undefined {
    for (let to = until; to > after; to -= DAY_MS) {
      const from = Math.max(to - DAY_MS, after);
      if (this.#offsetAt(from) !== this.#offsetAt(to)) return this.#change(from, to);
    }
    return undefined;
  }

  #change(from: number, to: number): number {
    const old = this.#offsetAt(from);
    let [before, after] = [from, to];
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.#offsetAt(middle) === old) before = middle;
      else after = middle;
    }
    return after;
  }

  #offsetAt(instant: number): number {
    const [, sign, hours, minutes, seconds] =
      /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(this.#offset.format(instant)) ?? [];
    if (sign === undefined) return 0;
    return Number(`${sign}1`) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds ?? 0)) * 1000;
  }
}
