import { expect, test } from '@jest/globals';
import { score, type FeatureRow } from '../../src/client/score.ts';

/** The rows that a call sends, read back. */
async function sent(row: FeatureRow): Promise<unknown> {
  let rows: unknown;
  const query = async (_text: string, [, json]: unknown[] = []): Promise<{ rows: never[] }> => {
    rows = JSON.parse(String(json));
    return { rows: [] };
  };
  await score({ query } as unknown as Parameters<typeof score>[0], 'm', [row]);
  return rows;
}

test('typed arrays, as encoders give them, are sent as arrays', async () => {
  expect(await sent({ x: Float32Array.of(0.5, -2), ids: BigInt64Array.of(7n), steps: [[1], [2]], n: 3n })).toEqual([
    { x: [0.5, -2], ids: [7], steps: [[1], [2]], n: 3 },
  ]);
});

test.each([{ x: 1 }, 'x', undefined])('rows that are no array are refused: %j', async (rows) => {
  const unused = { query: () => Promise.reject(new Error('a statement was sent')) };
  await expect(score(unused, 'm', rows as never)).rejects.toMatchObject({
    code: 'usage',
    message: 'the rows of score() are not an array',
    remedy: 'Pass an array, of one row too: score(client, model, [row]).',
  });
});

test.each([
  ['feature "x" is NaN', { x: Number.NaN }],
  ['feature "x" is 9007199254740993', { x: 9_007_199_254_740_993n }],
  ['an element of an array is Infinity', { x: Float32Array.of(1, Infinity) }],
])('%s is refused', async (message, row) => {
  await expect(sent(row)).rejects.toMatchObject({ code: 'usage', message: `${message}, which JSON cannot hold` });
});
