import { statement } from '../db/statement.ts';

export type WorkerState = 'running' | 'draining' | 'paused' | 'stopped';

/** Puts a service on the list that pgscore.workers shows, or shows that it lives. */
export const reportWorker = statement<
  [worker: string, host: string, pid: number, version: string, scorers: number, state: WorkerState]
>(
  'report_worker',
  `insert into pgscore_data.worker (worker_id, host, pid, version, scorers, state) values ($1, $2, $3, $4, $5, $6)
   on conflict (worker_id) do update set heartbeat_at = clock_timestamp(), state = excluded.state`,
);

/** Takes services off the list that ended or fell silent a day ago. */
export const forgetWorkers = statement<[]>(
  'forget_workers',
  `delete from pgscore_data.worker where heartbeat_at < clock_timestamp() - interval '1 day'`,
);
