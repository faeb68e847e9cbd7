import type pg from 'pg';
import { isConnectionLoss } from '../postgres/sqlstate.ts';
import { PgscoreError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { breakSchedule, dueSchedules, type DueSchedule, advanceSchedule, dueFires, type Due } from './due.ts';
import { OwnerSession } from '../postgres/owner-session.ts';
import { submitFire } from './submit-fire.ts';
import { transaction, statement } from '../postgres/statement.ts';

type FireOptions = {
  /** A session of pgscore_service, for this use alone while it lasts. */
  readonly service: pg.ClientBase;
  /** Opens a session of pgscore_reader, which is ended here. */
  readonly openReader: () => Promise<pg.Client>;
  readonly log: Logger;
};

/** An owner who locks what their schedules need holds up others for half a second each time, and this often in one look. */
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
  const session = new OwnerSession(openReader);
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
  session: OwnerSession,
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

/** How many fires a service decided, and how many schedules it has to come back to. */
export type FireCounts = { submitted: number; missed: number; failed: number; postponed: number };

const LATE = 'no service submitted it in time';

/**
 * Decides about the fires of one schedule: submits what is due, records what is not, and notes how far that goes.
 *
 * @throws PgscoreError `schedule_cron_invalid` or `schedule_time_zone_unknown`; errors of the two connections
 */
async function fireSchedule(
  schedule: DueSchedule,
  service: pg.ClientBase,
  session: OwnerSession,
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
      return { submitted, postponed: 1, ...(await closeFires(service, schedule, unsubmitted)) };
    }
    if (verdict.kind === 'submitted') {
      submitted += 1;
      log.info({ ...what, run: verdict.run }, 'a schedule submitted a run');
    } else if (verdict.kind === 'failed') {
      unsubmitted.push({ at, outcome: 'failed', error: verdict.error });
      log.warn({ ...what, reason: verdict.error }, 'a schedule could not submit its run');
    }
  }
  return { submitted, postponed: 0, ...(await closeFires(service, schedule, unsubmitted, due)) };
}

function missedFires({ missed, more }: Due): UnsubmittedFire[] {
  return missed.map((at, n) => ({
    at,
    outcome: 'missed',
    error: more && n === 0 ? `${LATE}, nor those before it, which are too many to list` : LATE,
  }));
}

/** Records in one transaction what was not submitted and, where all is decided, how far. */
async function closeFires(
  service: pg.ClientBase,
  schedule: DueSchedule,
  fires: readonly UnsubmittedFire[],
  due?: Due,
): Promise<{ missed: number; failed: number }> {
  return transaction(service, async () => {
    // Its owner may hold the schedule in an open transaction, and nobody else may wait for the owner.
    await service.query("set local lock_timeout = '500ms'");
    const recorded = await recordFires(service, schedule.id, fires);
    if (due) await advanceSchedule(service, schedule.id, due.decidedUntil.toISOString(), due.next.toISOString());
    const failed = recorded.filter((outcome) => outcome === 'failed').length;
    return { missed: recorded.length - failed, failed };
  });
}

const decided = statement<[scheduleId: number, fireAt: string], { decided: boolean }>(
  'fire_decided',
  `select exists (select from pgscore_data.schedule_fire f where f.schedule_id = $1 and f.fire_at = $2) as decided`,
);

/** Whether a fire time has its row already; another service may be about to write it all the same. */
async function isDecided(service: Parameters<typeof decided>[0], scheduleId: number, at: Date): Promise<boolean> {
  const [row] = await decided(service, scheduleId, at.toISOString());
  return row?.decided ?? false;
}

type UnsubmittedFire = { readonly at: Date; readonly outcome: 'missed' | 'failed'; readonly error: string };

const record = statement<
  [scheduleId: number, fireAts: string[], outcomes: string[], errors: string[]],
  { outcome: UnsubmittedFire['outcome'] }
>(
  'record_fires',
  `insert into pgscore_data.schedule_fire (schedule_id, fire_at, outcome, error)
   select s.schedule_id, f.fire_at, f.outcome, f.error
     from pgscore_data.schedule s cross join unnest($2::timestamptz[], $3::text[], $4::text[]) as f (fire_at, outcome, error)
    where s.schedule_id = $1
   on conflict do nothing
   returning outcome`,
);

/** Records fires that were not submitted, but for those that another service has decided meanwhile. Returns what was recorded. */
async function recordFires(
  service: Parameters<typeof record>[0],
  scheduleId: number,
  fires: readonly UnsubmittedFire[],
): Promise<UnsubmittedFire['outcome'][]> {
  if (fires.length === 0) return [];
  const rows = await record(
    service,
    scheduleId,
    fires.map((fire) => fire.at.toISOString()),
    fires.map((fire) => fire.outcome),
    fires.map((fire) => fire.error),
  );
  return rows.map((row) => row.outcome);
}
