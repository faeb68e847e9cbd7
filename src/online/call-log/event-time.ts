import { LocalClock } from '../../lib/local-clock.ts';
import { NumberRows } from '../../inference/number-rows.ts';
import type { ScoreRequest } from '../requests/parse.ts';

/** Of each row of a call the time that it is for, in microseconds since 2000, NaN where it does not say; null where none does. */
export type EventTimes = Float64Array | null;

const DATE = '(?<year>(?!9999)[1-9]\\d{3})-(?<month>0[1-9]|1[0-2])-(?<day>0[1-9]|[12]\\d|3[01])';
const TIME = '(?<hours>[01]\\d|2[0-3]):(?<minutes>[0-5]\\d)(?::(?<seconds>[0-5]\\d)(?<fraction>\\.\\d{1,9})?)?';
const OFFSET = '(?<offset>Z|[+-]\\d\\d(?::?\\d\\d(?::\\d\\d)?)?)';
/** As PostgreSQL writes a date, timestamp or timestamptz, in JSON or as a text. */
const WRITTEN = new RegExp(`^${DATE}(?:[T ]${TIME}${OFFSET}?)?$`);

const EPOCH_MS = Date.UTC(2000, 0, 1);
const MICROSECONDS = 1e6;
const MICROSECONDS_A_MS = 1000;
/** Clocks change at multiples of this. */
const SLOT_MS = 900_000;
/** What is remembered of a time zone is bounded, as callers choose the times. */
const MOST_SLOTS = 10_000;

/** Reads times that rows say; those without an offset from UTC are of one time zone. */
export class EventTimeReader {
  readonly #timeZone: string;
  #clock: LocalClock | undefined;
  readonly #shifts = new Map<number, number>();

  constructor(timeZone: string) {
    this.#timeZone = timeZone;
  }

  /** The times that the rows of a request say, as they came. */
  timesOf({ rows, about }: Pick<ScoreRequest, 'rows' | 'about'>, column: string): EventTimes {
    const times =
      rows instanceof NumberRows
        ? Float64Array.from({ length: rows.length }, (_, row) => this.read(about[column]?.[row]))
        : Float64Array.from(rows, (row) => this.read(row[column]));
    return times.every(Number.isNaN) ? null : times;
  }

  /** In microseconds since 2000; NaN for what is no time of the years 1000 to 9998. */
  read(value: unknown): number {
    const groups = typeof value === 'string' ? WRITTEN.exec(value)?.groups : undefined;
    if (groups === undefined) return Number.NaN;
    const { year, month, day, hours = 0, minutes = 0, seconds = 0, fraction = '', offset } = groups;
    const time = [Number(hours), Number(minutes), Number(seconds)] as const;
    const reading = Date.UTC(Number(year), Number(month) - 1, Number(day), ...time);
    // There is no 30th of February.
    if (new Date(reading).getUTCDate() !== Number(day)) return Number.NaN;
    const instant = offset === undefined ? this.#instantOf(reading) : reading - millisecondsOf(offset);
    return (instant - EPOCH_MS) * MICROSECONDS_A_MS + Math.round(Number(`0${fraction}`) * MICROSECONDS);
  }

  #instantOf(reading: number): number {
    const slot = Math.floor(reading / SLOT_MS);
    return reading + (this.#shifts.get(slot) ?? this.#look(slot));
  }

  #look(slot: number): number {
    this.#clock ??= new LocalClock(this.#timeZone);
    const shift = this.#clock.instantOf(slot * SLOT_MS) - slot * SLOT_MS;
    if (this.#shifts.size >= MOST_SLOTS) this.#shifts.clear();
    this.#shifts.set(slot, shift);
    return shift;
  }
}

/** The time that a row of a call is for, in microseconds since 2000: the moment of the call where it does not say. */
export function timeOf(instant: number, eventTimes: EventTimes, row: number): number {
  const time = eventTimes?.[row] ?? Number.NaN;
  return Number.isNaN(time) ? instant : time;
}

function millisecondsOf(offset: string): number {
  if (offset === 'Z') return 0;
  const [hours = 0, minutes = 0, seconds = 0] = (offset.match(/\d\d/g) ?? []).map(Number);
  return (offset.startsWith('-') ? -1000 : 1000) * (hours * 3600 + minutes * 60 + seconds);
}
