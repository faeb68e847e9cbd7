import type pg from 'pg';

/** The name under which bench/trees.onnx is deployed. */
export const MODEL = 'trees';

export type EndedRun = { readonly run: string; readonly seconds: number; readonly scorerCpuSeconds: number };

/** Submits a run over a large table and waits until its predictions are visible; `seconds` is what the user waits. */
export async function scoreTable(client: pg.Client, source: string): Promise<EndedRun> {
  const began = performance.now();
  const submitted = await client.query<{ run: string }>('select pgscore.score_table($1, $2::regclass) as run', [
    MODEL,
    source,
  ]);
  const run = submitted.rows[0]?.run ?? '';
  const wait = `call pgscore.wait_for_run(${Number(run)})`;
  await client.query(wait);
  const seconds = (performance.now() - began) / 1000;
  const { rows } = await client.query<{ cpu_seconds: number }>('select cpu_seconds from pgscore.runs where run = $1', [
    run,
  ]);
  return { run, seconds, scorerCpuSeconds: rows[0]?.cpu_seconds ?? 0 };
}
