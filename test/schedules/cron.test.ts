import { describe, expect, test } from '@jest/globals';
import { firesBetween, lastFiresBetween, nextFire } from '../../src/schedules/clock.ts';
import { caught } from '../support/caught.ts';

/** Fire times after an instant, as `03-30T01:00`, UTC. */
function fires(cron: string, timeZone: string, after: string, count: number): string[] {
  return firesBetween(cron, timeZone, new Date(after), new Date('2100-01-01'), count).map(brief);
}

function brief(fire: Date): string {
  expect(fire.getTime() % 60_000).toBe(0);
  return fire.toISOString().slice(5, 16);
}

describe('a spring gap', () => {
  test.each([
    ['02:30 fires at the change', '30 2 * * *', ['03-29T01:30', '03-30T01:00', '03-31T00:30']],
    ['02:00, the change itself, fires there', '0 2 * * *', ['03-29T01:00', '03-30T01:00', '03-31T00:00']],
    [
      '02:00 and 02:30 fire once together',
      '0,30 2 * * *',
      ['03-29T01:00', '03-29T01:30', '03-30T01:00', '03-31T00:00'],
    ],
    ['02:00 and 03:00 fire once together', '0 2,3 * * *', ['03-29T01:00', '03-29T02:00', '03-30T01:00', '03-31T00:00']],
    [
      '02:30 does not take 03:30 with it',
      '30 2,3 * * *',
      ['03-29T01:30', '03-29T02:30', '03-30T01:00', '03-30T01:30', '03-31T00:30'],
    ],
    ['a time before it is as always', '30 1 * * *', ['03-29T00:30', '03-30T00:30', '03-30T23:30']],
    ['a time after it is as always', '0 4 * * *', ['03-29T03:00', '03-30T02:00', '03-31T02:00']],
  ])('%s', (_, cron, expected) => {
    expect(fires(cron, 'Europe/Berlin', '2025-03-29T00:10:00Z', expected.length)).toEqual(expected);
  });

  test('quarters of an hour go on, without one more at the change', () => {
    expect(fires('*/15 * * * *', 'Europe/Berlin', '2025-03-30T00:30:00Z', 4)).toEqual([
      '03-30T00:45',
      '03-30T01:00',
      '03-30T01:15',
      '03-30T01:30',
    ]);
    expect(fires('30 * * * *', 'Europe/Berlin', '2025-03-30T00:00:00Z', 3)).toEqual([
      '03-30T00:30',
      '03-30T01:30',
      '03-30T02:30',
    ]);
  });

  test('midnight that is left out fires at the change', () => {
    expect(fires('0 0 * * *', 'Asia/Beirut', '2025-03-29T12:00:00Z', 2)).toEqual(['03-29T22:00', '03-30T21:00']);
    expect(fires('30 0 * * *', 'Asia/Beirut', '2025-03-29T12:00:00Z', 2)).toEqual(['03-29T22:00', '03-30T21:30']);
  });

  test('a day that is left out fires at the change', () => {
    const samoa = firesBetween('0 12 30 12 *', 'Pacific/Apia', new Date('2011-01-01'), new Date('2013-01-01'), 9);
    expect(samoa.map((fire) => fire.toISOString())).toEqual(['2011-12-30T10:00:00.000Z', '2012-12-29T22:00:00.000Z']);
  });
});

