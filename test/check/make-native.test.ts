import { expect, test } from '@jest/globals';
import type { DatabaseConnection } from '../../src/postgres/connection.ts';
import { makeNative } from '../../src/check/make-native.ts';
import { regressionSignature } from '../support/tree-models.ts';

const rows = [{ a: 1, b: 2, c: 3 }];
const answered = { rows: [0], score: [6], label: null, probabilities: null, silent: [] };
// Without a database: none of these gets there.
const make = (reference: typeof answered | null, compiled: object = { bodies: {} }, isTriedAgain = false) =>
  makeNative(
    {} as DatabaseConnection,
    1,
    regressionSignature,
    { compiled: compiled as { bodies: object }, rows, reference },
    isTriedAgain,
  );

test('a version that is not compiled says why', async () => {
  expect(await make(answered, { refusal: 'operator Det is not compiled' })).toEqual({
    reason: 'operator Det is not compiled',
  });
});

test('one that the machine kept from being compiled is tried again, and is not native after the last try', async () => {
  const starved = { refusal: 'compiling it took longer than 30 s of CPU time', transient: true };
  await expect(make(answered, starved, true)).rejects.toThrow('30 s of CPU time');
  expect(await make(answered, starved)).toEqual({ reason: starved.refusal });
});

test('one that nothing proves is not native, and says what is missing', async () => {
  expect(await make(null)).toEqual({ reason: expect.stringContaining('gave no answers') });
  expect(await make({ ...answered, rows: [], score: [] })).toEqual({
    reason: expect.stringContaining('ONNX Runtime takes none of the rows'),
  });
});

test('neither is one whose check answered for other rows', async () => {
  expect(await make({ ...answered, rows: [1] })).toEqual({
    reason: expect.stringContaining('answered for other rows'),
  });
});
