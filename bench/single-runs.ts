import type pg from 'pg';
import { MODEL } from './run.ts';
import { quantile } from './spread.ts';

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

export const SUBMIT = 'select pgscore.score_table($1, $2::regclass) as run';
