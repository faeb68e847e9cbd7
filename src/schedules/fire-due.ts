import type pg from 'pg';

import { isConnectionLoss } from '../postgres/sqlstate.ts';
import { PgscoreError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { breakSchedule } from './advance-schedule.ts';
import { dueSchedules, type DueSchedule } from './due-schedules.ts';
import { fireSchedule, type FireCounts } from './fire-schedule.ts';
import { FireSession } from './fire-session.ts';

export type FireOptions = {
  /** A session of pgscore_service, for this use alone while it lasts. */
  readonly service: pg.ClientBase;
  /** Opens a session of pgscore_reader, which is ended here. */
  readonly openReader: () => Promise<pg.Client>;
  readonly log: Logger;
};

/** An owner who locks what her schedules need holds up others for half a second each time, and this often in one look. */
const MOST_WAITS = 4;

/**
 * Decides about every fire time that has come, by the database's clock: submitted, skipped, missed or failed. Any number of
 * services may do so at once, and each fire is submitted once: the row that claims it is written in the transaction that
 * queues its run. A schedule that fails never stops another.
 *
 * @returns how many fires this service decided
 * @throws where one of the two connections is lost or cannot be made; what is undecided then is decided the next time
 */
export async function fireDue({ service, openReader, log }: FireOptions): Promise<FireCounts> {
  const session = new FireSession(openReader);
  const counts: FireCounts[] = [];
  const waits = new Map<string, number>();
  try {
    for (const schedule of await dueSchedules(service)) {
      const waited = waits.get(schedule.owner) ?? 0;
      if (waited === MOST_WAITS) continue;
      const more = await fireOrExplain(schedule, service, session, log);
      waits.set(schedule.owner, waited + more.postponed);
      counts.push(more);
    }
  } finally {
    await session.close();
  }
  return total(counts);
}

async function fireOrExplain(
  schedule: DueSchedule,
  service: pg.ClientBase,
  session: FireSession,
  log: Logger,
): Promise<FireCounts> {
  try {
    return await fireSchedule(schedule, service, session, log);
  } catch (error) {
    if (isBroken(error)) await breakSchedule(service, schedule.id, error.message);
    else if (isConnectionLoss(error) || error instanceof PgscoreError) throw error;
    log.warn({ err: error, schedule: schedule.name }, 'a schedule could not be decided');
    return { submitted: 0, missed: 0, failed: 0, postponed: 1 };
  }
}

function total(counts: readonly FireCounts[]): FireCounts {
  const sum = (of: keyof FireCounts): number => counts.reduce((whole, part) => whole + part[of], 0);
  return { submitted: sum('submitted'), missed: sum('missed'), failed: sum('failed'), postponed: sum('postponed') };
}

function isBroken(error: unknown): error is PgscoreError {
  if (!(error instanceof PgscoreError)) return false;
  return error.code === 'schedule_cron_invalid' || error.code === 'schedule_time_zone_unknown';
}
