import { statement } from '../db/statement.ts';

/**
 * First step of a publishing transaction: takes the run, if it is still this worker's and not cancelled, and locks the
 * target. `latest` says whether the run becomes what the latest view shows: its version is champion or publication was
 * asked for, and no newer snapshot was published before.
 */
export const beginPublication = statement<
  [runId: string, attempt: number, worker: string, snapshotAt: string],
  { latest: boolean; current_generation: number; current_rows: string }
>(
  'begin_publication',
  `with mine as (
     update pgscore_data.run set phase = 'publishing', snapshot_at = $4
      where run_id = $1 and attempt = $2 and claimed_by = $3 and state = 'running' and cancel_requested_at is null
     returning target_id, version_id, publish
   )
   select coalesce(mine.publish, exists (select from pgscore_data.alias a where a.version_id = mine.version_id and a.alias = 'champion'))
            and (t.current_snapshot_at is null or t.current_snapshot_at <= $4) as latest,
          t.current_generation, t.current_rows
     from mine join pgscore_data.target t using (target_id)
      for no key update of t`,
);
