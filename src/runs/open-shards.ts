import { statement } from '../postgres/statement.ts';

/**
 * Writes down the shards of an attempt with the snapshot that all of them read, if the run is still this worker's. Shards
 * of an earlier attempt go: whoever holds one finds nothing to commit. One that a scorer was stopped in the middle of ending
 * is left to the sweep: to wait for it, with the run locked, would cost the run its lease; its commit changes nothing here.
 */
export const openShards = statement<
  [
    runId: string,
    attempt: number,
    worker: string,
    snapshotId: string,
    snapshotAt: string,
    generation: number,
    from: number[],
    to: (number | null)[],
    rows: number | null,
  ],
  { shards: string }
>(
  'open_shards',
  `with mine as (
     update pgscore_data.run set snapshot_id = $4, snapshot_at = $5, generation = $6, phase = 'scoring', rows_expected = coalesce($9, rows_expected)
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
   select count(*) as shards from opened`,
);
