import { setTimeout as sleep } from 'node:timers/promises';

/** Who waits long, or whose question takes long, asks less often: to ask takes the processor from what is waited for. */
const MOST_PAUSE_MS = 50;
const PAUSE_PER_ASKED_MS = 4;
const MOST_PAUSE_OF_SLOW_MS = 250;

export type WaitOptions = {
  /** Milliseconds; 30,000 by default, which a machine that does much else may need. */
  timeout?: number;
  /** What was waited for, for the error. */
  message?: string;
};

/**
 * Asks until the condition gives something true, and gives that; a condition that throws is asked again.
 *
 * @throws Error after the timeout, with the last error of the condition as its cause.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeout = 30_000, message = 'a condition' }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeout;
  let cause: unknown;
  let pauseMs = 10;
  do {
    const asked = performance.now();
    try {
      const answer = await condition();
      if (answer) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    const slowMs = PAUSE_PER_ASKED_MS * (performance.now() - asked);
    await sleep(Math.max(pauseMs, Math.min(slowMs, MOST_PAUSE_OF_SLOW_MS)));
    pauseMs = Math.min(MOST_PAUSE_MS, 1.1 * pauseMs);
  } while (performance.now() < deadline);
  throw new Error(`waited ${timeout} ms for ${message}`, { cause });
}
