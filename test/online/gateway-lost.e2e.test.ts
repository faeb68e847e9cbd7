import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { startedWith, tcpSocketsOf } from '../support/processes.ts';
import { SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { SLOW_SIGNATURE } from '../support/slow-model.ts';
import { startProxy } from '../support/proxy.ts';
import { startTestService, type TestGatewayLogin, type TestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { addVersion, gatewayOf, versionIdOf } from './online.ts';
import { fieldsOf, queryPacket, rowsOf, WireClient } from './wire-client.ts';

const database = await cloneDatabase();
const proxy = await startProxy(database.url());
const superuser = await database.client();
const QUICK = { PGSCORE_GATEWAY_TIMEOUT: '5', PGSCORE_SCORERS: '1', PGSCORE_GATEWAY_PASSWORD: 'canary-of-the-gateway' };
const asService = database.url({ user: 'pgscore_service', password: SERVICE_PASSWORD });
const [service, other] = await Promise.all([
  startTestService(database, QUICK),
  startTestService(database, { ...QUICK, PGSCORE_DATABASE_URL: proxy.url(asService) }),
]);
await deployBytes(await database.client('ada'), 'sums', weightedModel({ x: 'float64' }));
const sums = await versionIdOf(superuser, 'sums@1');

function request(version: number, row: object): string {
  return `score ${JSON.stringify({ version, role: 'alice', deadline: 60_000 })}\n${JSON.stringify(row)}`;
}

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
});

test('a port that is taken ends a start, with the remedy', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const start = startTestService(database, { ...QUICK, PGSCORE_GATEWAY_PORT: String(port) });
  await expect(start).rejects.toThrow(/EADDRINUSE.*gateway_unavailable/s);
  taken.close();
});

test('the password of the gateway is in neither the arguments nor the environment of its process', async () => {
  const { pid, password } = await gatewayOf(service);
  expect(password).toBe(QUICK.PGSCORE_GATEWAY_PASSWORD);
  expect(await startedWith(pid)).not.toContain(password);
  expect((await tcpSocketsOf(pid)).length).toBeGreaterThan(0);
});

describe('a gateway of another service', () => {
  test('fails a call while the database can not be asked, and answers the next', async () => {
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
  });

  test('is drained with its service: a call in hand is answered first', async () => {
    const login = await gatewayOf(other);
    const cold = await addVersion(superuser, 'cold', weightedModel({ x: 'float32' }), SLOW_SIGNATURE);
    const locker = await database.client();
    await locker.query('begin');
    await locker.query('lock table pgscore_data.artifact in access exclusive mode');
    const client = await loginTo(login);
    const idle = await loginTo(login);
    client.send(queryPacket(request(cold, { x: 1 })));
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

test('a gateway ends with a service that was killed', async () => {
  const { pid } = await gatewayOf(service);
  await service.kill();
  await waitFor(() => !isAlive(pid), { message: 'the end of the gateway' });
});
