import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { waitFor } from '../support/wait-for.ts';
import { scoreQuery, startTestGateway } from './test-server.ts';
import {
  cancelPacket,
  fieldsOf,
  int32,
  queryPacket,
  rowsOf,
  SSL_REQUEST,
  startPacket,
  WireClient,
} from './wire-client.ts';

async function isServed(port: number): Promise<boolean> {
  const client = await WireClient.login(port);
  const rows = rowsOf(await client.ask('ping'));
  client.destroy();
  return rows[0]?.[0] === 'ok';
}

describe('a client that does not log in', () => {
  test('in time is sent away, whether it says nothing or a byte now and then', async () => {
    const { port } = await startTestGateway({ authenticationMs: 100 });
    const clients = await Promise.all(Array.from({ length: 3 }, () => WireClient.open(port)));
    clients[1]!.send(Buffer.of(0));
    clients[2]!.send(startPacket({ user: 'pgscore' }));
    const ends = await Promise.all(clients.map((client) => client.fatal()));
    expect(ends.map(({ M }) => M)).toEqual(Array.from({ length: 3 }, () => 'canceling authentication due to timeout'));
  });

  test('makes room for who comes once there are as many as there may be, who came first before the others', async () => {
    const { port, server } = await startTestGateway({ mostConnections: 6 });
    const inside = [await WireClient.login(port), await WireClient.login(port)];
    const idle: WireClient[] = [];
    while (idle.length < 3) {
      idle.push(await WireClient.open(port));
      await waitFor(() => server.connections === 2 + idle.length, { message: 'its connection' });
    }
    for (const first of idle.slice(0, 2)) {
      expect(await isServed(port)).toBe(true);
      expect(await first.fatal()).toMatchObject({ S: 'FATAL', C: '53300' });
      await waitFor(() => server.connections === 4, { message: 'the end of one that asked' });
      idle.push(await WireClient.open(port));
      await waitFor(() => server.connections === 5, { message: 'five connections' });
    }
    expect(idle.map(({ closed }) => closed)).toEqual([true, true, false, false, false]);
    expect(rowsOf(await inside[0]!.ask('ping'))).toEqual([['ok']]);
    for (const client of [...idle, ...inside]) client.destroy();
  });

  test('takes no room of those who come by the socket of the machine, even where it takes all that is left', async () => {
    const { port, server } = await startTestGateway({ mostConnections: 6 });
    const folder = await mkdtemp(join(tmpdir(), 'limits-'));
    const path = join(folder, 'socket');
    await server.listenLocally(path);
    const inside: WireClient[] = [];
    while (inside.length < 5) inside.push(await WireClient.login(path));
    const idle = await WireClient.open(port);
    await waitFor(() => server.connections === 6, { message: 'six connections' });
    inside.push(await WireClient.login(path));
    expect(await idle.fatal()).toMatchObject({ C: '53300' });
    for (const where of [port, path])
      expect(await (await WireClient.open(where)).fatal()).toMatchObject({ S: 'FATAL', C: '53300' });
    for (const client of inside) client.destroy();
    await rm(folder, { recursive: true });
  });

  test('can stream hundreds of megabytes without any of it being kept', async () => {
    const { port } = await startTestGateway();
    const before = process.memoryUsage().rss;
    const client = await WireClient.open(port);
    client.send(startPacket({ user: 'pgscore' }));
    await client.until('R');
    const piece = Buffer.alloc(2 ** 20);
    for (let sent = 0; sent < 300 && !client.closed; sent += 1) {
      if (!client.socket.write(piece)) await waitFor(() => client.closed || client.socket.writableLength === 0);
    }
    await client.ended();
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
  });
});

