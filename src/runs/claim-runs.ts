import { statement } from '../postgres/statement.ts';
import { RUN_COLUMNS, RUN_PARTS, type RunRow } from './run.ts';

/**
 * Claims up to `limit` queued runs, oldest first, for a worker. The attempt goes up at the claim, so that a run which
 * kills its worker still ends. `large` is whether tables of more than `largePages` pages may be among them.
 */
export const claimRuns = statement<
  [worker: string, leaseMs: number, limit: number, large: boolean, largePages: number],
  RunRow
>(
  'claim_runs',
  `with queued as materialized (
     select r.run_id from pgscore_data.run r
      where r.state = 'queued' and (r.lease_until is null or r.lease_until < clock_timestamp())
        and ($4 or r.source_kind = 'stream' or r.pages <= $5)
        and not exists (select from pgscore_data.cancellation c where c.run_id = r.run_id)
      order by r.run_id limit $3 for no key update skip locked
   ), claimed as (
     update pgscore_data.run r
        set state = 'running', phase = 'reading', attempt = r.attempt + 1, claimed_by = $1,
            lease_until = clock_timestamp() + $2 * interval '1 millisecond', started_at = coalesce(r.started_at, clock_timestamp()),
            rows_done = 0, rows_failed = 0, cpu_seconds = 0, generation = null, snapshot_id = null, snapshot_at = null
      where r.run_id = any (array(select run_id from queued))
     returning r.*
   )
   select ${RUN_COLUMNS}
     from claimed c ${RUN_PARTS}
    order by c.run_id`,
);
