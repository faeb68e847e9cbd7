import { statement } from '../postgres/statement.ts';

const decided = statement<[scheduleId: number, fireAt: string], { decided: boolean }>(
  'fire_decided',
  `select exists (select from pgscore_data.schedule_fire f where f.schedule_id = $1 and f.fire_at = $2) as decided`,
);

/** Whether a fire time has its row already; another service may be about to write it all the same. */
export async function isDecided(
  service: Parameters<typeof decided>[0],
  scheduleId: number,
  at: Date,
): Promise<boolean> {
  const [row] = await decided(service, scheduleId, at.toISOString());
  return row?.decided ?? false;
}

export type UnsubmittedFire = { readonly at: Date; readonly outcome: 'missed' | 'failed'; readonly error: string };

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
export async function recordFires(
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
