import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { submitDeploy } from '../support/deploy.ts';
import { childrenOf } from '../support/processes.ts';
import { startTestService } from '../support/service.ts';
import { integers, node, onnxModel } from '../support/onnx-builder.ts';
import { waitFor } from '../support/wait-for.ts';

const SIDE = 2500;

/** Multiplies large matrices for minutes before it looks at its input. */
function slowToCheck(): Uint8Array {
  const steps = Array.from({ length: 1000 }, (_, step) => node('MatMul', [`m${step}`, 'm0'], [`m${step + 1}`]));
  return onnxModel({
    metadata: { 'pgscore.features': '["a", "b", "c"]' },
    nodes: [
      // Not constant, so that no one folds it.
      node('ReduceMax', ['X'], ['x'], { keepdims: 0 }),
      node('Expand', ['x', 'shape'], ['m0']),
      ...steps,
      node('ReduceMax', ['m1000'], ['max'], { keepdims: 0 }),
      node('ReduceSum', ['X', 'axis'], ['sum'], { keepdims: 1 }),
      node('Add', ['sum', 'max'], ['y']),
    ],
    tensors: [integers('shape', [2], [SIDE, SIDE]), integers('axis', [1], [1])],
  });
}

const database = await cloneDatabase();
const service = await startTestService(database, { PGSCORE_GRACE: '0', PGSCORE_CHECK_TIMEOUT: '600' });

test('a service that is stopped in the middle of a check ends, without a verdict', async () => {
  const ada = await database.client('ada');
  await submitDeploy(ada, 'slow', slowToCheck());
  await waitFor(async () => (await childrenOf(service.pid)).length > (await service.stayingPids()).length, {
    message: 'the process that checks',
  });
  const began = performance.now();
  expect(await service.stop()).toBe(0);
  expect(performance.now() - began).toBeLessThan(30_000);
  expect((await ada.query('select state from pgscore.models')).rows).toEqual([{ state: 'checking' }]);
});
