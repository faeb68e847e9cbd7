import { once } from 'node:events';
import { afterAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { DatabaseConnection } from '../../src/postgres/connection.ts';
import { emptyDatabase } from '../support/database.ts';
import { startProxy } from '../support/proxy.ts';

const database = await emptyDatabase();
const superuser = await database.client();
const proxy = await startProxy(database.url());
const connections: DatabaseConnection[] = [];

afterAll(() => Promise.all(connections.map((connection) => connection.close())));

function newConnection(applicationName: string, timeoutMs?: number): DatabaseConnection {
  const connection = new DatabaseConnection({
    url: proxy.url(database.url()),
    applicationName,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  connections.push(connection);
  return connection;
}

async function pidOf(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid;
}

test('a connection that was lost is replaced for the next user', async () => {
  const connection = newConnection('lost');
  const first = await connection.use(pidOf);
  expect(await connection.use(pidOf)).toBe(first);
  await superuser.query('select pg_terminate_backend($1)', [first]);
  expect(await connection.insist(pidOf)).not.toBe(first);
});

test('the late end of a connection does not take its successor along', async () => {
  const connection = newConnection('late');
  const first = await connection.client();
  const ended = once(first, 'end');
  const closed = connection.close();
  const second = await connection.client();
  await Promise.all([ended, closed]);
  expect(await connection.client()).toBe(second);
});

test('a server that gives no answer is given up, and the next user connects anew', async () => {
  const connection = newConnection('silent', 2000);
  const first = await connection.use(pidOf);
  expect(proxy.blackhole('silent')).toBe(1);
  await expect(connection.use(pidOf)).rejects.toThrow('Query read timeout');
  expect(await connection.use(pidOf)).not.toBe(first);
});

test('users take turns, so that no statement gets into the transaction of another', async () => {
  const connection = newConnection('turns');
  const order: string[] = [];
  const transaction = connection.use(async (client) => {
    await client.query('begin');
    order.push('begin');
    await client.query('commit');
    order.push('commit');
  });
  const other = connection.use(async (client) => {
    await client.query('select');
    order.push('select');
  });
  await Promise.all([transaction, other]);
  expect(order).toEqual(['begin', 'commit', 'select']);
});
