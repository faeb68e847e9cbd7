import { statement } from '../postgres/statement.ts';

/** Blocks of the largest relation of a source and of all, and the planner's row estimate. By name: it is looked up anew. */
export const measureSource = statement<
  [schema: string, name: string],
  { longest: string; total: string; rows: number | null }
>(
  'measure_source',
  `with recursive tree (oid) as (
     select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2
     union all
     select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid
   ), leaf as (
     select pg_relation_size(c.oid) / current_setting('block_size')::int as blocks, c.reltuples from tree join pg_class c using (oid) where c.relkind in ('r', 'm')
   )
   select coalesce(max(blocks), 0)::bigint as longest, coalesce(sum(blocks), 0)::bigint as total, nullif(sum(greatest(reltuples, 0)), 0)::float8 as rows from leaf`,
);
