import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { MODEL } from './run.ts';
import { oneRow } from './single-runs.ts';

/** The model that is scored, as its exporter wrote it. */
export const TREES = fileURLToPath(new URL('trees.onnx', import.meta.url));

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
