import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  SegmentTally,
  type SegmentDay,
  MISSING,
  OTHER,
  roomForValues,
  SegmentValues,
} from '../../src/monitor/segment-tally.ts';

function indexOf(values: SegmentValues, text: string): number {
  const bytes = Buffer.from(`before${text}behind`);
  return values.indexOf(bytes, 6, bytes.length - 6);
}

test('a value has the same index each time, and a name', () => {
  const values = new SegmentValues(['known', ''], 9);
  const texts = ['a', 'known', '', 'Grün ☃', 'a', 'b', ':other', 'known'];
  const indexes = texts.map((text) => indexOf(values, text));
  expect(indexes.map((index) => values.names[index])).toEqual(texts);
  expect(new Set(indexes).size).toBe(new Set(texts).size);
  expect([values.names[MISSING], values.names[OTHER]]).toEqual([null, ':other']);
});

test('of the values that have no name, as many are told apart as there is room for, and the rest are others', () => {
  const known = Array.from({ length: 150 }, (_, index) => `known ${index}`);
  const values = new SegmentValues(known, 5000);
  const fresh = Array.from({ length: 6000 }, (_, index) => `new ${index}`);
  const expected = [...fresh.slice(0, 5000), ...fresh.slice(5000).map(() => ':other')];
  for (let time = 0; time < 2; time += 1)
    expect(fresh.map((text) => values.names[indexOf(values, text)])).toEqual(expected);
  expect(known.map((text) => values.names[indexOf(values, text)])).toEqual(known);
  expect(values.names).toHaveLength(5152);
  expect(values.names[values.firstUnnamed]).toBe('new 0');
});

test('columns share the room of a job, and one whose 200 values have their names takes none', () => {
  expect([roomForValues(0, 1), roomForValues(199, 8), roomForValues(200, 1)]).toEqual([100_000, 12_500, 0]);
});

test('a value of more than 400 bytes is another, whatever is in it', () => {
  const values = new SegmentValues([], 9);
  expect(values.names[indexOf(values, 'ä'.repeat(200))]).toBe('ä'.repeat(200));
  expect(indexOf(values, 'a'.repeat(401))).toBe(OTHER);
});

test('what was kept of a batch cannot be changed by what is read after it', () => {
  const values = new SegmentValues([], 9);
  const bytes = Buffer.from('red');
  const index = values.indexOf(bytes, 0, 3);
  bytes.write('bed');
  expect(values.indexOf(bytes, 0, 3)).not.toBe(index);
  expect(indexOf(values, 'red')).toBe(index);
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
        const indexes = [Uint32Array.from(rows, ({ first }) => first), Uint32Array.from(rows, ({ second }) => second)];
        const failed = new Map(rows.flatMap(({ fails }, index) => (fails ? [[index, true]] : [])));
        tally.add(
          { indexes, values: names, firstUnnamed: [3, 2] },
          rows.map(({ day }) => day),
          failed,
        );
      }
      const counted = new Map<string, number>();
      for (const { day, first, second, fails } of batches.flat())
        for (const [column, name] of [first, second].map((index, at) => [at + 1, names[at]?.[index]] as const)) {
          const key = JSON.stringify([day, column, name, fails]);
          counted.set(key, (counted.get(key) ?? 0) + 1);
        }
      expect(linesOf(tally.days)).toEqual([...counted].map(([key, n]) => `${key} ${n}`).toSorted());
    }),
    { seed: 20261125 },
  );
});

test('where there is no room for more counts, the rarest values without a name count as others, and none is lost', () => {
  const names = [[null, ':other', 'named', ...Array.from({ length: 40 }, (_, index) => `v${index}`)]];
  const tally = new SegmentTally(60);
  for (let day = 0; day < 4; day += 1) {
    const indexes = Array.from({ length: 40 }, (_, index) =>
      Array.from({ length: 40 - index }, () => index + 3),
    ).flat();
    const rows = [2, ...indexes];
    tally.add(
      { indexes: [Uint32Array.from(rows)], values: names, firstUnnamed: [3] },
      rows.map(() => day),
      new Map(),
    );
  }
  const counts = tally.days.map((day) => new Map(day.names.map((name, at) => [name, day.counts[at] ?? 0])));
  expect(counts.map((of) => [...of.values()].reduce((sum, n) => sum + n, 0))).toEqual([821, 821, 821, 821]);
  for (const of of counts) expect([of.get('named'), of.get('v0'), of.get('v1')]).toEqual([1, 40, 39]);
  expect(counts.reduce((sum, of) => sum + of.size, 0)).toBeLessThanOrEqual(60);
});

test('where that makes none either, the run is refused', () => {
  const tally = new SegmentTally(60);
  const segments = { indexes: [Uint32Array.of(2)], values: [[null, ':other', 'named']], firstUnnamed: [3] };
  const count = (day: number): void => tally.add(segments, [day], new Map());
  for (let day = 0; day < 60; day += 1) count(day);
  count(59);
  expect(() => count(60)).toThrow('the rows lie in more than 60 days and segments');
});

function linesOf(days: readonly SegmentDay[]): string[] {
  return days
    .flatMap(({ day, positions, names, counts, failed }) =>
      [counts, failed].flatMap((numbers) =>
        numbers.map((n, at) => [JSON.stringify([day, positions[at], names[at], numbers === failed]), n] as const),
      ),
    )
    .filter(([, n]) => n > 0)
    .map(([key, n]) => `${key} ${n}`)
    .toSorted();
}
