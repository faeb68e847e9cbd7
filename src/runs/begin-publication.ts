import { statement } from '../db/statement.ts';

/**
 * First step of a publishing transaction: locks the run, if it is still this worker's and not cancelled, and the target.
 * The run itself is changed once, at the end: a second change in one transaction checks its foreign keys again. `latest` says whether the run becomes what the latest view shows: its version is champion or publication was
 * asked for, and no newer snapshot was published before.
 */
export const beginPublication = statement<
  [runId: string, attempt: number, worker: string, snapshotAt: string],
  { latest: boolean; current_generation: number; current_rows: string }
>(
  'begin_publication',
  `select coalesce(r.publish, exists (select from pgscore_data.alias a where a.version_id = r.version_id and a.alias = 'champion'))
            and (t.current_snapshot_at is null or t.current_snapshot_at <= $4) as latest,
          t.current_generation, t.current_rows
     from pgscore_data.run r join pgscore_data.target t using (target_id)
    where r.run_id = $1 and r.attempt = $2 and r.claimed_by = $3 and r.state = 'running' and r.cancel_requested_at is null
      for no key update of r, t`,
);
