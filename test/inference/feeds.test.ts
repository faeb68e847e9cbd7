import { Binary, makeData, type Data } from 'apache-arrow';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { buildFeeds, TextCache } from '../../src/inference/feeds.ts';
import { paddedRowsOf, rowsOf } from '../../src/inference/feed.ts';
import type { Feature, ModelInput, TensorType } from '../../src/inference/signature.ts';
import { batchOf, bigint, boolean, double, integer, real, text, vector } from '../support/batches.ts';
import { caught } from '../support/caught.ts';

type Nulls = Pick<Feature, 'nulls' | 'default'>;

const feature = (name: string, type: TensorType, more: Partial<Feature> = {}): Feature => ({
  name,
  input: name,
  position: 0,
  type,
  width: 1,
  nulls: 'error',
  ...more,
});
const input = (name: string, type: TensorType, width = 1): ModelInput => ({ name, type, width, shape: [null, width] });

/** One feature of one column through its own input. */
function feed(column: Data, type: TensorType, nulls: Nulls = { nulls: 'error' }) {
  const built = buildFeeds(
    batchOf({ x: column }),
    { inputs: [input('x', type)], features: [feature('x', type, nulls)] },
    new TextCache(),
  );
  const data = built.feeds[0]!.data;
  return { data: [...(data as Iterable<unknown>)], errors: codes(built.errors) };
}

const codes = (errors: ReadonlyMap<number, { code: string }>) => [...errors].map(([row, { code }]) => [row, code]);

describe('a column that fits is cast', () => {
  test.each<[string, Data, TensorType, unknown[]]>([
    ['real to float32', real([1.5, -2]), 'float32', [1.5, -2]],
    ['double to float32, rounded', double([0.1]), 'float32', [Math.fround(0.1)]],
    ['integer to float32, rounded', integer([16_777_217]), 'float32', [16_777_216]],
    ['bigint to float32', bigint([-5n, 2n ** 40n]), 'float32', [-5, 2 ** 40]],
    ['boolean to float32', boolean([true, false]), 'float32', [1, 0]],
    ['real to float64', real([1.5]), 'float64', [1.5]],
    ['bigint to float64, rounded', bigint([2n ** 53n + 1n, -(2n ** 62n)]), 'float64', [2 ** 53, -(2 ** 62)]],
    ['integer to int64', integer([3, -4]), 'int64', [3n, -4n]],
    ['double that is whole to int64', double([2 ** 40, -3]), 'int64', [2n ** 40n, -3n]],
    ['boolean to int64', boolean([true]), 'int64', [1n]],
    ['bigint to int64', bigint([2n ** 62n]), 'int64', [2n ** 62n]],
    ['bigint that fits to int32', bigint([-7n]), 'int32', [-7]],
    ['boolean to bool', boolean([true, false]), 'bool', [1, 0]],
    ['integer 0 and 1 to bool', integer([1, 0]), 'bool', [1, 0]],
    ['text to string', text(['ä', '', 'x'.repeat(100)]), 'string', ['ä', '', 'x'.repeat(100)]],
    ['infinity as it is', real([Infinity]), 'float32', [Infinity]],
    ['infinity of a double too', double([-Infinity]), 'float32', [-Infinity]],
  ])('%s', (_, column, type, data) => {
    expect(feed(column, type)).toEqual({ data, errors: [] });
  });
});

describe('a value that does not fit makes a bad row', () => {
  test.each<[string, Data, TensorType]>([
    ['a double past float32', double([1, 1e39]), 'float32'],
    ['a bigint past int32', bigint([1n, 2n ** 31n]), 'int32'],
    ['a fraction to int64', double([1, 0.5]), 'int64'],
    ['a fraction to int32', real([1, 0.5]), 'int32'],
    ['a double past 2^53 to int64', double([1, 2 ** 60]), 'int64'],
    ['infinity to int64', double([1, Infinity]), 'int64'],
    ['2 to bool', integer([1, 2]), 'bool'],
    ['256 to bool', integer([1, 256]), 'bool'],
    ['-1 to bool', bigint([1n, -1n]), 'bool'],
  ])('%s', (_, column, type) => {
    expect(feed(column, type).errors).toEqual([[1, 'out_of_range']]);
  });
});

