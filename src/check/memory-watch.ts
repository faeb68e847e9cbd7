import { readFileSync } from 'node:fs';

/** Fast enough that a process gains some hundred MB at most between two looks. */
const LOOK_EVERY_MS = 50;

/**
 * Calls `exceeded` once when the resident memory of a process passes the limit. Where there is no /proc, nothing is
 * watched. Returns a function that stops the watch.
 */
export function watchMemory(pid: number, limitBytes: number, exceeded: () => void): () => void {
  const timer = setInterval(() => {
    if (residentBytes(pid) <= limitBytes) return;
    clearInterval(timer);
    exceeded();
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

/** Resident bytes of a process, 0 where that can't be told. */
function residentBytes(pid: number): number {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}
