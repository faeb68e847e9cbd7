import { describe, expect, test } from '@jest/globals';
import { buildFeeds, TextCache } from '../../src/inference/feeds.ts';
import { batchOfRows } from '../../src/inference/json-rows.ts';
import type { Feature, TensorType } from '../../src/inference/signature.ts';

function fed(type: TensorType, values: unknown[], width = 1) {
  const feature: Feature = { name: 'x', input: 'x', position: 0, type, width, nulls: 'error' };
  const { batch, unread } = batchOfRows(
    [feature],
    values.map((x) => ({ x })),
  );
  const input = { name: 'x', type, width, shape: [null, width] };
  const { feeds, errors } = buildFeeds(batch, { inputs: [input], features: [feature] }, new TextCache(), unread);
  return {
    data: [...(feeds[0]!.data as Iterable<unknown>)],
    errors: [...errors].map(([row, { code }]) => [row, code]),
  };
}

describe('plain values feed', () => {
  test.each<[TensorType, unknown[], unknown[]]>([
    ['float32', [1.5, '2.5', ' 3 ', true, '1e2'], [1.5, 2.5, 3, 1, 100]],
    ['int64', [1, '2', '3.0', 4n], [1n, 2n, 3n, 4n]],
    ['bool', [true, 'false', 'T', 0, '1'], [1, 0, 1, 0, 1]],
    ['string', ['a', 7, true, ''], ['a', '7', 'true', '']],
  ])('%s', (type, values, data) => {
    expect(fed(type, values)).toEqual({ data, errors: [] });
  });

  test('array columns, as JSON and PostgreSQL write them', () => {
    expect(fed('float32', [[1, 2], '[3,4]', '{5,6}'], 2)).toEqual({ data: [1, 2, 3, 4, 5, 6], errors: [] });
  });
});

describe('a row is bad', () => {
  test.each<[TensorType, unknown[], string]>([
    ['float32', [1, null, undefined, '', 'NaN'], 'null_feature'],
    ['string', ['a', null], 'null_feature'],
    ['int64', [1, 0.5, '9007199254740993'], 'out_of_range'],
    ['float32', [1, 'abc', {}, []], 'mistyped_value'],
    ['bool', [true, 2, 'maybe'], 'mistyped_value'],
    ['string', ['a', {}, ['b']], 'mistyped_value'],
  ])('as %s of %j', (type, values, code) => {
    expect(fed(type, values).errors).toEqual(values.slice(1).map((_, row) => [row + 1, code]));
  });

  test('where its array has another length or holds no numbers', () => {
    expect(fed('float32', [[1, 2], [1], [1, 2, 3], [1, 'a'], 5], 2).errors.map(([row]) => row)).toEqual([1, 2, 3, 4]);
  });
});
