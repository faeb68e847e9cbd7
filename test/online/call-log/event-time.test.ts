import { expect, test } from '@jest/globals';

import { EventTimeReader } from '../../../src/online/call-log/event-time.ts';
import { NumberRows } from '../../../src/inference/number-rows.ts';

const berlin = new EventTimeReader('Europe/Berlin');

/** In PostgreSQL's spelling of UTC; null where there is none. */
function read(value: unknown): string | null {
  const time = berlin.read(value);
  if (Number.isNaN(time)) return null;
  const seconds = new Date(Date.UTC(2000, 0, 1) + Math.floor(time / 1e6) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(((time % 1e6) + 1e6) % 1e6).padStart(6, '0')}`;
}

test.each([
  ['2026-01-05T10:00:00+00:00', '2026-01-05T10:00:00.000000'],
  ['2026-01-05T10:00:00.123456-05:30', '2026-01-05T15:30:00.123456'],
  ['1969-12-31T23:59:59.999999Z', '1969-12-31T23:59:59.999999'],
  ['2026-01-05 10:00:00+01', '2026-01-05T09:00:00.000000'],
  ['1890-01-01T00:00:00+00:53:28', '1889-12-31T23:06:32.000000'],
  ['2026-01-05T10:00:00', '2026-01-05T09:00:00.000000'],
  ['2026-07-05T10:00:00.5', '2026-07-05T08:00:00.500000'],
  ['2026-07-05', '2026-07-04T22:00:00.000000'],
  ['2024-02-29', '2024-02-28T23:00:00.000000'],
])('%s is read as %s UTC, without an offset in the time zone of the model', (value, utc) => {
  expect(read(value)).toBe(utc);
});

test.each([
  ['left out', '2026-03-29T02:30:00', '2026-03-29T01:30:00.000000'],
  ['before it', '2026-03-29T01:59:59', '2026-03-29T00:59:59.000000'],
  ['after it', '2026-03-29T03:00:00', '2026-03-29T01:00:00.000000'],
  ['that comes again', '2026-10-25T02:30:00', '2026-10-25T01:30:00.000000'],
  ['before that', '2026-10-25T01:59:59', '2026-10-24T23:59:59.000000'],
  ['after that', '2026-10-25T03:00:00', '2026-10-25T02:00:00.000000'],
])('a local time %s is taken as PostgreSQL takes it', (_, value, utc) => {
  expect(read(value)).toBe(utc);
});

test.each([
  null,
  undefined,
  1767607200,
  true,
  '',
  'infinity',
  'tomorrow',
  '2026-02-30',
  '2026-13-01',
  '2026-01-05T24:00:00Z',
  '2026-01-05T10:00:00 UTC',
  '0044-03-15 BC',
  '9999-12-31',
  '12024-01-01T00:00:00+00:00',
])('%j is no time', (value) => {
  expect(read(value)).toBeNull();
});

test('each row says its own time, under the exact name of the column', () => {
  const rows = [{ at: '2000-01-01T00:00:01Z' }, { At: '2000-01-01T00:00:01Z' }, { at: null }];
  expect(berlin.timesOf({ rows, about: {} }, 'at')).toEqual(Float64Array.of(1e6, Number.NaN, Number.NaN));
  expect(berlin.timesOf({ rows: rows.slice(1), about: {} }, 'at')).toBeNull();
  const numbers = new NumberRows(2, 1, Float64Array.of(1, 2), null, new Set());
  expect(berlin.timesOf({ rows: numbers, about: { at: [null, '2000-01-01T00:00:02Z'] } }, 'at')).toEqual(
    Float64Array.of(Number.NaN, 2e6),
  );
  expect(berlin.timesOf({ rows: numbers, about: {} }, 'at')).toBeNull();
});
