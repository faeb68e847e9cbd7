import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

const BUSY = `select exists (select from pgscore_data.online_batch where not counted)
    or exists (select from pg_stat_activity where application_name in ('pgscore gateway log', 'pgscore refresh', 'pgscore alerts') and state <> 'idle') as busy`;
const POLL_MS = 200;
/** Longer than calls are gathered before they are written. */
const CALM_MS = 1000;
const MOST_MS = 60_000;

/** Waits until the calls so far are written down and counted, so that what is measured next bears its own costs and no others. */
export async function settled(owner: pg.Client): Promise<void> {
  const end = performance.now() + MOST_MS;
  for (let calm = 0; calm < CALM_MS && performance.now() < end; calm += POLL_MS) {
    const { rows } = await owner.query<{ busy: boolean }>(BUSY);
    if (rows[0]?.busy === true) calm = -POLL_MS;
    await sleep(POLL_MS);
  }
}
