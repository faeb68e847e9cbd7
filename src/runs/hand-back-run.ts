import { statement } from '../db/statement.ts';

/** Gives an unfinished run back at shutdown; it costs no attempt. */
export const handBackRun = statement<[runId: string, attempt: number, worker: string], { run_id: string }>(
  'hand_back_run',
  `with given as (
     update pgscore_data.run set state = 'queued', phase = null, attempt = attempt - 1, claimed_by = null, lease_until = null
      where run_id = $1 and attempt = $2 and claimed_by = $3 and state = 'running'
     returning run_id
   ), discarded as (
     update pgscore_data.generation g set state = 'discarded' from given where g.run_id = given.run_id and g.state = 'loading'
   )
   select run_id from given`,
);
