import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { SegmentTally, type SegmentDay } from '../../src/monitor/segment-tally.ts';
import { MISSING, OTHER, SegmentValues } from '../../src/monitor/segment-values.ts';

function placeOf(values: SegmentValues, text: string): number {
  const bytes = Buffer.from(`before${text}behind`);
  return values.placeOf(bytes, 6, bytes.length - 6);
}

test('a value has the same place each time, and a name', () => {
  const values = new SegmentValues(['known', '']);
  const texts = ['a', 'known', '', 'Grün ☃', 'a', 'b', ':other', 'known'];
  const places = texts.map((text) => placeOf(values, text));
  expect(places.map((place) => values.names[place])).toEqual(texts);
  expect(new Set(places).size).toBe(new Set(texts).size);
  expect([values.names[MISSING], values.names[OTHER]]).toEqual([null, ':other']);
});

test('of the values that are not known, those that come first are told apart up to 200 in all, and the rest are others', () => {
  const known = Array.from({ length: 150 }, (_, index) => `known ${index}`);
  const values = new SegmentValues(known);
  const fresh = Array.from({ length: 120 }, (_, index) => `new ${index}`);
  const names = fresh.map((text) => values.names[placeOf(values, text)]);
  expect(names).toEqual([...fresh.slice(0, 50), ...fresh.slice(50).map(() => ':other')]);
  expect(known.map((text) => values.names[placeOf(values, text)])).toEqual(known);
  expect(values.names).toHaveLength(202);
});

test('a value of more than 400 bytes is another, whatever is in it', () => {
  const values = new SegmentValues([]);
  expect(values.names[placeOf(values, 'ä'.repeat(200))]).toBe('ä'.repeat(200));
  expect(placeOf(values, 'a'.repeat(401))).toBe(OTHER);
});

test('what was kept of a batch cannot be changed by what is read after it', () => {
  const values = new SegmentValues([]);
  const bytes = Buffer.from('red');
  const place = values.placeOf(bytes, 0, 3);
  bytes.write('bed');
  expect(values.placeOf(bytes, 0, 3)).not.toBe(place);
  expect(placeOf(values, 'red')).toBe(place);
});

test('predictions and failed rows are counted by day, column and value', () => {
  const names = [
    [null, ':other', 'a', 'b'],
    [null, ':other', 'x'],
  ];
  const row = fc.record({
    day: fc.constantFrom(null, 0, 86_400),
    first: fc.nat(3),
    second: fc.nat(2),
    fails: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(fc.array(row, { maxLength: 20 }), { maxLength: 4 }), (batches) => {
      const tally = new SegmentTally();
      for (const rows of batches) {
        const places = [Uint8Array.from(rows, ({ first }) => first), Uint8Array.from(rows, ({ second }) => second)];
        const failed = new Map(rows.flatMap(({ fails }, index) => (fails ? [[index, true]] : [])));
        tally.add(
          { places, values: names },
          rows.map(({ day }) => day),
          failed,
        );
      }
      const counted = new Map<string, number>();
      for (const { day, first, second, fails } of batches.flat())
        for (const [column, name] of [first, second].map((place, at) => [at + 1, names[at]?.[place]] as const)) {
          const key = JSON.stringify([day, column, name, fails]);
          counted.set(key, (counted.get(key) ?? 0) + 1);
        }
      expect(linesOf(tally.days)).toEqual([...counted].map(([key, n]) => `${key} ${n}`).toSorted());
    }),
    { seed: 20261125 },
  );
});

function linesOf(days: readonly SegmentDay[]): string[] {
  return days
    .flatMap(({ day, places, names, counts, failed }) =>
      [counts, failed].flatMap((numbers) =>
        numbers.map((n, at) => [JSON.stringify([day, places[at], names[at], numbers === failed]), n] as const),
      ),
    )
    .filter(([, n]) => n > 0)
    .map(([key, n]) => `${key} ${n}`)
    .toSorted();
}
