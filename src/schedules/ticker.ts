import cron from 'node-cron';

import type { Logger } from '../log.ts';

export type Ticker = {
  /** Resolves when the work under way has ended. */
  stop(): Promise<void>;
};

const EVERY_SECOND = '* * * * * *';
/** Spreads the services of a database over the second, so that they do not all claim the same fire. */
const SPREAD_MS = 300;
const STALLED_MS = 5000;

/** Does `work` every second, never twice at a time. An error is logged and the next second tried again. */
export function startTicker(work: () => Promise<unknown>, log: Logger): Ticker {
  let working: Promise<void> | undefined;
  let ticked = performance.now();
  const tick = (): void => {
    ticked = performance.now();
    working ??= attempt(work, log).finally(() => {
      working = undefined;
    });
  };
  const task = cron.schedule(EVERY_SECOND, tick, { maxRandomDelay: SPREAD_MS, suppressMissedWarning: true });
  // A host clock set back by an hour leaves node-cron asleep for an hour.
  const watch = setInterval(() => {
    if (performance.now() - ticked < STALLED_MS) return;
    void task.stop();
    void task.start();
  }, STALLED_MS);
  return {
    stop: async () => {
      clearInterval(watch);
      await task.destroy();
      await working;
    },
  };
}

async function attempt(work: () => Promise<unknown>, log: Logger): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.warn({ err: error }, 'looking for due schedules failed and will be tried again');
  }
}
