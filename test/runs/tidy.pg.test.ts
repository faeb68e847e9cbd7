import { expect, test } from '@jest/globals';

import { DatabaseConnection } from '../../src/postgres/connection.ts';
import { tidy } from '../../src/runs/tidy.ts';
import { cloneDatabase } from '../support/database.ts';

const database = await cloneDatabase();

test('what fails leaves out nothing else that is to be tidied, and is told', async () => {
  const client = await database.client();
  await client.query(`create or replace function pgscore_data._prune_history(most_targets int, most_rows bigint) returns bigint
    language plpgsql as $$ begin raise exception 'a disk is full' using errcode = 'connection_failure'; end $$`);
  await client.query(`insert into pgscore_data.service (service_id, host, pid, version, scorers, state, heartbeat_at)
    values (gen_random_uuid(), 'old', 1, '0', 1, 'stopped', now() - interval '2 days')`);
  const connection = new DatabaseConnection({ url: database.url(), applicationName: 'tidy' });
  await expect(tidy(connection)).rejects.toMatchObject({ message: 'a disk is full' });
  await connection.end();
  expect((await client.query('select from pgscore_data.service')).rowCount).toBe(0);
});
