import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from, to } from 'pg-copy-streams';
import { serverCpuSeconds } from '../processes.ts';

/** Blocks [from, to) of a table, as one core gets them; the last range stays open. */
export type Share = { readonly from: number; readonly to: number };

const NO_END = 4_294_967_295;

/** Cuts a table into as many equal ranges of blocks as there are cores. */
export async function sharesOf(client: pg.Client, table: string, cores: number): Promise<Share[]> {
  const { rows } = await client.query<{ blocks: number }>(
    "select (pg_relation_size($1::regclass) / current_setting('block_size')::int)::int as blocks",
    [table],
  );
  const blocks = rows[0]?.blocks ?? 0;
  const bound = (core: number): number => (core === cores ? NO_END : Math.round((blocks * core) / cores));
  return Array.from({ length: cores }, (_, core) => ({ from: bound(core), to: bound(core + 1) }));
}

/** A binary COPY of some columns of a share. `table` is a name as it stands in SQL. */
export function copyShare(table: string, columns: readonly string[], { from, to }: Share): string {
  return `copy (select ${columns.join(', ')} from ${table} where ctid >= '(${from},0)' and ctid < '(${to},0)') to stdout (format binary)`;
}

/** What a COPY TO says, kept as it comes. */
export async function copiedBytes(client: pg.Client, copySql: string): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of client.query(to(copySql)) as AsyncIterable<Buffer>) chunks.push(chunk);
  return chunks;
}

/** The same, thrown away. */
export async function discardCopy(client: pg.Client, copySql: string): Promise<void> {
  const stream = client.query(to(copySql));
  stream.resume();
  await new Promise((resolve, reject) => stream.once('end', resolve).once('error', reject));
}

/** Gives bytes of a COPY TO to a COPY FROM. */
async function copyIn(client: pg.Client, copySql: string, chunks: readonly Buffer[]): Promise<void> {
  await pipeline(Readable.from(chunks), client.query(from(copySql)));
}

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
