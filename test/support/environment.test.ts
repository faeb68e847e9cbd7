import { readFile } from 'node:fs/promises';

import { expect, test } from '@jest/globals';

import { PgscoreError } from '../../src/errors.ts';

type Ending = { handleTestEvent(this: { global: unknown }, event: { name: string }): Promise<void> };

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

test('what is left for the end is done then, the last first, whichever tests there were', async () => {
  const path = './environment.js';
  const { default: Environment } = (await import(path)) as { default: { prototype: Ending } };
  const done: number[] = [];
  const global = { atEnd: [1, 2].map((n) => () => void done.push(n)) };
  for (const name of ['test_skip', 'run_finish'])
    await Environment.prototype.handleTestEvent.call({ global }, { name });
  expect(done).toEqual([2, 1]);
});