test('columns become rows, however many, and a NaN in any of them is found', () => {
  const [rows, names] = [600, ['a', 'b', 'c']];
  const columns = names.map((_, column) => Array.from({ length: rows }, (_value, row) => 3 * row + column));
  const expected = Array.from({ length: 3 * rows }, (_, at) => at);
  for (const at of [3 * 255, 3 * 256 + 1, 3 * 599 + 2]) {
    columns[at % 3]![Math.floor(at / 3)] = Number.NaN;
    expected[at] = -1;
  }
  const features = names.map((name, position) =>
    feature(name, 'float32', { input: 'X', position, nulls: 'default', default: -1 }),
  );
  const batch = batchOf(Object.fromEntries(names.map((name, at) => [name, real(columns[at]!)])));
  const { feeds, errors } = buildFeeds(batch, { inputs: [input('X', 'float32', 3)], features }, new TextCache());
  expect([...(feeds[0]!.data as Float32Array)]).toEqual(expected);
  expect(errors.size).toBe(0);
});

describe('NULL and NaN', () => {
  test.each<[string, Data, TensorType, Nulls, unknown]>([
    ['become NaN', real([1, null, Number.NaN]), 'float32', { nulls: 'nan' }, Number.NaN],
    ['become a default', double([1, null, Number.NaN]), 'float32', { nulls: 'default', default: 7 }, 7],
    ['of a double become an integer', double([1, null, Number.NaN]), 'int64', { nulls: 'default', default: 7 }, 7n],
  ])('%s', (_, column, type, nulls, value) => {
    const { data, errors } = feed(column, type, nulls);
    expect(data.slice(1)).toEqual([value, value]);
    expect(errors).toEqual([]);
  });

  test('become a text or a boolean', () => {
    expect(feed(text(['a', null]), 'string', { nulls: 'default', default: 'none' }).data).toEqual(['a', 'none']);
    expect(feed(boolean([false, null]), 'bool', { nulls: 'default', default: true }).data).toEqual([0, 1]);
  });

  test.each<[string, Data, TensorType]>([
    ['real', real([1, null, Number.NaN]), 'float32'],
    ['double to an integer', double([1, null, Number.NaN]), 'int64'],
    ['double to float32', double([1, null, Number.NaN]), 'float32'],
  ])('make a bad row where nothing handles them: %s', (_, column, type) => {
    expect(feed(column, type).errors).toEqual([
      [1, 'null_feature'],
      [2, 'null_feature'],
    ]);
  });

  test('make a bad row of bigint, boolean and text', () => {
    expect(feed(bigint([1n, null]), 'int32').errors).toEqual([[1, 'null_feature']]);
    expect(feed(boolean([true, null]), 'bool').errors).toEqual([[1, 'null_feature']]);
    expect(feed(text(['a', null]), 'string').errors).toEqual([[1, 'null_feature']]);
  });
});

