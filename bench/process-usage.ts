import { readFileSync, readdirSync } from 'node:fs';

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
export function nameOf(pid: number): string | undefined {
  return read(`/proc/${pid}/comm`)?.trim();
}

export function parentOf(pid: number): number | undefined {
  return statOf(pid)?.parent;
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
