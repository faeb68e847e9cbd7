import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { startTestService } from '../support/service.ts';
import { floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { waitFor } from '../support/wait-for.ts';
import { gatewayOf } from './online.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const ada = await database.client('ada');
const alice = await database.client('alice');
let service = await startTestService(database);

/** Predicts x, with an operator that is not compiled to SQL. */
function onlineModel(number: number): Uint8Array {
  return onnxModel({
    metadata: { 'pgscore.features': JSON.stringify(['x']), number: String(number) },
    inputs: [tensorValue('x', [null, 1])],
    tensors: [floats('none', [1], [0])],
    nodes: [node('Erf', ['x'], ['e']), node('Mul', ['e', 'none'], ['nothing']), node('Add', ['x', 'nothing'], ['y'])],
  });
}

/** Scores while no model can be read from the database. */
async function scoreUnread(model: string, deadlineMs: number): Promise<unknown> {
  await superuser.query('begin; lock table pgscore_data.artifact in access exclusive mode');
  try {
    await alice.query("select set_config('pgscore.deadline', $1, false)", [String(deadlineMs)]);
    return (await alice.query<{ score: number }>(`select score($1, '{"x": 3}') as score`, [model])).rows[0]?.score;
  } finally {
    await superuser.query('rollback');
  }
}

function isWarm(model: string): Promise<unknown> {
  return waitFor(() => scoreUnread(model, 300), { message: `an answer of ${model} without loading it` });
}

test('the first call of a version that is ready loads nothing', async () => {
  await deployBytes(ada, 'first', onlineModel(1));
  await waitFor(async () => (await superuser.query('select from pgscore_data.gateway')).rowCount === 1);
  expect(await scoreUnread('first', 5000)).toBe(3);
});

test('a gateway that takes the place of another loads the champions', async () => {
  const { pid } = await gatewayOf(service);
  process.kill(pid, 'SIGKILL');
  await waitFor(async () => (await gatewayOf(service)).pid !== pid);
  expect(await isWarm('first')).toBe(3);
});

test('a service that starts loads the champions, and what is promoted or given an alias later', async () => {
  for (const number of [2, 3, 4]) await deployBytes(ada, 'first', onlineModel(number));
  expect(await service.stop()).toBe(0);
  service = await startTestService(database);
  expect(await isWarm('first')).toBe(3);
  await ada.query(`select pgscore.promote('first@2')`);
  expect(await isWarm('first')).toBe(3);
  await ada.query(`select pgscore.set_alias('first@3', 'trial')`);
  expect(await isWarm('first@trial')).toBe(3);
  await ada.query(`select pgscore.promote('first@4')`);
  expect(await isWarm('first')).toBe(3);
  await ada.query(`select pgscore.rollback('first')`);
  expect(await isWarm('first')).toBe(3);
});
