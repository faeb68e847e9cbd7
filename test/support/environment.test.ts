import { readFile } from 'node:fs/promises';

import { expect, test } from '@jest/globals';

import { PgscoreError } from '../../src/errors.ts';

test("errors of Node's own modules are errors here", async () => {
  const error: unknown = await readFile('/nowhere').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(error instanceof TypeError).toBe(false);
  expect(error instanceof PgscoreError).toBe(false);
});

test('typed arrays are those of Node', () => {
  expect(Buffer.from('a') instanceof Uint8Array).toBe(true);
  expect(structuredClone(new Float32Array(1)) instanceof Float32Array).toBe(true);
});
