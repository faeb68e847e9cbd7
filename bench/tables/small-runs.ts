import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { quantile } from '../figures.ts';
import { MODEL } from './large-runs.ts';

/** How long a run of one row takes, from its submission to the prediction in the user's hands, in milliseconds. */
export type Latency = { readonly runs: number; readonly medianMs: number; readonly p99Ms: number };

/**
 * Submits runs over a table of one row, one after the other: each waits for the last to be visible. `unmeasured` come
 * first: by then both sides have compiled what they run often, as in a service that has worked for some seconds.
 */
export async function measureLatency(
  client: pg.Client,
  source: string,
  { unmeasured, runs }: { readonly unmeasured: number; readonly runs: number },
): Promise<Latency> {
  for (let run = 0; run < unmeasured; run += 1) await oneRow(client, source);
  const times: number[] = [];
  for (let run = 0; run < runs; run += 1) times.push(await oneRow(client, source));
  return { runs, medianMs: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
}

/** What a user types: submit, wait, look. Milliseconds. */
export async function oneRow(client: pg.Client, source: string, model = MODEL): Promise<number> {
  const began = performance.now();
  const submitted = await client.query<{ run: string }>({ name: 'submit', text: SUBMIT, values: [model, source] });
  const run = submitted.rows[0]?.run ?? '';
  const wait = `call pgscore.wait_for_run(${Number(run)})`;
  await client.query(wait);
  const look = `select run_id, score from ${source}_scores`;
  const { rows } = await client.query<{ run_id: string; score: number | null }>(look);
  if (rows[0]?.run_id !== run || rows[0].score === null) throw new Error(`run ${run} is done and not to be seen`);
  return performance.now() - began;
}

const SUBMIT = 'select pgscore.score_table($1, $2::regclass) as run';

/** The model that is scored, as its exporter wrote it. */
export const TREES = fileURLToPath(new URL('../trees.onnx', import.meta.url));

/** Seconds from a model file to the first scored row: deploy, check, a run of one row, a look at it. */
export async function deployToFirstRow(client: pg.Client, source: string): Promise<number> {
  const began = performance.now();
  const { rows } = await client.query<{ version: string }>('select pgscore.deploy($1, $2) as version', [
    MODEL,
    await readFile(TREES),
  ]);
  const wait = `call pgscore.wait_for_version(${client.escapeLiteral(rows[0]?.version ?? '')})`;
  await client.query(wait);
  await oneRow(client, source);
  return (performance.now() - began) / 1000;
}

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
