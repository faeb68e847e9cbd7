import { readFileSync } from 'node:fs';

/** Kernels count in hundredths of a second, whatever their tick is. */
const TICK_MS = 10;
const LOOK_EVERY_MS = 50;
/** By the clock a process has so many times its limit: it may wait for what never comes. */
export const CLOCK_FACTOR = 4;
const LEAST_CLOCK_MS = 60_000;

/** A process by its pid, or one of its threads as `pid/task/tid`. */
export type Task = number | string;

/** CPU time of a task so far, by proc(5); undefined where the kernel does not tell, and of one that has ended. */
function cpuMs(task: Task): number | undefined {
  try {
    const text = readFileSync(`/proc/${task}/stat`, 'latin1');
    // The name, in parentheses, may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return undefined;
  }
}

/**
 * Tells how many milliseconds a task has worked since now. That is its CPU time, since a busy machine may let it wait; a
 * quarter of the clock where that is more; and the clock where the kernel does not tell.
 */
export function workTimer(task: Task): () => number {
  const [cpuBefore, clockBefore] = [cpuMs(task), performance.now()];
  return () => {
    const [cpu, clock] = [cpuMs(task), performance.now() - clockBefore];
    return cpu === undefined || cpuBefore === undefined ? clock : Math.max(cpu - cpuBefore, clock / CLOCK_FACTOR);
  };
}

/**
 * Calls `exceeded` once when a task has had more CPU time than a limit; with true where it had less, but the clock went so
 * far that the machine may be to blame. Returns a function that lifts the limit.
 */
export function limitWork(task: Task, limitMs: number, exceeded: (starved: boolean) => void): () => void {
  const [cpuBefore, clockBefore] = [cpuMs(task) ?? 0, performance.now()];
  const clockLimitMs = Math.max(CLOCK_FACTOR * limitMs, LEAST_CLOCK_MS);
  const look = (): void => {
    const [cpu, clock] = [cpuMs(task), performance.now() - clockBefore];
    const isWithin = cpu === undefined ? clock < limitMs : cpu - cpuBefore < limitMs;
    if (isWithin && clock < clockLimitMs) return;
    clearInterval(timer);
    exceeded(isWithin);
  };
  const timer = setInterval(look, Math.min(LOOK_EVERY_MS, limitMs));
  return () => clearInterval(timer);
}
