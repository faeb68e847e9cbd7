import type pg from 'pg';

import { transaction } from '../postgres/transaction.ts';
import type { Logger } from '../log.ts';
import { advanceSchedule } from './advance-schedule.ts';
import { dueFires, type Due } from './due.ts';
import type { DueSchedule } from './due-schedules.ts';
import { isDecided, recordFires, type UnsubmittedFire } from './fire-record.ts';
import type { FireSession } from './fire-session.ts';
import { submitFire } from './submit-fire.ts';

/** How many fires a service decided, and how many schedules it has to come back to. */
export type FireCounts = { submitted: number; missed: number; failed: number; postponed: number };

const LATE = 'no service submitted it in time';

/**
 * Decides about the fires of one schedule: submits what is due, records what is not, and notes how far that goes.
 *
 * @throws PgscoreError `schedule_cron_invalid` or `schedule_time_zone_unknown`; errors of the two connections
 */
export async function fireSchedule(
  schedule: DueSchedule,
  service: pg.ClientBase,
  session: FireSession,
  log: Logger,
): Promise<FireCounts> {
  const due = dueFires({ ...schedule, paused: false }, schedule.now);
  const unsubmitted = missedFires(due);
  let submitted = 0;
  for (const at of due.submit) {
    if (await isDecided(service, schedule.id, at)) continue;
    const verdict = await submitFire(session, service, schedule, at);
    const what = { schedule: schedule.name, fireAt: at };
    if (verdict.kind === 'postponed') {
      log.warn({ ...what, reason: verdict.error }, 'a fire could not be submitted and will be tried again');
      return { submitted, postponed: 1, ...(await settle(service, schedule, unsubmitted)) };
    }
    if (verdict.kind === 'submitted') {
      submitted += 1;
      log.info({ ...what, run: verdict.run }, 'a schedule submitted a run');
    } else if (verdict.kind === 'failed') {
      unsubmitted.push({ at, outcome: 'failed', error: verdict.error });
      log.warn({ ...what, reason: verdict.error }, 'a schedule could not submit its run');
    }
  }
  return { submitted, postponed: 0, ...(await settle(service, schedule, unsubmitted, due)) };
}

function missedFires({ missed, more }: Due): UnsubmittedFire[] {
  return missed.map((at, n) => ({
    at,
    outcome: 'missed',
    error: more && n === 0 ? `${LATE}, nor those before it, which are too many to list` : LATE,
  }));
}

/** Records in one transaction what was not submitted and, where all is decided, how far. */
async function settle(
  service: pg.ClientBase,
  schedule: DueSchedule,
  fires: readonly UnsubmittedFire[],
  due?: Due,
): Promise<{ missed: number; failed: number }> {
  return transaction(service, async () => {
    // Its owner may hold the schedule in an open transaction, and no other may wait for her.
    await service.query("set local lock_timeout = '500ms'");
    const recorded = await recordFires(service, schedule.id, fires);
    if (due) await advanceSchedule(service, schedule.id, due.decidedUntil.toISOString(), due.next.toISOString());
    const failed = recorded.filter((outcome) => outcome === 'failed').length;
    return { missed: recorded.length - failed, failed };
  });
}
