import type { Client } from 'pg';
import type { Random } from '../../../src/lib/random.ts';
import { pause } from '../../../src/lib/retry.ts';
import { pick } from '../../support/pick.ts';
import type { TestDatabase } from '../../support/database.ts';
import { startTestService, type TestService } from '../../support/service.ts';

/** What takes long in other sessions: each is held for a while and then ended, by a commit or a rollback. */
const HOLDS = [
  // No refresh meanwhile.
  `select pgscore_data._await_turn('cells')`,
  // A refresh that took what there was, and has not committed.
  'select pgscore_data._refresh()',
  'select pgscore_data._refresh(3)',
  // A comparison waits between its snapshot and what it reads.
  'lock table pgscore_data.compared_label in exclusive mode',
];

/** Holds up refreshes and comparisons, while `goesOn`. */
export async function holdUp(superuser: Client, random: Random, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    try {
      await superuser.query('begin');
      await superuser.query(pick(random, HOLDS));
      await pause(random() * 1200);
      await superuser.query(random() < 0.3 ? 'rollback' : 'commit');
    } catch {
      await superuser.query('rollback');
    }
    await pause(random() * 500);
  }
}

/** A service that is killed now and then, while `goesOn`, and started again. Resolves when one runs. */
export async function killAndStart(
  database: TestDatabase,
  first: TestService,
  random: Random,
  goesOn: () => boolean,
): Promise<TestService> {
  let service = first;
  while (goesOn()) {
    await pause(random() * 2500);
    if (random() < 0.5) continue;
    await service.kill();
    service = await startService(database);
  }
  return service;
}

export function startService(database: TestDatabase): Promise<TestService> {
  return startTestService(database, { PGSCORE_POLL: '0.1' });
}
