import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { MODEL } from './run.ts';
import { SUBMIT } from './single-runs.ts';
import { quantile } from './spread.ts';

/** What happened when runs of one row came at a steady rate. */
export type Sustained = {
  /** Runs a second that were to be submitted, and that were. */
  readonly rate: number;
  readonly submittedRate: number;
  /** Runs that had not ended, at the end of each second. */
  readonly backlog: readonly number[];
  readonly grows: boolean;
};

/** A backlog of a tenth of a second's runs is work in hand, not a queue. */
const IN_HAND_SECONDS = 0.1;

/**
 * Submits runs at a steady rate for some seconds, each of `submitters` its share by the clock, and counts what is open.
 *
 * @param submitters connections with the source that each of them has scored
 * @param watcher a connection that may see all runs
 */
export async function measureSustained(
  submitters: readonly { readonly client: pg.Client; readonly source: string }[],
  watcher: pg.Client,
  rate: number,
  seconds: number,
): Promise<Sustained> {
  const began = performance.now();
  const backlog: number[] = [];
  const submitted = submitters.map((submitter, index) =>
    submitAll(submitter, began + (1000 * index) / rate, (1000 * submitters.length) / rate, began + 1000 * seconds),
  );
  for (let second = 1; second <= seconds; second += 1) {
    await sleep(Math.max(0, began + 1000 * second - performance.now()));
    backlog.push(await openRuns(watcher));
  }
  const count = (await Promise.all(submitted)).reduce((sum, runs) => sum + runs, 0);
  const submittedRate = (1000 * count) / (performance.now() - began);
  while ((await openRuns(watcher)) > 0) await sleep(100);
  return { rate, submittedRate, backlog, grows: growing(backlog, rate) || submittedRate < 0.98 * rate };
}

/** One connection's share: the next run at its time, or at once where that has passed. Resolves with how many it submitted. */
async function submitAll(
  { client, source }: { client: pg.Client; source: string },
  firstAt: number,
  everyMs: number,
  until: number,
): Promise<number> {
  let runs = 0;
  for (let at = firstAt; at < until && performance.now() < until; at += everyMs) {
    const early = at - performance.now();
    if (early > 0) await sleep(early);
    await client.query({ name: 'submit', text: SUBMIT, values: [MODEL, source] });
    runs += 1;
  }
  return runs;
}

async function openRuns(watcher: pg.Client): Promise<number> {
  const { rows } = await watcher.query<{ open: number }>(
    "select count(*)::int as open from pgscore_data.run where state in ('queued', 'running')",
  );
  return rows[0]?.open ?? 0;
}

function growing(backlog: readonly number[], rate: number): boolean {
  const quarter = Math.max(1, Math.floor(backlog.length / 4));
  const [first, last] = [quantile(backlog.slice(0, quarter), 0.5), quantile(backlog.slice(-quarter), 0.5)];
  return last > first + IN_HAND_SECONDS * rate;
}
