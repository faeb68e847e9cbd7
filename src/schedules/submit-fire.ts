import type { OwnerSession } from '../postgres/owner-session.ts';
import { isTransient, sqlState } from '../postgres/sqlstate.ts';
import { type Queryable, statement } from '../postgres/statement.ts';
import type { DueSchedule } from './due.ts';

type Verdict =
  | { readonly kind: 'submitted'; readonly run: string }
  /** The overlap rule left it out, or another service was first. */
  | { readonly kind: 'skipped' }
  | { readonly kind: 'failed'; readonly error: string }
  /** A lock, a full disk or a server that stops is in the way: to be tried again at the next look. */
  | { readonly kind: 'postponed'; readonly error: string };

function changed({ owner }: DueSchedule): string {
  return (
    `its function in pgscore_sources was changed or dropped, or its owner "${owner}" was dropped or renamed. ` +
    'Select pgscore.unschedule(name), then schedule it again. Where the owner left, a deployer drops it'
  );
}

/**
 * Submits one fire as its owner. The owner may change the function at any time, and one turned into SECURITY INVOKER would
 * run as pgscore_reader, which can change its own password. So it is called only as pgscore.schedule() made it, and what it
 * did is committed only if it was still that version after the call.
 */
export async function submitFire(
  session: OwnerSession,
  service: Queryable,
  schedule: DueSchedule,
  at: Date,
): Promise<Verdict> {
  const version = await fireFunctionVersion(service, schedule.id);
  if (version === undefined) return { kind: 'failed', error: changed(schedule) };
  await session.prepare(schedule.owner);
  const confirm = async (): Promise<void> => {
    if ((await fireFunctionVersion(service, schedule.id)) !== version) throw new FunctionChanged();
  };
  try {
    const run = await session.submit(schedule, at, confirm);
    return run === null ? { kind: 'skipped' } : { kind: 'submitted', run };
  } catch (error) {
    return refused(error);
  }
}

class FunctionChanged extends Error {
  constructor() {
    super('its function was changed while it ran');
  }
}

function refused(error: unknown): Verdict {
  if (isClaimed(error)) return { kind: 'skipped' };
  // An internal error passes only by chance, and the owner should see it.
  const isPostponed = error instanceof FunctionChanged || (isTransient(error) && sqlState(error) !== 'XX000');
  return { kind: isPostponed ? 'postponed' : 'failed', error: reason(error) };
}

/** Another service has claimed the fire. An owner could only pretend it to itself. */
function isClaimed(error: unknown): boolean {
  return sqlState(error) === '23505' && error instanceof Error && 'table' in error && error.table === 'schedule_fire';
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = 'hint' in error && typeof error.hint === 'string' ? `. ${error.hint}` : '';
  return `${error.message}${hint}`;
}

const fireFunction = statement<[scheduleId: number], { version: string | null }>(
  'fire_function',
  'select pgscore_data._fire_function($1) as version',
);

/** The version of a schedule's function, if it is as pgscore.schedule() made it; else its owner has dropped or changed it. */
async function fireFunctionVersion(service: Queryable, scheduleId: number): Promise<string | undefined> {
  const [row] = await fireFunction(service, scheduleId);
  return row?.version ?? undefined;
}
