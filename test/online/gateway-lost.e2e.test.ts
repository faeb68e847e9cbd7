import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import type { Signature } from '../../src/inference/signature.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { hostileBytes } from '../support/golden-models.ts';
import { startedWith, tcpSocketsOf } from '../support/processes.ts';
import { SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { startProxy } from '../support/proxy.ts';
import { startTestService, type TestGatewayLogin, type TestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { addVersion, gatewayOf, versionIdOf } from './online.ts';
import { fieldsOf, queryPacket, rowsOf, WireClient } from './wire-client.ts';

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
const proxy = await startProxy(database.url());
const superuser = await database.client();
const endless = await addVersion(superuser, 'endless', hostileBytes('endless_loop.onnx'), ENDLESS);
const QUICK = { PGSCORE_GATEWAY_TIMEOUT: '5', PGSCORE_SCORERS: '1', PGSCORE_GATEWAY_PASSWORD: 'canary-of-the-gateway' };
const service = await startTestService(database, QUICK);
await deployBytes(await database.client('ada'), 'sums', weightedModel({ x: 'float64' }));
const sums = await versionIdOf(superuser, 'sums@1');

function request(version: number, row: object): string {
  return `score ${JSON.stringify({ version, role: 'alice', deadline: 60_000 })}\n${JSON.stringify(row)}`;
}

const endlessCall = request(endless, Object.fromEntries(NAMES.map((name) => [name, 1])));

async function loginTo({ port, password }: TestGatewayLogin): Promise<WireClient> {
  return WireClient.login(port, password);
}

async function score(login: TestGatewayLogin): Promise<unknown> {
  const client = await loginTo(login);
  const rows = rowsOf(await client.ask(request(sums, { x: 2.5 })));
  client.destroy();
  return rows;
}

/** The gateway that came after another. */
function successor(of: TestService, { pid }: TestGatewayLogin): Promise<TestGatewayLogin> {
  return waitFor(
    async () => {
      const now = await of.gateway();
      return now === undefined || now.pid === pid ? undefined : now;
    },
    { message: 'another gateway', timeout: 20_000 },
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a gateway that', () => {
  test('was killed is replaced on its port, and its callers know at once', async () => {
    const before = await gatewayOf(service);
    const client = await loginTo(before);
    process.kill(before.pid, 'SIGKILL');
    await client.ended();
    const after = await successor(service, before);
    expect(after.port).toBe(before.port);
    expect(await score(after)).toEqual([['2.5', null, null]]);
  });

  test('was stopped in its tracks is killed after its silence, and replaced', async () => {
    const before = await gatewayOf(service);
    const client = await loginTo(before);
    process.kill(before.pid, 'SIGSTOP');
    client.send(queryPacket('ping'));
    await client.ended();
    expect(await score(await successor(service, before))).toEqual([['2.5', null, null]]);
    await waitFor(() => /the gateway was silent for \d+ s and is killed/.test(service.log()), {
      message: 'the log of it',
    });
  });

  test('has a model whose first run never ends lives on, answers others, and leaves it alone after the second time', async () => {
    const before = await gatewayOf(service);
    const client = await loginTo(before);
    for (let time = 0; time < 2; time += 1) {
      const call = client.ask(endlessCall);
      expect(await score(before)).toEqual([['2.5', null, null]]);
      const [error] = await call;
      expect(fieldsOf(error!)).toMatchObject({ C: 'XX000', M: expect.stringContaining('first run') });
    }
    const [error] = await client.ask(endlessCall);
    expect(fieldsOf(error!)).toMatchObject({ C: '55000', H: expect.stringContaining('Promote another version') });
    expect(await score(before)).toEqual([['2.5', null, null]]);
    expect(await gatewayOf(service)).toEqual(before);
    client.destroy();
  });

  test('ends with a service that was killed', async () => {
    const other = await startTestService(database, QUICK);
    const { pid } = await gatewayOf(other);
    await other.kill();
    await waitFor(() => !isAlive(pid), { message: 'the end of the gateway' });
  });

  test('is drained with its service: a call in hand is answered first', async () => {
    const other = await startTestService(database, QUICK);
    const login = await gatewayOf(other);
    const locker = await database.client();
    await locker.query('begin');
    await locker.query('lock table pgscore_data.artifact in access exclusive mode');
    const client = await loginTo(login);
    const idle = await loginTo(login);
    client.send(queryPacket(request(sums, { x: 1 })));
    await waitFor(async () => {
      const { rows } = await superuser.query(
        "select from pg_stat_activity where datname = current_database() and application_name = 'pgscore gateway models' and wait_event_type = 'Lock'",
      );
      return rows.length > 0;
    });
    const stopped = other.stop();
    expect(await idle.fatal()).toMatchObject({ C: '57P01' });
    await locker.query('rollback');
    expect(rowsOf(await client.answer())).toEqual([['1', null, null]]);
    expect(await stopped).toBe(0);
    expect(isAlive(login.pid)).toBe(false);
  });
});

test('a port that is taken ends a start, with the remedy', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const start = startTestService(database, { ...QUICK, PGSCORE_GATEWAY_PORT: String(port) });
  await expect(start).rejects.toThrow(/EADDRINUSE.*gateway_unavailable/s);
  other.close();
});

test('the password of the gateway is in neither the arguments nor the environment of its process', async () => {
  const { pid, password } = await gatewayOf(service);
  expect(password).toBe(QUICK.PGSCORE_GATEWAY_PASSWORD);
  expect(await startedWith(pid)).not.toContain(password);
  expect((await tcpSocketsOf(pid)).length).toBeGreaterThan(0);
});

test('a database that can not be asked fails a call, and neither the gateway nor the next', async () => {
  const asService = database.url({ user: 'pgscore_service', password: SERVICE_PASSWORD });
  const other = await startTestService(database, { ...QUICK, PGSCORE_DATABASE_URL: proxy.url(asService) });
  const login = await gatewayOf(other);
  expect(await score(login)).toEqual([['2.5', null, null]]);
  proxy.refuse(true);
  proxy.cut('pgscore gateway');
  const client = await loginTo(login);
  const asBob = request(sums, { x: 1 }).replace('alice', 'bob');
  const [error] = await client.ask(asBob);
  expect(fieldsOf(error!)).toMatchObject({ C: '58000', M: expect.stringContaining('"bob"') });
  proxy.refuse(false);
  expect(rowsOf(await client.ask(asBob))).toEqual([['1', null, null]]);
  client.destroy();
  expect(await other.stop()).toBe(0);
});
