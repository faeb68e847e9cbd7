import { pause } from '../../../src/lib/retry.ts';
import type { TestDatabase } from '../../support/database.ts';
import type { Random } from '../../../src/lib/random.ts';
import { pick } from '../../support/pick.ts';
import { WATCHED, watch } from './sources.ts';

/** Does what users do to watches while rows change: promotes a version, or pauses, resumes or changes a watch. */
export async function command(database: TestDatabase, random: Random): Promise<void> {
  const watched = pick(random, WATCHED);
  const chance = random();
  if (chance < 0.3) {
    const ada = await database.client('ada');
    await ada.query('select pgscore.promote($1)', [pick(random, ['iris@1', 'iris@2'])]);
    return ada.end();
  }
  const alice = await database.client('alice');
  if (chance < 0.6) {
    await alice.query('select pgscore.pause_watch($1)', [watched.target]);
    await pause(random() * 1000);
    await alice.query('select pgscore.resume_watch($1)', [watched.target]);
  } else {
    // Writers may hold a table locked for longer than it waits for.
    await watch(alice, watched).catch(() => undefined);
  }
  await alice.end();
}

/** Makes the queue full after a few changes, so that sources are compared instead. */
export async function crampQueue(database: TestDatabase): Promise<void> {
  const superuser = await database.client();
  await superuser.query(`alter database faults set pgscore.watch_queue_bytes = '16384'`);
  await superuser.end();
}

export async function vacuumQueue(database: TestDatabase): Promise<void> {
  const superuser = await database.client();
  await superuser.query('vacuum pgscore_data.watch_change');
  await superuser.end();
}
