import { expect, test } from '@jest/globals';

import type { Connection } from '../../src/client/connection.ts';
import { ServiceWatch } from '../../src/client/wait.ts';

/** A database on which so many services run. */
function databaseWith(services: number): Connection {
  return { query: async () => ({ rows: Array.from({ length: services }, () => ({})) }) };
}

function listening(timeoutMs: number): { watch: ServiceWatch; notices: string[] } {
  const notices: string[] = [];
  return { watch: new ServiceWatch((notice) => notices.push(notice), timeoutMs), notices };
}

test('a running service gives no notice', async () => {
  const { watch, notices } = listening(0);
  await watch.expectService(databaseWith(1), 'run 7');
  expect(notices).toEqual([]);
});

test('a missing service gives one notice, and is waited for', async () => {
  const { watch, notices } = listening(60_000);
  await watch.expectService(databaseWith(0), 'run 7');
  await watch.expectService(databaseWith(0), 'run 7');
  expect(notices).toEqual(['No service is running; run 7 waits for one: pgscore serve']);
});

test('nobody waits for ever', async () => {
  const waiting = listening(0).watch.expectService(databaseWith(0), 'run 7');
  await expect(waiting).rejects.toMatchObject({ code: 'no_service', remedy: expect.stringContaining('pgscore serve') });
});
