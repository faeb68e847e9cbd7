import { expect, test } from '@jest/globals';
import type { QueryResult } from 'pg';
import type { Output } from '../../src/commands/output.ts';
import { ServiceWatch } from '../../src/commands/service-watch.ts';
import type { Queryable } from '../../src/postgres/statement.ts';

function listening(): Output & { notes: string[] } {
  const notes: string[] = [];
  return {
    json: false,
    terminal: false,
    notes,
    result: () => undefined,
    draw: () => undefined,
    note: (line) => notes.push(line),
  };
}

/** A database on which so many services run. */
function databaseWith(services: number): Queryable {
  const rows = Array.from({ length: services }, () => ({ worker: '' }));
  return { query: () => Promise.resolve({ rows } as unknown as QueryResult) } as unknown as Queryable;
}

test('a service that runs is nothing to speak of', async () => {
  const output = listening();
  await new ServiceWatch(output, 0).expectService(databaseWith(1), 'run 7');
  expect(output.notes).toEqual([]);
});

test('where none runs, it is said once, and waited for', async () => {
  const output = listening();
  const watch = new ServiceWatch(output, 60_000);
  await watch.expectService(databaseWith(0), 'run 7');
  await watch.expectService(databaseWith(0), 'run 7');
  expect(output.notes).toEqual(['No service is running; run 7 waits for one: pgscore serve']);
});

test('nobody waits for ever', async () => {
  const waiting = new ServiceWatch(listening(), 0).expectService(databaseWith(0), 'run 7');
  await expect(waiting).rejects.toMatchObject({ code: 'no_service', remedy: expect.stringContaining('pgscore serve') });
});