describe('a session', () => {
  test('that does not read its answers is not read from, and others are served', async () => {
    const { port, calls } = await startTestGateway({ session: { messageBytes: 16 * 2 ** 20 } });
    const slow = await WireClient.login(port);
    slow.socket.pause();
    const query = queryPacket(scoreQuery(Array.from({ length: 10_000 }, () => ({ x: 0.123456789 }))));
    for (let n = 0; n < 60; n += 1) slow.send(query);
    const other = await WireClient.login(port);
    let answered = -1;
    await waitFor(
      async () => {
        expect(rowsOf(await other.ask('ping'))).toEqual([['ok']]);
        if (answered === calls.length) return true;
        answered = calls.length;
        return false;
      },
      { message: 'the slow client to hold itself up' },
    );
    expect(calls.length).toBeLessThan(60);
    slow.socket.resume();
    await waitFor(() => slow.replies.filter(({ type }) => type === 'Z').length === 60, { timeout: 20_000 });
    slow.destroy();
    other.destroy();
  });

  test('that leaves gives its call up', async () => {
    const { port, calls, errors } = await startTestGateway({ answering: false });
    const client = await WireClient.login(port);
    client.send(queryPacket(scoreQuery([{ x: 1 }])));
    await waitFor(() => calls.length === 1);
    client.destroy();
    await waitFor(() => calls[0]!.outcome);
    expect(calls[0]!.outcome).toMatchObject({ sqlstate: '08006' });
    expect(errors).toHaveLength(1);
  });

  test('is ended at a drain: at once where it is idle, else after its answer', async () => {
    const { port, server, calls, answer } = await startTestGateway({ answering: false });
    const [idle, busy] = [await WireClient.login(port), await WireClient.login(port)];
    busy.send(queryPacket(scoreQuery([{ x: 1 }])));
    await waitFor(() => calls.length === 1);
    const drained = server.drain();
    expect(await idle.fatal()).toMatchObject({ C: '57P01' });
    expect(busy.closed).toBe(false);
    answer(calls[0]!);
    expect(rowsOf(await busy.answer())).toEqual([['1', null, null]]);
    expect(await busy.fatal()).toMatchObject({ C: '57P01' });
    await drained;
    await expect(WireClient.login(port)).rejects.toThrow();
  });
});

describe('many', () => {
  test('sessions at once, a hundred, are each answered', async () => {
    const { port, server } = await startTestGateway();
    const clients = await Promise.all(Array.from({ length: 100 }, () => WireClient.login(port)));
    const answers = await Promise.all(clients.map((client, x) => client.ask(scoreQuery([{ x }]))));
    expect(answers.map((answer) => rowsOf(answer)[0]![0])).toEqual(clients.map((_, x) => String(x)));
    for (const client of clients) client.destroy();
    await waitFor(() => server.connections === 0, { message: 'the end of all sessions' });
  });

  test('cancelled calls, two hundred, leave nothing behind', async () => {
    const { port, server, calls, defects } = await startTestGateway({ answering: false });
    const client = await WireClient.open(port);
    client.send(startPacket({ user: 'pgscore' }));
    await client.authenticate('secret');
    const key = (await client.until('K')).body;
    await client.until('Z');
    for (let n = 0; n < 200; n += 1) {
      client.send(queryPacket(scoreQuery([{ x: 1 }])));
      while (calls.length <= n) await new Promise(setImmediate);
      const canceller = await WireClient.open(port);
      canceller.send(cancelPacket(key));
      expect(fieldsOf((await client.answer())[0]!)).toMatchObject({ C: '57014' });
      canceller.destroy();
    }
    expect(rowsOf(await client.ask('ping'))).toEqual([['ok']]);
    client.destroy();
    await waitFor(() => server.connections === 0, { message: 'the end of all sessions' });
    expect(calls.every(({ outcome }) => outcome !== undefined)).toBe(true);
    expect(defects).toEqual([]);
  });

  test('connections that are cut in the middle of anything leave nothing behind', async () => {
    const { port, server, defects } = await startTestGateway();
    const query = queryPacket(scoreQuery([{ x: 1 }]));
    const beginnings = [SSL_REQUEST, startPacket({ user: 'pgscore' }), int32(100), Buffer.alloc(0)];
    for (let n = 0; n < 120; n += 1) {
      const client = await (n % 2 === 0 ? WireClient.open(port) : WireClient.login(port));
      client.send(n % 2 === 0 ? beginnings[(n / 2) % beginnings.length]! : query.subarray(0, n % query.length));
      if (n % 3 === 0) client.socket.resetAndDestroy();
      else client.destroy();
    }
    await waitFor(() => server.connections === 0, { message: 'the end of all connections' });
    expect(defects).toEqual([]);
    expect(await isServed(port)).toBe(true);
  });
});
