import type { Client } from 'pg';

import { pause } from '../../../src/lib/retry.ts';
import type { TestDatabase } from '../../support/database.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import type { Random } from './random-writes.ts';

/** Kills scorers and the service, and ends their sessions, while `goesOn`. Resolves with the service that runs then. */
export async function disturb(
  database: TestDatabase,
  superuser: Client,
  first: TestService,
  random: Random,
  goesOn: () => boolean,
): Promise<TestService> {
  let service = first;
  while (goesOn()) {
    await pause(300 + random() * 1500);
    const chance = random();
    if (chance < 0.35) await killScorer(service, random);
    else if (chance < 0.6) await endSessions(superuser, random);
    else if (chance < 0.85) {
      await service.kill();
      service = await startService(database);
    }
  }
  return service;
}

async function killScorer(service: TestService, random: Random): Promise<void> {
  const pids = await service.scorerPids();
  const victim = pids[Math.floor(random() * pids.length)];
  try {
    if (victim !== undefined) process.kill(victim, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

async function endSessions(superuser: Client, random: Random): Promise<void> {
  await superuser.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name like 'pgscore %' and random() < $1`,
    [random()],
  );
}

export function startService(database: TestDatabase): Promise<TestService> {
  return startTestService(database, { PGSCORE_POLL: '0.1', PGSCORE_LEASE: '2', PGSCORE_SCORERS: '2' });
}
