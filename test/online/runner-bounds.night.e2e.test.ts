import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { childrenOf, cpuSeconds } from '../support/processes.ts';
import { startTestService } from '../support/service.ts';
import { SLOW_SIGNATURE, SLOW_X, slowModel } from '../support/slow-model.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { addVersion, gatewayOf } from './online.ts';
import { queryPacket, rowsOf, WireClient } from './wire-client.ts';

/** Past what all small models share a runner up to. */
const PADDING = 'x'.repeat(1.1 * 1024 ** 2);
const LARGE = 7;

const database = await cloneDatabase();
const superuser = await database.client();
const add = (name: string, padding: string): Promise<number> =>
  addVersion(superuser, name, weightedModel({ x: 'float32' }, { padding }), SLOW_SIGNATURE);
const [small, other] = [await add('small', ''), await add('other', '')];
const large: number[] = [];
for (let n = 0; n < LARGE; n += 1) large.push(await add(`large_${n}`, PADDING));
const slow = await addVersion(superuser, 'slow', slowModel(3000), SLOW_SIGNATURE);
const service = await startTestService(database);
const { pid, port, password } = await gatewayOf(service);
/** That of all small models. */
let common: number[] = [];

function request(version: number, x = 2): string {
  return `score ${JSON.stringify({ version, role: 'alice', deadline: 30_000 })}\n[{"x": ${x}}]`;
}

async function ask(version: number, x = 2): Promise<unknown> {
  const client = await WireClient.login(port, password);
  const rows = rowsOf(await client.ask(request(version, x)));
  client.destroy();
  return rows;
}

test('a runner that waits for the processor is not slow: nothing is detached, and no other is started', async () => {
  expect(await ask(small)).toEqual([['2', null, null]]);
  const runners = await childrenOf(pid);
  common = runners;
  const client = await WireClient.login(port, password);
  for (const runner of runners) process.kill(runner, 'SIGSTOP');
  client.send(queryPacket(request(small)));
  const stopped = performance.now();
  await waitFor(() => performance.now() - stopped > 700);
  const asked = ask(other);
  await waitFor(() => performance.now() - stopped > 1500);
  for (const runner of runners) process.kill(runner, 'SIGCONT');
  expect([rowsOf(await client.answer()), await asked]).toEqual([[['2', null, null]], [['2', null, null]]]);
  expect(await childrenOf(pid)).toEqual(runners);
  client.destroy();
});

test('many large models share a few runners', async () => {
  for (const version of [...large, ...large]) expect(await ask(version)).toEqual([['2', null, null]]);
  expect((await childrenOf(pid)).length).toBeLessThanOrEqual(5);
});

test('a slow model is run by none of those that large models share', async () => {
  const others = (await childrenOf(pid)).filter((runner) => !common.includes(runner));
  expect(others).toHaveLength(4);
  await ask(slow, SLOW_X);
  const before = others.map(cpuSeconds);
  for (let n = 0; n < 2; n += 1) await ask(slow, SLOW_X);
  expect(Math.max(...others.map((other, index) => cpuSeconds(other) - before[index]!))).toBeLessThan(0.3);
  expect(await childrenOf(pid)).toEqual(expect.arrayContaining(others));
  expect(await service.stop()).toBe(0);
});
