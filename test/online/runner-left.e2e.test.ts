import { expect, test } from '@jest/globals';

import { Runners } from '../../src/online/runners.ts';
import { withModelFile } from '../support/model-file.ts';
import { SLOW_SIGNATURE, SLOW_X, slowModel } from '../support/slow-model.ts';
import { waitFor } from '../support/wait-for.ts';

test('no more is asked of a runner from when it is killed on, not from when it has ended', async () => {
  const left: { gone: boolean; end: string | undefined }[] = [];
  const runners = new Runners({
    onLeft: (runner, gone) => left.push({ gone, end: runner.end }),
    onBack: () => false,
    onRefused: () => undefined,
    warn: () => undefined,
  });
  const runner = runners.common;
  await withModelFile(slowModel(5000), (model) => runner.load(1, { ...model, signature: SLOW_SIGNATURE }));
  const [input] = SLOW_SIGNATURE.inputs;
  if (input === undefined) throw new Error('a model without an input');
  const ended = runner.run(1, [{ input, data: Float32Array.of(SLOW_X) }], 1, ['y']);
  expect(await runners.attend(runner, { versionId: 1, ended, waits: () => true })).toBe(true);
  expect(left).toEqual([{ gone: false, end: undefined }]);
  expect(await ended).toHaveLength(1);
  await waitFor(() => left.length > 1);
  expect(left[1]).toEqual({ gone: true, end: undefined });
  await runner.ended;
});
