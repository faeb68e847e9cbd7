import type pg from 'pg';
import { serverCpuSeconds } from './backend.ts';
import { copiedBytes, copyIn } from './copied-bytes.ts';
import { copyShare } from './shares.ts';
import type { Share } from './shares.ts';

const SCHEMA = 'pgscore_bench_limit';

/** The predictions of a run as they came to the server: one COPY for each core, the columns, and the key. */
export type WrittenBytes = {
  readonly parent: string;
  readonly columns: readonly string[];
  readonly generation: number;
  readonly parts: readonly (readonly Buffer[])[];
};

/** Reads the predictions of one generation back as they were sent, without what is the table's default, cut into shares. `target` is the storage's number. */
export async function writtenBytes(
  client: pg.Client,
  target: { readonly id: number; readonly generation: number },
  shares: readonly Share[],
): Promise<WrittenBytes> {
  const parent = `pgscore_predictions.target_${target.id}`;
  const leaf = `${parent}_g${target.generation}`;
  const { rows } = await client.query<{ attname: string }>(
    `select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and attname not in ('generation', 'event_time', 'run_id') order by attnum`,
    [leaf],
  );
  const columns = rows.map(({ attname }) => `"${attname}"`);
  const parts: Buffer[][] = [];
  for (const share of shares) parts.push(await copiedBytes(client, copyShare(leaf, columns, share)));
  return { parent, columns, generation: target.generation, parts };
}

/**
 * CPU time that the server takes to copy the bytes of a run into a table made as a generation is, an empty partition,
 * over one connection a core, and to build its unique index afterwards. The table is dropped.
 */
export async function copyInCost(clients: readonly pg.Client[], written: WrittenBytes): Promise<number> {
  const [first] = clients;
  if (first === undefined) return 0;
  await makeGeneration(first, written);
  // Workers that help with an index save time, at the price of more work.
  await first.query('set max_parallel_maintenance_workers = 0');
  const copy = `copy ${SCHEMA}.generation (${written.columns.join(', ')}) from stdin (format binary)`;
  const index = `create unique index on ${SCHEMA}.generation (id)`;
  const seconds = await serverCpuSeconds(first, async () => {
    await Promise.all(clients.map((client, core) => copyIn(client, copy, written.parts[core] ?? [])));
    await first.query(index);
  });
  await first.query('drop schema pgscore_bench_limit cascade');
  return seconds;
}

async function makeGeneration(client: pg.Client, { parent, generation }: WrittenBytes): Promise<void> {
  const lines = [
    `create schema ${SCHEMA}`,
    `create table ${SCHEMA}.parent (like ${parent} including defaults) partition by list (generation)`,
    `create table ${SCHEMA}.generation (like ${parent} including defaults)`,
    `alter table ${SCHEMA}.generation replica identity full, alter generation set default ${generation}, alter run_id set default 1`,
    `alter table ${SCHEMA}.parent attach partition ${SCHEMA}.generation for values in (${generation})`,
  ];
  for (const line of lines) await client.query(line);
}
