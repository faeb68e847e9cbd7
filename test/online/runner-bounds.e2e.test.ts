import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { childrenOf } from '../support/processes.ts';
import { startTestService } from '../support/service.ts';
import { SLOW_SIGNATURE } from '../support/slow-model.ts';
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
const service = await startTestService(database);
const { pid, port, password } = await gatewayOf(service);

function request(version: number): string {
  return `score ${JSON.stringify({ version, role: 'alice', deadline: 30_000 })}\n[{"x": 2}]`;
}

async function ask(version: number): Promise<unknown> {
  const client = await WireClient.login(port, password);
  const rows = rowsOf(await client.ask(request(version)));
  client.destroy();
  return rows;
}

test('a runner that waits for the processor is not slow: nothing is set apart, and no other is started', async () => {
  expect(await ask(small)).toEqual([['2', null, null]]);
  const runners = await childrenOf(pid);
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
  expect(await service.stop()).toBe(0);
});
