import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

const { service } = await scoreFixture();

/** Whether a process has ONNX Runtime in its memory. */
const hasOnnxRuntime = (pid: number): boolean => readFileSync(`/proc/${pid}/maps`, 'utf8').includes('libonnxruntime');

test('scorers load ONNX Runtime; the service and its gateway, which run no model in it, do not', async () => {
  const gateway = await waitFor(() => service.gateway());
  await waitFor(async () => (await service.scorerPids()).some(hasOnnxRuntime), { message: 'a scorer to load it' });
  expect([service.pid, gateway.pid].map(hasOnnxRuntime)).toEqual([false, false]);
});
