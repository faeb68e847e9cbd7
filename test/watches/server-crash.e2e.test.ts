import { expect, test } from '@jest/globals';

import { createSource, deployLogistic, PACE, PATIENCE_MS } from '../faults/long-run.ts';
import { createFaultDatabase } from '../support/fault-database.ts';
import { startFaultServer } from '../support/fault-server.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { differences } from './watching.ts';

const server = await startFaultServer({ fsync: 'off' });
const database = await createFaultDatabase(server);
await startTestService(database, PACE);
await deployLogistic(await database.client('ada'));
const owner = await database.client('alice');
await createSource(owner, 'rows', 3000);
await owner.query(`select pgscore.watch('logistic', 'rows', target => 'live')`);

test('a watch misses nothing and doubles nothing though the server crashes while rows change', async () => {
  for (const round of [1, 2, 3]) {
    const before = await database.client('alice');
    await before.query('update rows set f0 = f0 + 1 where id % 3 = $1::int % 3', [round]);
    await before.query('delete from rows where id % 50 = $1', [round]);
    await before.query(
      `insert into rows select (jsonb_populate_record(r, jsonb_build_object('id', 100000 * $1::int + r.id))).* from rows r where r.id < 500`,
      [round],
    );
    await server.immediateRestart();
  }
  const alice = await database.client('alice');
  const isAtRest = async (): Promise<boolean> => {
    const { rows } = await alice.query<{ state: string; pending: string }>(
      'select state, pending from pgscore.watches',
    );
    return rows[0]?.state === 'following';
  };
  await waitFor(isAtRest, { timeout: PATIENCE_MS, message: 'the watch to be at rest' });
  expect(await differences(alice, 'logistic', 'rows', 'live')).toEqual([]);
});
