import { statement } from '../postgres/statement.ts';

/**
 * Drops read handles that no open run needs: views at once, because tables depend on them, functions after a day. In any
 * order, so that those which something of their owner's holds do not keep the others from their turn.
 */
export const dropHandles = statement<[], { handle_id: string; dropped: boolean }>(
  'drop_handles',
  `with spare as materialized (
     select h.handle_id from pgscore_data.handle h
      where h.created_at < clock_timestamp() - case h.kind when 'view' then interval '0' else interval '1 day' end
        and not exists (select from pgscore_data.run r where r.handle_id = h.handle_id and r.state in ('queued', 'running'))
        and not exists (select from pgscore_data.label_source s where s.handle_id = h.handle_id)
      order by random() limit 50
   )
   select handle_id, pgscore_data._drop_handle(handle_id) as dropped from spare`,
);

/** Drops one read handle, if no open run needs it and nobody reads through it just now; else the sweep does. */
export const dropHandle = statement<[handleId: number], { dropped: boolean }>(
  'drop_handle',
  'select pgscore_data._drop_handle($1) as dropped',
);

/** Forgets the shards of runs that have ended, so that claims need not pass them by. One that its holder is about to end waits for the next sweep. */
export const dropShards = statement<[]>(
  'drop_shards',
  `with spare as materialized (
     select s.run_id, s.attempt, s.shard from pgscore_data.shard s join pgscore_data.run r using (run_id)
      where r.state in ('done', 'failed', 'cancelled')
      order by s.run_id, s.attempt, s.shard limit 10000 for update of s skip locked
   )
   delete from pgscore_data.shard s using spare where (s.run_id, s.attempt, s.shard) = (spare.run_id, spare.attempt, spare.shard)`,
);
