import { isPassing } from '../postgres/sqlstate.ts';
import type { Logger } from '../log.ts';

/** A database that is down comes up one day; one that refuses the service, or has no pgscore, is a mistake to be told of. */
export async function unlessDown(work: () => Promise<void>, log: Logger): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isPassing(error)) throw error;
    log.warn({ err: error }, 'the database does not answer yet; the service goes on trying');
  }
}
