import type pg from 'pg';
import { cpuSecondsOfFamily, nameOf, parentOf } from './process-usage.ts';

/** The process that serves a connection; undefined where it is not one of this machine. */
export async function backendOf(client: pg.Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const pid = rows[0]?.pid ?? 0;
  return nameOf(pid)?.startsWith('postgres') === true ? pid : undefined;
}

/** CPU time that a server on this machine spends during `work`: its backends, and those that read and write for them. */
export async function serverCpuSeconds(client: pg.Client, work: () => Promise<unknown>): Promise<number> {
  const postmaster = parentOf((await backendOf(client)) ?? 0) ?? 0;
  const before = cpuSecondsOfFamily(postmaster);
  await work();
  return cpuSecondsOfFamily(postmaster) - before;
}
