import { once } from 'node:events';
import { afterAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { Link } from '../../src/postgres/connection.ts';
import { emptyDatabase } from '../support/database.ts';
import { startProxy } from '../support/proxy.ts';

const database = await emptyDatabase();
const superuser = await database.client();
const proxy = await startProxy(database.url());
const links: Link[] = [];

afterAll(() => Promise.all(links.map((link) => link.close())));

function newLink(applicationName: string, patienceMs?: number): Link {
  const link = new Link({
    url: proxy.url(database.url()),
    applicationName,
    ...(patienceMs === undefined ? {} : { patienceMs }),
  });
  links.push(link);
  return link;
}

async function pidOf(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid;
}

test('a connection that was lost is replaced for the next user', async () => {
  const link = newLink('lost');
  const first = await link.use(pidOf);
  expect(await link.use(pidOf)).toBe(first);
  await superuser.query('select pg_terminate_backend($1)', [first]);
  expect(await link.insist(pidOf)).not.toBe(first);
});

test('the late end of a connection does not take its successor along', async () => {
  const link = newLink('late');
  const first = await link.client();
  const ended = once(first, 'end');
  const closed = link.close();
  const second = await link.client();
  await Promise.all([ended, closed]);
  expect(await link.client()).toBe(second);
});

test('a server that gives no answer is given up, and the next user connects anew', async () => {
  const link = newLink('silent', 2000);
  const first = await link.use(pidOf);
  expect(proxy.blackhole('silent')).toBe(1);
  await expect(link.use(pidOf)).rejects.toThrow('Query read timeout');
  expect(await link.use(pidOf)).not.toBe(first);
});

test('users take turns, so that no statement gets into the transaction of another', async () => {
  const link = newLink('turns');
  const order: string[] = [];
  const transaction = link.use(async (client) => {
    await client.query('begin');
    order.push('begin');
    await client.query('commit');
    order.push('commit');
  });
  const other = link.use(async (client) => {
    await client.query('select');
    order.push('select');
  });
  await Promise.all([transaction, other]);
  expect(order).toEqual(['begin', 'commit', 'select']);
});
