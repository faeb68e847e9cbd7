import { readFileSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';

/** Process ids of the living children of a process; Linux only. */
export async function childrenOf(pid: number): Promise<number[]> {
  const entries = await readdir('/proc');
  const pids = entries.filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = await Promise.all(pids.map(parentOf));
  return pids.filter((_, index) => parents[index] === pid);
}

/** undefined for a process that has ended, also one that nobody has waited for yet. */
async function parentOf(pid: number): Promise<number | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name of the program stands in parentheses and may hold any character.
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}

/** CPU time that a process took so far. */
export function cpuSeconds(pid: number): number {
  const [user = 0, system = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .split(') ')[1]!
    .split(' ')
    .slice(11)
    .map(Number);
  return (user + system) / 100;
}

/** Memory of a process that is in the machine's, in MiB. */
export function residentMib(pid: number): number {
  const [kib = '0'] = /(?<=^VmRSS:\s+)\d+/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

/** Arguments and environment that a process was started with, as whoever may read its files sees them. */
export async function startedWith(pid: number): Promise<string> {
  const files = ['cmdline', 'environ'].map((name) => readFile(`/proc/${pid}/${name}`, 'latin1'));
  return (await Promise.all(files)).join('\0');
}

/** The files of a process's working directory. */
export function filesIn(pid: number): Promise<string[]> {
  return readdir(`/proc/${pid}/cwd`);
}

/** Inodes of the TCP sockets that a process has open. */
export async function tcpSocketsOf(pid: number): Promise<string[]> {
  const table = await readFile(`/proc/${pid}/net/tcp`, 'utf8');
  const known = new Set(table.split('\n').map((line) => line.trim().split(/\s+/)[9]));
  const descriptors = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  const inodes = links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]);
  return inodes.filter((inode) => inode !== undefined && known.has(inode)).map(String);
}
