import { statement } from '../postgres/statement.ts';
import type { Counts, ShardReader } from './job.ts';

/** Blocks [from, to) of every relation of the source; `to` is null for the last range, which stays open. */
export type BlockRange = { readonly from: number; readonly to: number | null };

const LEAST_PAGES = 128;
const MOST_PAGES = 8192;

/**
 * Cuts the blocks of a source so that all scorers end together: each range is half of what is left, divided by the
 * scorers, between 1 and 64 MiB.
 *
 * @param longest blocks of the largest relation; the ranges cut all of them alike
 * @param total blocks of all relations
 */
export function shardRanges(longest: number, total: number, scorers: number): BlockRange[] {
  const relations = Math.max(1, total / Math.max(1, longest));
  const ranges: BlockRange[] = [];
  let from = 0;
  while (from < longest) {
    const fair = ((longest - from) * relations) / (2 * scorers);
    const pages = Math.min(MOST_PAGES, Math.max(LEAST_PAGES, fair));
    const to = from + Math.max(1, Math.round(pages / relations));
    ranges.push({ from, to: to >= longest ? null : to });
    from = to;
  }
  return ranges.length === 0 ? [{ from: 0, to: null }] : ranges;
}

/**
 * Blocks of the largest relation of a source and of all, and the row estimate of the planner. The source is looked up
 * by name.
 */
export const measureSource = statement<
  [schema: string, name: string],
  { longest: number; total: number; rows: number | null }
>(
  'measure_source',
  `with recursive tree (oid) as (
     select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2
     union
     select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid
   ), leaf as (
     select pg_relation_size(c.oid) / current_setting('block_size')::int as blocks, c.reltuples from tree join pg_class c using (oid) where c.relkind in ('r', 'm')
   )
   select coalesce(max(blocks), 0)::float8 as longest, coalesce(sum(blocks), 0)::float8 as total, nullif(sum(greatest(reltuples, 0)), 0)::float8 as rows from leaf`,
);

/**
 * Stores the shards of an attempt, if the run is still this service's, with the snapshot that all of them read, or with
 * who reads a distributed table. Shards of an earlier attempt are deleted: whoever holds one can commit nothing. A
 * shard row that another session has locked is skipped, and tidying deletes it later: to wait here, with the run
 * locked, would let the lease of the run expire.
 */
export const openShards = statement<
  [
    runId: string,
    attempt: number,
    serviceId: string,
    snapshotId: string | null,
    snapshotAt: string,
    generation: number,
    from: number[],
    to: (number | null)[],
    rows: number | null,
    readBy: ShardReader | null,
  ],
  { shards: number }
>(
  'open_shards',
  `with mine as (
     update pgscore_data.run set snapshot_id = $4, shards_read_by = $10, snapshot_at = $5, generation = $6, phase = 'scoring',
            rows_expected = coalesce($9, rows_expected)
      where run_id = $1 and attempt = $2 and claimed_by = $3 and state = 'running'
     returning run_id
   ), former as materialized (
     select s.run_id, s.attempt, s.shard from pgscore_data.shard s
      where s.run_id = (select run_id from mine) and s.attempt < $2
      order by s.attempt, s.shard for update skip locked
   ), gone as (
     delete from pgscore_data.shard s using former f where (s.run_id, s.attempt, s.shard) = (f.run_id, f.attempt, f.shard)
   ), opened as (
     insert into pgscore_data.shard (run_id, attempt, shard, block_from, block_to)
     select mine.run_id, $2, r.n, r.block_from, r.block_to
       from mine cross join unnest($7::bigint[], $8::bigint[]) with ordinality as r (block_from, block_to, n)
     returning shard
   )
   select count(*)::int as shards from opened`,
);

/**
 * Ends a shard in the transaction that copied its predictions in. Returns no row if another service has the fence: roll
 * back.
 */
export const finishShard = statement<
  [
    runId: string,
    attempt: number,
    shard: number,
    fence: number,
    rowsDone: number,
    rowsFailed: number,
    cpuSeconds: number,
  ],
  { shard: number }
>(
  'finish_shard',
  `update pgscore_data.shard s
      set state = 'done', rows_done = $5, rows_failed = $6, cpu_seconds = s.cpu_seconds + $7
    where s.run_id = $1 and s.attempt = $2 and s.shard = $3 and s.fence = $4 and s.state = 'running'
   returning s.shard`,
);

/** Counts the shards and rows of an attempt, of all services together. */
export const shardsDone = statement<[runId: string, attempt: number], Counts & { shards: number; open: number }>(
  'shards_done',
  `select count(*)::int as shards, count(*) filter (where state <> 'done')::int as open, coalesce(sum(rows_done), 0)::float8 as "rowsDone",
          coalesce(sum(rows_failed), 0)::float8 as "rowsFailed", coalesce(sum(cpu_seconds), 0) as "cpuSeconds"
     from pgscore_data.shard where run_id = $1 and attempt = $2`,
);
