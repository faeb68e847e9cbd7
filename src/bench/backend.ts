import type pg from 'pg';
import { cpuSecondsOf, nameOf } from './process-usage.ts';

/** The process that serves a connection; undefined where it is not one of this machine. */
export async function backendOf(client: pg.Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const pid = rows[0]?.pid ?? 0;
  return nameOf(pid)?.startsWith('postgres') === true ? pid : undefined;
}

/** CPU time that the backends of some connections spend on `work`. */
export async function backendCpuSeconds(clients: readonly pg.Client[], work: () => Promise<unknown>): Promise<number> {
  const pids = await Promise.all(clients.map(backendOf));
  const spent = (): number => pids.reduce<number>((sum, pid) => sum + (cpuSecondsOf(pid ?? 0) ?? 0), 0);
  const before = spent();
  await work();
  return spent() - before;
}
