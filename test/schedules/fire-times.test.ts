import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { firesBetween, lastFiresBetween } from '../../src/schedules/clock.ts';

const MINUTE = 60_000;

/** Spans of four days around changes of all kinds: an hour, half an hour, at midnight, a day, and none. */
const CHANGES = [
  ['Europe/Berlin', '2025-03-28'],
  ['Europe/Berlin', '2025-10-24'],
  ['America/New_York', '2025-11-01'],
  ['Australia/Lord_Howe', '2025-10-03'],
  ['Australia/Lord_Howe', '2025-04-04'],
  ['Asia/Beirut', '2025-03-28'],
  ['America/Havana', '2025-11-01'],
  ['Pacific/Apia', '2011-12-28'],
  ['Africa/Casablanca', '2025-02-21'],
  ['Asia/Kathmandu', '2025-03-01'],
] as const;

type Fields = { minutes: number[]; hours: number[] | undefined; weekdays: number[] | undefined };

const fields: fc.Arbitrary<Fields> = fc.record({
  minutes: fc.uniqueArray(fc.constantFrom(0, 5, 15, 30, 45, 59), { minLength: 1 }),
  hours: fc.option(fc.uniqueArray(fc.constantFrom(0, 1, 2, 3, 4, 23), { minLength: 1 }), { nil: undefined }),
  weekdays: fc.option(fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1 }), { nil: undefined }),
});

function expression({ minutes, hours, weekdays }: Fields): string {
  return `${minutes.join(',')} ${hours?.join(',') ?? '*'} * * ${weekdays?.join(',') ?? '*'}`;
}

/** The clock's reading at an instant, as if it were UTC. */
function reader(timeZone: string): (instant: number) => number {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  return (instant) => Date.parse(`${format.format(instant).replace(' ', 'T')}Z`);
}

function matches({ minutes, hours, weekdays }: Fields, reading: number): boolean {
  const at = new Date(reading);
  return (
    minutes.includes(at.getUTCMinutes()) &&
    (hours?.includes(at.getUTCHours()) ?? true) &&
    (weekdays?.includes(at.getUTCDay()) ?? true)
  );
}

/** The rule itself, minute by minute: a named hour fires when the clock first gets as far, every hour whenever it reads so. */
function byTheMinute(wanted: Fields, timeZone: string, start: number, end: number): number[] {
  const read = reader(timeZone);
  const found: number[] = [];
  let furthest = read(start - 1440 * MINUTE);
  for (let instant = start - 1440 * MINUTE; instant <= end; instant += MINUTE) {
    const reading = read(instant);
    let fires = wanted.hours === undefined && matches(wanted, reading);
    for (; furthest < reading; furthest += MINUTE) {
      if (wanted.hours !== undefined && matches(wanted, furthest + MINUTE)) fires = true;
    }
    if (fires && instant > start) found.push(instant);
  }
  return found;
}

test('fire times are those that going through every minute finds, forwards and backwards', () => {
  fc.assert(
    fc.property(
      fields,
      fc.constantFrom(...CHANGES),
      fc.integer({ min: 0, max: 4 * 1440 }),
      (wanted, [zone, day], skip) => {
        const start = Date.parse(`${day}T00:00:00Z`) + skip * MINUTE;
        const end = Date.parse(`${day}T00:00:00Z`) + 5 * 1440 * MINUTE;
        const expected = byTheMinute(wanted, zone, start, end);
        const span = [expression(wanted), zone, new Date(start), new Date(end), 9999] as const;
        expect(firesBetween(...span).map(Number)).toEqual(expected);
        expect(lastFiresBetween(...span).map(Number)).toEqual(expected);
      },
    ),
    { numRuns: 15 },
  );
});
