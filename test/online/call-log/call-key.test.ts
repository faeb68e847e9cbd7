import { expect, test } from '@jest/globals';
import { keyOf } from '../../../src/online/call-log/logged-call.ts';

const valuesOf =
  (row: Record<string, unknown>) =>
  (name: string): unknown =>
    row[name];
const spelled = (value: unknown, family: string | null): string | undefined =>
  keyOf(valuesOf({ id: value }), [{ name: 'id', family }])?.[0];

test.each([
  ['bigint', 42, '42'],
  ['bigint', -0, '0'],
  ['bigint', '-007', '-7'],
  ['bigint', '9223372036854775807', undefined],
  ['bigint', 2 ** 53, undefined],
  ['bigint', 1.5, undefined],
  ['bigint', true, undefined],
  ['text', 'a\n"ü', 'a\n"ü'],
  ['text', '', ''],
  ['text', 42, '42'],
  ['text', 'a\0b', undefined],
  ['bpchar', 'a b  ', 'a b'],
  ['bpchar', '  ', ''],
  ['bpchar', '\ta\t ', '\ta\t'],
  ['bpchar', 'a\0b', undefined],
  ['bpchar', 42, undefined],
  ['uuid', '00000000-0000-4000-8000-00000000000A', '00000000-0000-4000-8000-00000000000a'],
  ['uuid', '{00000000-0000-4000-8000-00000000000a}', undefined],
  ['uuid', 42, undefined],
  ['date', '2024-02-29', '2024-02-29'],
  ['date', '2024-02-29T00:00:00', undefined],
  ['boolean', true, 't'],
  ['boolean', false, 'f'],
  ['boolean', 'true', undefined],
  ['numeric', 1, undefined],
  ['numeric', '1.50', undefined],
  ['timestamp with time zone', '2024-02-29T00:00:00+00:00', undefined],
  [null, 42, '42'],
  [null, 'a', 'a'],
  [null, true, 't'],
  [null, { a: 1 }, undefined],
  ['text', null, undefined],
  ['text', undefined, undefined],
])('a key of type %s whose JSON is %j is spelled %j', (family, value, key) => {
  expect(spelled(value, family)).toBe(key);
});

test('a row that lacks one of the columns, or is too long for an index, has no key', () => {
  const columns = [
    { name: 'shop', family: 'text' },
    { name: 'day', family: 'date' },
  ];
  expect(keyOf(valuesOf({ day: '2024-01-01', shop: 'a', x: 1 }), columns)).toEqual(['a', '2024-01-01']);
  expect(keyOf(valuesOf({ shop: 'a', Day: '2024-01-01' }), columns)).toBeNull();
  expect(keyOf(valuesOf({ shop: 'a'.repeat(801), day: '2024-01-01' }), columns)).toBeNull();
  expect(keyOf(valuesOf({ shop: 'a' }), [])).toBeNull();
});

test('a key of char(n) with a million blanks is read in linear time', () => {
  expect(spelled(`${' '.repeat(1_000_000)}x`, 'bpchar')).toBeUndefined();
});
