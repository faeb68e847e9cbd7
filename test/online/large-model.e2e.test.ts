import { afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes, submitDeploy } from '../support/deploy.ts';
import { floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { childrenOf } from '../support/processes.ts';
import { startTestService } from '../support/service.ts';
import { SLOW_SIGNATURE } from '../support/slow-model.ts';
import { features, regressor, treeNodes, weights } from '../support/tree-models.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { addVersion, gatewayOf } from './online.ts';

const SIDE = 1024;
/** Loading takes longer than a look for the process that loads. */
const PRODUCTS = 6;

const database = await cloneDatabase();
const service = await startTestService(database);
const [superuser, ada, alice, other] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('alice'),
]);
const { pid } = await gatewayOf(service);
const SUM = `select score('sum', jsonb_build_object('a', $1::int, 'b', 2)) as value`;
const TREES = `select score('trees', '{"a": 1, "b": 2, "c": 3}') as value`;
const STATE = `select state as value from pgscore.models where model || '@' || version = $1`;
let ofTrees: unknown;
let stopped: number | undefined;

/** Predicts x. Four megabytes, of which ONNX Runtime makes products when it loads them. */
const LARGE = onnxModel({
  metadata: { 'pgscore.features': JSON.stringify(['x']) },
  inputs: [tensorValue('x', [null, 1])],
  outputs: [tensorValue('y', [null, 1])],
  tensors: [floats('p0', [SIDE, SIDE], Array<number>(SIDE * SIDE).fill(0))],
  nodes: [
    ...Array.from({ length: PRODUCTS }, (_, n) => node('MatMul', [`p${n}`, 'p0'], [`p${n + 1}`])),
    node('ReduceMax', [`p${PRODUCTS}`], ['nothing'], { keepdims: 0 }),
    node('Erf', ['nothing'], ['still_nothing']),
    node('Add', ['x', 'still_nothing'], ['y']),
  ],
});

beforeAll(async () => {
  for (const client of [alice, other])
    await client.query('set pgscore.execution = online; set pgscore.deadline = 60000');
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'trees', regressor({ ...treeNodes({}), ...weights('target', [0]) }), { features });
  ofTrees = await value(alice, TREES);
});

afterEach(() => {
  if (stopped !== undefined) process.kill(stopped, 'SIGCONT');
});

/** Of a query that gives one. */
async function value(client: Client, text: string, values: unknown[] = []): Promise<unknown> {
  return (await client.query<{ value: unknown }>(text, values)).rows[0]?.value;
}

/** Stops the runner that `begin` has the gateway start, which then has the model yet to load. */
async function stopRunnerOf<T>(begin: () => Promise<T>): Promise<T> {
  await value(alice, SUM, [0]);
  const before = await childrenOf(pid);
  const begun = await begin();
  stopped = await waitFor(async () => (await childrenOf(pid)).find((child) => !before.includes(child)), {
    message: 'a runner of its own',
    timeout: 30_000,
  });
  process.kill(stopped, 'SIGSTOP');
  return begun;
}

/** By a runner that others share, and by the gateway itself. */
async function othersAreAnswered(): Promise<void> {
  for (let a = 0; a < 20; a += 1) {
    expect(await value(alice, SUM, [a])).toBe(a + 20);
    expect(await value(alice, TREES)).toBe(ofTrees);
  }
}

test('a large model that is loaded at its first call holds up no call of another', async () => {
  await addVersion(superuser, 'large', LARGE, SLOW_SIGNATURE);
  let answered = false;
  const first = await stopRunnerOf(async () => ({
    call: value(other, `select score('large@1', '{"x": 7}') as value`).finally(() => {
      answered = true;
    }),
  }));
  await othersAreAnswered();
  expect(answered).toBe(false);
  process.kill(stopped!, 'SIGCONT');
  expect(await first.call).toBe(7);
});

test('a large model that is loaded as it is deployed holds up no call of another', async () => {
  const version = await stopRunnerOf(() => submitDeploy(ada, 'deployed', LARGE));
  await othersAreAnswered();
  const state = async (): Promise<unknown> => value(ada, STATE, [version]);
  expect(await state()).toBe('checking');
  process.kill(stopped!, 'SIGCONT');
  await waitFor(async () => (await state()) === 'ready', { message: 'the version to be ready' });
  expect(await value(other, `select score('deployed', '{"x": 7}') as value`)).toBe(7);
});