describe('an autumn overlap', () => {
  test('01:30 that comes twice fires the first time only', () => {
    expect(fires('30 1 * * *', 'America/New_York', '2025-11-01T12:00:00Z', 2)).toEqual(['11-02T05:30', '11-03T06:30']);
  });

  test('asked between the two, the next is tomorrow', () => {
    expect(fires('30 1 * * *', 'America/New_York', '2025-11-02T05:30:00Z', 1)).toEqual(['11-03T06:30']);
    expect(fires('30 1 * * *', 'America/New_York', '2025-11-02T06:10:00Z', 1)).toEqual(['11-03T06:30']);
    expect(fires('30 1 * * *', 'America/New_York', '2025-11-02T06:45:00Z', 1)).toEqual(['11-03T06:30']);
  });

  test('the hour after the repeated one fires once', () => {
    expect(fires('0 2,3 * * *', 'Europe/Berlin', '2025-10-25T12:00:00Z', 3)).toEqual([
      '10-26T00:00',
      '10-26T02:00',
      '10-27T01:00',
    ]);
  });

  test('a few hours of the day are times too: every quarter from 02:00 to 02:45, once', () => {
    expect(fires('*/15 2 * * *', 'Europe/Berlin', '2025-10-25T12:00:00Z', 5)).toEqual([
      '10-26T00:00',
      '10-26T00:15',
      '10-26T00:30',
      '10-26T00:45',
      '10-27T01:00',
    ]);
  });

  test('quarters of an hour go on through both hours', () => {
    const until = new Date('2025-10-26T02:00:00Z');
    const quarters = firesBetween('*/15 * * * *', 'Europe/Berlin', new Date('2025-10-25T23:45:00Z'), until, 99);
    expect(quarters.map((fire) => fire.getTime())).toEqual(
      Array.from({ length: 9 }, (_, quarter) => until.getTime() - (8 - quarter) * 900_000),
    );
  });

  test('an hourly one fires in both hours', () => {
    expect(fires('@hourly', 'Europe/Berlin', '2025-10-25T23:30:00Z', 3)).toEqual([
      '10-26T00:00',
      '10-26T01:00',
      '10-26T02:00',
    ]);
  });
});

describe('Lord Howe, whose clocks change by half an hour', () => {
  test('02:00 and 02:15 in the gap fire at the change', () => {
    expect(fires('0 2 * * *', 'Australia/Lord_Howe', '2025-10-04T12:00:00Z', 2)).toEqual([
      '10-04T15:30',
      '10-05T15:00',
    ]);
    expect(fires('15 2 * * *', 'Australia/Lord_Howe', '2025-10-04T12:00:00Z', 2)).toEqual([
      '10-04T15:30',
      '10-05T15:15',
    ]);
  });

  test('01:45, which comes twice, fires once', () => {
    expect(fires('45 1 * * *', 'Australia/Lord_Howe', '2025-04-05T12:00:00Z', 2)).toEqual([
      '04-05T14:45',
      '04-06T15:15',
    ]);
  });

  test.each([
    ['spring', '2025-10-04T15:00:00Z'],
    ['autumn', '2025-04-05T14:00:00Z'],
  ])('quarters of an hour go on in %s', (_, after) => {
    const start = new Date(after);
    const end = new Date(start.getTime() + 3 * 3_600_000);
    const quarters = firesBetween('*/15 * * * *', 'Australia/Lord_Howe', start, end, 99);
    expect(quarters.map((fire) => (fire.getTime() - start.getTime()) / 900_000)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
    ]);
  });
});

describe('dates', () => {
  test('29 February fires in leap years, and not in 2100', () => {
    expect(nextFire('0 0 29 2 *', 'UTC', new Date('2025-01-01')).toISOString()).toBe('2028-02-29T00:00:00.000Z');
    expect(nextFire('0 0 29 2 *', 'UTC', new Date('2096-03-01')).toISOString()).toBe('2104-02-29T00:00:00.000Z');
  });

  test('28 February is followed by 29 February in a leap year', () => {
    expect(fires('0 6 * * *', 'UTC', '2028-02-28T00:00:00Z', 3)).toEqual(['02-28T06:00', '02-29T06:00', '03-01T06:00']);
  });

  test('the 31st passes over short months', () => {
    expect(fires('0 0 31 * *', 'UTC', '2025-01-01T00:00:00Z', 3)).toEqual([
      '01-31T00:00',
      '03-31T00:00',
      '05-31T00:00',
    ]);
  });

  test('L is the last day of the month', () => {
    expect(fires('0 0 L * *', 'UTC', '2028-01-01T00:00:00Z', 3)).toEqual(['01-31T00:00', '02-29T00:00', '03-31T00:00']);
  });

  test('a day of the month or a weekday, where both are given', () => {
    expect(fires('0 0 13 * FRI', 'UTC', '2025-01-01T00:00:00Z', 4)).toEqual([
      '01-03T00:00',
      '01-10T00:00',
      '01-13T00:00',
      '01-17T00:00',
    ]);
  });

  test('one of them alone, where the other is any', () => {
    expect(fires('0 0 13 * *', 'UTC', '2025-01-01T00:00:00Z', 2)).toEqual(['01-13T00:00', '02-13T00:00']);
    expect(fires('0 0 * * 7', 'UTC', '2025-01-01T00:00:00Z', 2)).toEqual(['01-05T00:00', '01-12T00:00']);
  });
});

