import { statement } from '../postgres/statement.ts';

/**
 * Gives a shard back after a failure that may pass: at once, or, where `waitMs` is given, after that time and as if it had
 * not been tried. `done` comes back true where its commit had gone through after all.
 */
export const releaseShard = statement<
  [runId: string, attempt: number, shard: number, fence: number, error: string, waitMs: number | null],
  { state: string; fence: number }
>(
  'release_shard',
  `with released as (
     update pgscore_data.shard s set state = 'queued', claimed_by = null, error = $5,
            lease_until = clock_timestamp() + $6 * interval '1 millisecond', handed_back = s.handed_back + ($6::float8 is not null)::int
      where s.run_id = $1 and s.attempt = $2 and s.shard = $3 and s.fence = $4 and s.state = 'running'
     returning s.state, s.fence
   )
   select state, fence from released
   union all
   select s.state, s.fence from pgscore_data.shard s
    where s.run_id = $1 and s.attempt = $2 and s.shard = $3 and not exists (select from released)`,
);
