import type pg from 'pg';

/**
 * Takes indexes and foreign keys off a table that is to be filled: what a row costs them one by one is many times what
 * it costs to build them afterwards. Returns the statements that put them back.
 */
export async function withoutIndexes(client: pg.Client, table: string): Promise<readonly string[]> {
  const constraints = await client.query<{ drop: string; add: string }>(CONSTRAINTS, [table]);
  const indexes = await client.query<{ drop: string; add: string }>(INDEXES, [table]);
  const parts = [...constraints.rows, ...indexes.rows];
  for (const { drop } of parts) await client.query(drop);
  return parts.map(({ add }) => add);
}

const CONSTRAINTS = `select format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname) as drop,
         format('alter table %s add constraint %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) as add
    from pg_constraint c where c.conrelid = $1::regclass and c.contype in ('p', 'u', 'f') order by c.contype desc`;

/** Of a partitioned table PostgreSQL spells its own index only, without those of the partitions. */
const INDEXES = `select format('drop index %s', i.indexrelid::regclass) as drop, replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') as add
    from pg_index i where i.indrelid = $1::regclass and not exists (select from pg_constraint c where c.conindid = i.indexrelid)`;
