import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

/** The name under which bench/trees.onnx is deployed. */
export const MODEL = 'trees';

const POLL_MS = 20;

export type EndedRun = { readonly run: string; readonly seconds: number; readonly scorerCpuSeconds: number };

/** Submits a run over a large table and waits until its predictions are visible; `seconds` is what the user waits. */
export async function scoreTable(client: pg.Client, source: string): Promise<EndedRun> {
  const began = performance.now();
  const submitted = await client.query<{ run: string }>('select pgscore.score_table($1, $2::regclass) as run', [
    MODEL,
    source,
  ]);
  const run = submitted.rows[0]?.run ?? '';
  for (;;) {
    const { rows } = await client.query<Seen>('select state, error, cpu_seconds from pgscore.runs where run = $1', [
      run,
    ]);
    if (isDone(run, rows[0])) break;
    await sleep(POLL_MS);
  }
  const seconds = (performance.now() - began) / 1000;
  const { rows } = await client.query<Seen>('select cpu_seconds from pgscore.runs where run = $1', [run]);
  return { run, seconds, scorerCpuSeconds: rows[0]?.cpu_seconds ?? 0 };
}

type Seen = { readonly state: string; readonly error: string | null; readonly cpu_seconds: number };

function isDone(run: string, seen: Seen | undefined): boolean {
  if (seen?.state === 'queued' || seen?.state === 'running') return false;
  if (seen?.state === 'done') return true;
  throw new Error(`run ${run} is ${seen?.state}: ${seen?.error ?? 'no reason given'}`);
}
