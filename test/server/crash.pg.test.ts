import { expect, test } from '@jest/globals';
import { Client } from 'pg';

import { startFaultServer } from '../support/fault-server.ts';

const server = await startFaultServer();

async function query(text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: server.url() });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

test('what was committed outlives a crash, on the same port', async () => {
  await query('create table committed as select 42 as answer');
  await server.immediateRestart();
  await expect(query('select answer from committed')).resolves.toEqual([{ answer: 42 }]);
  await server.kill();
  await expect(query('select 1')).rejects.toMatchObject({ code: expect.stringMatching(/^ECONN(REFUSED|RESET)$/) });
  await server.start();
  await expect(query('select answer from committed')).resolves.toEqual([{ answer: 42 }]);
});
