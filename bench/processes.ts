import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

/** Kernels count in hundredths of a second, whatever their tick is. */
const TICKS_A_SECOND = 100;

type Stat = { readonly parent: number; readonly cpuSeconds: number; readonly childrenCpuSeconds: number };

/** CPU time of a process so far, all of its threads together; undefined where it is not a process of this machine. */
export function cpuSecondsOf(pid: number): number | undefined {
  return statOf(pid)?.cpuSeconds;
}

/** CPU time of a process, of the children it has and of those that it had. */
export function cpuSecondsOfFamily(pid: number): number {
  const own = statOf(pid);
  if (own === undefined) return 0;
  const living = processes().flatMap((child) => {
    const stat = statOf(child);
    return stat?.parent === pid ? [stat.cpuSeconds] : [];
  });
  return living.reduce((sum, seconds) => sum + seconds, own.cpuSeconds + own.childrenCpuSeconds);
}

/** CPU time of a process and of all that descend from it and live. */
export function cpuSecondsOfTree(pid: number): number {
  const children = processes().filter((child) => statOf(child)?.parent === pid);
  return children.reduce((sum, child) => sum + cpuSecondsOfTree(child), cpuSecondsOf(pid) ?? 0);
}

/** What the kernel calls a process. */
function nameOf(pid: number): string | undefined {
  return read(`/proc/${pid}/comm`)?.trim();
}

export function parentOf(pid: number): number | undefined {
  return statOf(pid)?.parent;
}

/** The child of a process whose command line holds a text, if there is one. */
export function childWith(pid: number, text: string): number | undefined {
  return processes().find(
    (other) => parentOf(other) === pid && read(`/proc/${other}/cmdline`)?.includes(text) === true,
  );
}

/** Resident memory of a process in bytes, as it is now; 0 once it has ended. */
export function residentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  return kibibytes === undefined ? 0 : Number(kibibytes) * 1024;
}

/** See proc(5): the name, in parentheses, may hold anything; what follows it is counted from its end. */
function statOf(pid: number): Stat | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const seconds = (field: number) => Number(fields[field]) / TICKS_A_SECOND;
  return {
    parent: Number(fields[1]),
    cpuSeconds: seconds(11) + seconds(12),
    childrenCpuSeconds: seconds(13) + seconds(14),
  };
}

function processes(): number[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

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

const BUSY = `select exists (select from pgscore_data.online_batch where not counted)
    or exists (select from pgscore_data.run where state = 'done' and not counted)
    or exists (select from pg_stat_activity where application_name in ('pgscore gateway log', 'pgscore refresh', 'pgscore alerts') and state <> 'idle') as busy`;
const POLL_MS = 200;
/** Longer than calls are gathered before they are written. */
const CALM_MS = 1000;
const MOST_MS = 60_000;

/** Waits until the calls and runs so far are written down and counted, so that what is measured next bears its own costs and no others. */
export async function settled(owner: pg.Client): Promise<void> {
  const end = performance.now() + MOST_MS;
  for (let calm = 0; calm < CALM_MS && performance.now() < end; calm += POLL_MS) {
    const { rows } = await owner.query<{ busy: boolean }>(BUSY);
    if (rows[0]?.busy === true) calm = -POLL_MS;
    await sleep(POLL_MS);
  }
}