describe('time zones', () => {
  test.each([
    ['Asia/Kolkata', '2025-06-01T20:30:00.000Z'],
    ['Asia/Kathmandu', '2025-06-01T20:15:00.000Z'],
    ['Pacific/Chatham', '2025-06-02T13:15:00.000Z'],
    ['America/St_Johns', '2025-06-02T04:30:00.000Z'],
    ['Pacific/Kiritimati', '2025-06-02T12:00:00.000Z'],
    ['Etc/GMT+12', '2025-06-02T14:00:00.000Z'],
    ['UTC', '2025-06-02T02:00:00.000Z'],
  ])('two o’clock in %s', (timeZone, expected) => {
    expect(nextFire('0 2 * * *', timeZone, new Date('2025-06-01T20:10:00Z')).toISOString()).toBe(expected);
  });

  test('a zone that does not exist is refused', () => {
    const error = caught(() => nextFire('0 2 * * *', 'Europe/Atlantis', new Date()));
    expect([error.code, error.message]).toEqual([
      'schedule_time_zone_unknown',
      'time zone "Europe/Atlantis" is not known',
    ]);
  });
});

describe('an expression that cannot be used is refused', () => {
  test.each([
    '',
    '* * * *',
    '* * * * * *',
    '60 * * * *',
    '0 24 * * *',
    '0 0 31 2 *',
    '0 0 30 2 *',
    '5-1 * * * *',
    '*/0 * * * *',
    'H * * * *',
    '@secondly',
    '@reboot',
    'every day',
    '0 0 * * MONDAY',
  ])('"%s"', (cron) => {
    const error = caught(() => nextFire(cron, 'UTC', new Date('2025-01-01')));
    expect(error.code).toBe('schedule_cron_invalid');
    expect(error.message).toContain(`"${cron}"`);
    expect(error.remedy).toContain('0 2 * * *');
  });
});

describe('a span', () => {
  const noon = new Date('2025-01-01T12:00:00Z');
  const evening = new Date('2025-01-01T18:00:00Z');

  test('excludes its start and includes its end', () => {
    expect(firesBetween('0 * * * *', 'UTC', noon, evening, 99)).toHaveLength(6);
    expect(lastFiresBetween('0 * * * *', 'UTC', noon, evening, 99)).toEqual(
      firesBetween('0 * * * *', 'UTC', noon, evening, 99),
    );
  });

  test('gives the oldest or the newest of too many', () => {
    expect(firesBetween('0 * * * *', 'UTC', noon, evening, 2).map(brief)).toEqual(['01-01T13:00', '01-01T14:00']);
    expect(lastFiresBetween('0 * * * *', 'UTC', noon, evening, 2).map(brief)).toEqual(['01-01T17:00', '01-01T18:00']);
  });

  test('that runs backwards is empty', () => {
    expect(firesBetween('0 * * * *', 'UTC', evening, noon, 99)).toEqual([]);
    expect(lastFiresBetween('0 * * * *', 'UTC', evening, noon, 99)).toEqual([]);
  });
});
