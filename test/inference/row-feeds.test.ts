import { expect, test } from '@jest/globals';
import { NumberRows } from '../../src/inference/number-rows.ts';
import { rowFeeds } from '../../src/inference/row-feeds.ts';
import type { Feature, Signature, TensorType } from '../../src/inference/signature.ts';

function modelOf(type: TensorType, width = 1): Pick<Signature, 'inputs' | 'features'> {
  const feature: Feature = { name: 'x', input: 'x', position: 0, type, width, nulls: 'error' };
  return { inputs: [{ name: 'x', type, width, shape: [null, width] }], features: [feature] };
}

const refusalOf = (text: string, type: TensorType, width?: number) =>
  rowFeeds([JSON.parse(text)], modelOf(type, width)).errors.get(0);

test.each([
  ['float32', 'x is a number that float32 can not hold'],
  ['float64', 'x is a number that float64 can not hold'],
  ['int32', 'x is a number that int32 can not hold'],
  ['int64', 'x is a whole number past 2^53, which the service can not be asked about exactly'],
] as const)('a number of JSON past float64 is refused for a feature of %s', (type, message) => {
  for (const text of ['{"x": 1e400}', '{"x": -1e400}'])
    expect(refusalOf(text, type)).toEqual({ code: 'out_of_range', message, feature: 'x' });
});

test('a number of JSON past float64 is refused as an element of an array', () => {
  expect(refusalOf('{"x": [1, 1e400]}', 'float64', 2)).toMatchObject({ code: 'out_of_range' });
});

test.each(['float32', 'int64', 'string'] as const)('a NULL in an array of %s takes no default, as in a run', (type) => {
  const { inputs, features } = modelOf(type, 2);
  const takesNulls = features.map((feature) => ({ ...feature, nulls: 'default', default: 7 }) as const);
  const { errors } = rowFeeds([{ x: [null, null] }], { inputs, features: takesNulls });
  expect(errors.get(0)).toEqual({ code: 'null_feature', message: 'element 1 of x is NULL', feature: 'x' });
});

test.each([
  ['string', 'feature x is Infinity, not a text'],
  ['bool', 'feature x is Infinity, not a boolean'],
] as const)('a number of JSON past float64 is told as a number where a %s is wanted', (type, message) => {
  expect(refusalOf('{"x": 1e400}', type)).toMatchObject({ code: 'mistyped_value', message });
});

test.each(['float32', 'float64'] as const)(
  'an infinity comes to a feature of %s as a text, or as a number that was sent as one',
  (type) => {
    for (const infinity of [Infinity, -Infinity]) {
      const numbers = new NumberRows(1, 1, Float64Array.of(infinity), null, new Set());
      for (const rows of [[{ x: String(infinity) }], numbers]) {
        const { feeds, errors } = rowFeeds(rows, modelOf(type));
        expect(errors.size).toBe(0);
        expect(feeds[0]?.data[0]).toBe(infinity);
      }
    }
  },
);
