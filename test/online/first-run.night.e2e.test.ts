import { expect, test } from '@jest/globals';
import type { Signature } from '../../src/inference/signature.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { hostileBytes } from '../support/golden-models.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { addVersion, gatewayOf, versionIdOf } from './online.ts';
import { fieldsOf, rowsOf, WireClient } from './wire-client.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const ENDLESS: Signature = {
  task: 'regression',
  inputs: [{ name: 'X', type: 'float32', width: 5, shape: [null, 5] }],
  features: NAMES.map((name, position) => ({ name, input: 'X', position, type: 'float32', width: 1, nulls: 'error' })),
  outputs: { value: { name: 'score' } },
  classLabels: [],
  batch: null,
};

const database = await cloneDatabase();
const superuser = await database.client();
const endless = await addVersion(superuser, 'endless', hostileBytes('endless_loop.onnx'), ENDLESS);
const service = await startTestService(database);
await deployBytes(await database.client('ada'), 'sums', weightedModel({ x: 'float64' }));
const sums = await versionIdOf(superuser, 'sums@1');

function request(version: number, row: object): string {
  return `score ${JSON.stringify({ version, role: 'alice', deadline: 60_000 })}\n${JSON.stringify(row)}`;
}

const endlessCall = request(endless, Object.fromEntries(NAMES.map((name) => [name, 1])));

test('a gateway with a model whose first run never ends lives on, answers others, and leaves it alone after the second time', async () => {
  const login = await gatewayOf(service);
  const [client, bystander] = [
    await WireClient.login(login.port, login.password),
    await WireClient.login(login.port, login.password),
  ];
  const scored = async (): Promise<unknown> => rowsOf(await bystander.ask(request(sums, { x: 2.5 })));
  for (let time = 0; time < 2; time += 1) {
    const call = client.ask(endlessCall);
    expect(await scored()).toEqual([['2.5', null, null]]);
    const [error] = await call;
    expect(fieldsOf(error!)).toMatchObject({ C: 'XX000', M: expect.stringContaining('first run') });
  }
  const [error] = await client.ask(endlessCall);
  expect(fieldsOf(error!)).toMatchObject({ C: '55000', H: expect.stringContaining('Promote another version') });
  expect(await scored()).toEqual([['2.5', null, null]]);
  expect(await gatewayOf(service)).toEqual(login);
  client.destroy();
  bystander.destroy();
});
