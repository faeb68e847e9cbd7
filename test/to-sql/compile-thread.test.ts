import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { CompileThread } from '../../src/to-sql/compile-thread.ts';
import { checkModel } from '../../src/check/check-model.ts';
import { withModelFile } from '../support/model-file.ts';
import { classic, node, onnxModel } from '../support/onnx-builder.ts';
import { regressionSignature } from '../support/tree-models.ts';
import { waitFor } from '../support/wait-for.ts';

const linear = onnxModel({ nodes: [classic('LinearRegressor', ['X'], ['y'], { coefficients: [1, 2, 3] })] });

const trees = readFileSync(new URL('../../bench/trees.onnx', import.meta.url));

async function outcomeOf(
  bytes: Uint8Array,
  signature = regressionSignature,
  ...limits: ConstructorParameters<typeof CompileThread>
) {
  const thread = new CompileThread(...limits);
  return withModelFile(bytes, async ({ path }) => {
    thread.compile({ path, signature, given: [{ a: 1, b: 2, c: 3 }] });
    const outcome = { rows: await thread.rows, compiled: await thread.compiled };
    await thread.stop();
    return outcome;
  });
}

test('a model is compiled to functions, with rows to prove them on', async () => {
  const { rows, compiled } = await outcomeOf(linear);
  expect(rows?.[0]).toEqual({ a: 1, b: 2, c: 3 });
  expect(compiled).toHaveProperty('bodies.score');
});

test('one that is not compiled has no rows, and says why', async () => {
  const unknown = onnxModel({ nodes: [node('Det', ['X'], ['y'])] });
  expect(await outcomeOf(unknown)).toEqual({ rows: null, compiled: { refusal: 'operator Det is not compiled' } });
});

test('one whose reading fails is not compiled', async () => {
  const { rows, compiled } = await outcomeOf(Buffer.from('no model'));
  expect(rows).toBeNull();
  expect(compiled).toMatchObject({ refusal: expect.stringMatching(/^compiling it failed: /) });
});

test('one that takes too long, or too much memory, is not compiled', async () => {
  const { signature } = await checkModel(trees, {});
  expect(await outcomeOf(trees, signature, { cpuMs: 10, heapMb: 1024 })).toMatchObject({
    compiled: { refusal: 'compiling it took longer than 0.01 s of CPU time', transient: false },
  });
  const { compiled } = await outcomeOf(trees, signature, { cpuMs: 30_000, heapMb: 12 });
  expect(compiled).toMatchObject({ refusal: expect.stringMatching(/^compiling it failed: .*memory/) });
});

test('one that only waits for the processor is compiled', async () => {
  const child = fork(fileURLToPath(new URL('compile-alone.ts', import.meta.url)), {
    execArgv: ['--import', './test/support/register-typescript.js'],
  });
  await once(child, 'message');
  child.kill('SIGSTOP');
  const stopped = performance.now();
  await waitFor(() => performance.now() - stopped > 6000);
  const outcome = once(child, 'message');
  child.kill('SIGCONT');
  expect(await outcome).toEqual([true, undefined]);
  await once(child, 'exit');
});

test('a thread that is stopped leaves nobody waiting', async () => {
  const thread = new CompileThread();
  await thread.stop();
  expect(await thread.rows).toBeNull();
  expect(await thread.compiled).toHaveProperty('refusal');
});
