import type pg from 'pg';

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
