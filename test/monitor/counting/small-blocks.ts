import type { Client } from 'pg';

/** Limits that large runs are told by, as they are written in functions of pgscore_data, and what they are to be. */
const LIMITS = [
  ['_belongs_in_blocks(bigint)', 'r.rows_done < 1000', 'r.rows_done < 3'],
  ['_keep_blocks(bigint)', '430.0', '3.0'],
  ['_retire_heads(bigint)', 'desc) > 8', 'desc) > 2'],
  ['_retire_heads(bigint)', 'greatest(1000, ', 'greatest(1, '],
] as const;

/** From now on runs of three rows are kept as large ones are, so that histories of a few entities show how. */
export async function keepSmallBlocks(superuser: Client): Promise<void> {
  for (const [name, limit, small] of LIMITS) {
    const { rows } = await superuser.query<{ text: string }>(
      `select pg_get_functiondef(format('pgscore_data.%s', $1::text)::regprocedure) as text`,
      [name],
    );
    const text = rows[0]?.text ?? '';
    if (!text.includes(limit)) throw new Error(`${name} has no "${limit}" any more`);
    const changed = text.replace(limit, small);
    await superuser.query(changed);
  }
}