describe('a matrix', () => {
  const inputs = [input('X', 'float32', 3)];
  const features = ['a', 'b', 'c'].map((name, position) => feature(name, 'float32', { input: 'X', position }));

  test('takes its columns by name, whatever their order and type', () => {
    const batch = batchOf({ c: integer([3, 6]), a: real([1, 4]), b: bigint([2n, 5n]) });
    const { feeds } = buildFeeds(batch, { inputs, features }, new TextCache());
    expect([...(feeds[0]!.data as Float32Array)]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('takes one array column', () => {
    const embedding = [feature('e', 'float32', { input: 'X', width: 3 })];
    const batch = batchOf({ e: vector(3, [[1, 2, 3], null, [4, 5, 6]]) });
    const { feeds, errors } = buildFeeds(batch, { inputs, features: embedding }, new TextCache());
    expect(codes(errors)).toEqual([[1, 'null_feature']]);
    expect([...(feeds[0]!.data as Float32Array)]).toEqual([1, 2, 3, 1, 2, 3, 4, 5, 6]);
  });

  test('passes a key of the same name over', () => {
    const key = makeData({ type: new Binary(), length: 1, valueOffsets: Int32Array.of(0, 1), data: Uint8Array.of(9) });
    const batch = batchOf({ a: key, b: real([2]), c: real([3]) });
    expect(caught(() => buildFeeds(batch, { inputs, features }, new TextCache())).code).toBe('feature_column_missing');
  });
});

describe('bad rows', () => {
  test('hold the values of a good row, so that no bad value reaches the model', () => {
    const { data } = feed(real([null, 5, Number.NaN, 6]), 'float32');
    expect(data).toEqual([5, 5, 5, 6]);
  });

  test('of the reader stay bad', () => {
    const unread = new Map([[0, { code: 'wrong_length' as const, message: 'too short' }]]);
    const shape = { inputs: [input('x', 'float32')], features: [feature('x', 'float32')] };
    const { feeds, errors } = buildFeeds(batchOf({ x: real([null, 2]) }), shape, new TextCache(), unread);
    expect(codes(errors)).toEqual([[0, 'wrong_length']]);
    expect([...(feeds[0]!.data as Float32Array)]).toEqual([2, 2]);
  });
});

describe('a column of the wrong type is refused', () => {
  test.each<[string, Data, TensorType, RegExp]>([
    ['text for a number', text(['1']), 'float32', /::float8/],
    ['a number for text', integer([1]), 'string', /text/],
    ['a fraction for a boolean', real([1]), 'bool', /boolean/],
    ['an array for one value', vector(2, [[1, 2]]), 'float32', /shape/],
  ])('%s', (_, column, type, remedy) => {
    const error = caught(() => feed(column, type));
    expect(error.code).toBe('feature_column_mistyped');
    expect(error.remedy).toMatch(remedy);
  });

  test('and a missing one', () => {
    const shape = { inputs: [input('x', 'float32')], features: [feature('x', 'float32')] };
    const error = caught(() => buildFeeds(batchOf({ y: real([1]) }), shape, new TextCache()));
    expect(error.code).toBe('feature_column_missing');
  });
});

describe('slices of a feed', () => {
  const matrix = { input: input('X', 'float32', 2), data: Float32Array.of(1, 2, 3, 4, 5, 6) };

  test('are rows', () => {
    expect(rowsOf(matrix, 1, 3)).toEqual(Float32Array.of(3, 4, 5, 6));
    expect(rowsOf({ input: input('t', 'string'), data: ['a', 'b', 'c'] }, 0, 2)).toEqual(['a', 'b']);
  });

  test('are padded with their last row', () => {
    expect(paddedRowsOf(matrix, 1, 2, 3)).toEqual(Float32Array.of(3, 4, 3, 4, 3, 4));
    expect(paddedRowsOf({ input: input('t', 'string'), data: ['a', 'b'] }, 0, 2, 3)).toEqual(['a', 'b', 'b']);
  });
});

test('texts come back as they were, however often their slot in the cache changes hands', () => {
  const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 80 }), { minLength: 1, maxLength: 200 });
  const cache = new TextCache();
  fc.assert(
    fc.property(texts, (values) => {
      const shape = { inputs: [input('x', 'string')], features: [feature('x', 'string')] };
      const { feeds } = buildFeeds(batchOf({ x: text(values) }), shape, cache);
      expect(feeds[0]!.data).toEqual(values);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('int64 columns become the numbers that Number() makes of them', () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { minLength: 1 }), (values) => {
      expect(feed(bigint(values), 'float64').data).toEqual(values.map(Number));
    }),
    { numRuns: 300, seed: 1 },
  );
});
