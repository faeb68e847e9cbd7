import { pause } from '../../../src/lib/retry.ts';
import type { TestDatabase } from '../../support/database.ts';
import type { FaultServer } from '../../support/fault-server.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { waitFor } from '../../support/wait-for.ts';
import { command, vacuumQueue } from './commands.ts';
import type { Random } from '../../../src/lib/random.ts';

/** Kills scorers, the service and the server, ends their sessions, and changes watches, while `goesOn`. Resolves with the service that runs then. */
export async function disturb(
  database: TestDatabase,
  server: FaultServer,
  first: TestService,
  random: Random,
  goesOn: () => boolean,
): Promise<TestService> {
  let service = first;
  while (goesOn()) {
    await pause(300 + random() * 1500);
    const chance = random();
    if (chance < 0.2) await killScorer(service, random);
    else if (chance < 0.3) await endSessions(database, random);
    else if (chance < 0.5) await command(database, random);
    else if (chance < 0.55) await vacuumQueue(database);
    else if (chance < 0.7) {
      await service.kill();
      service = await startService(database);
    } else if (chance < 0.8) await server.immediateRestart();
    else if (chance < 0.9) {
      await server.kill();
      await pause(random() * 1000);
      // Until the last backend has noticed, the memory that they share keeps the server from starting.
      await waitFor(() => server.start().then(() => true), { timeout: 60_000, message: 'the server to start' });
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

async function endSessions(database: TestDatabase, random: Random): Promise<void> {
  const superuser = await database.client();
  await superuser.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name like 'pgscore %' and random() < $1`,
    [random()],
  );
  await superuser.end();
}

export function startService(database: TestDatabase): Promise<TestService> {
  return startTestService(database, { PGSCORE_POLL: '0.1', PGSCORE_LEASE: '2', PGSCORE_SCORERS: '2' });
}
