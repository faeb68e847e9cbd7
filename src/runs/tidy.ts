import { syncNodes } from '../citus/nodes.ts';
import { PgscoreError } from '../errors.ts';
import type { DatabaseConnection } from '../postgres/connection.ts';
import { statement, type Queryable } from '../postgres/statement.ts';

/** One in so many polls tidies: nobody waits for it, and it takes a dozen statements. */
export const TIDY_EVERY = 3;

/** Deletes services that ended or fell silent a day ago. */
const forgetServices = statement<[]>(
  'forget_services',
  `delete from pgscore_data.service where heartbeat_at < clock_timestamp() - interval '1 day'`,
);

/**
 * Most runs of a watch that are looked at, and most rows of a history that are deleted, in one statement. The last run
 * is deleted whole.
 */
const MOST_PRUNED = 20_000;
const MOST_WATCHES = 100;

/**
 * Deletes replaced predictions of a watch that are older than its history, and runs that have no predictions any more.
 */
const pruneWatch = statement<[most: number, butFor: readonly string[]], { watch: string | null }>(
  'prune_watch',
  'select pgscore_data._prune_watches($1, $2) as watch',
);

async function pruneWatches(client: Queryable): Promise<void> {
  const seen: string[] = [];
  while (seen.length < MOST_WATCHES) {
    const [pruned] = await pruneWatch(client, MOST_PRUNED, seen);
    if (!pruned?.watch) return;
    seen.push(pruned.watch);
  }
}

/** Deletes queued changes of watches that are paused or failing, once these fill the queue. */
const dropIdleChanges = statement<[]>('drop_idle_changes', 'select pgscore_data._drop_idle_changes()');

/** Most large runs that are folded, and most targets whose history is pruned, each time. */
const MOST_FOLDED = 4;
const MOST_TARGETS = 20;

async function foldGenerations(client: Queryable): Promise<void> {
  for (let left = MOST_FOLDED; left > 0; left -= 1) {
    const [oldest] = await foldGeneration(client);
    if (oldest?.folded !== true) return;
  }
}

/** Drops storage and handles that nothing needs any more. Each waits a moment for sessions that use it. */
const STEPS: readonly ((client: Queryable) => Promise<unknown>)[] = [
  (client) => dropShards(client),
  (client) => retireGenerations(client),
  foldGenerations,
  (client) => dropGenerations(client),
  (client) => pruneHistory(client, MOST_TARGETS, MOST_PRUNED),
  dropUnusedHandles,
  (client) => forgetServices(client),
  pruneWatches,
  (client) => dropIdleChanges(client),
  syncNodes,
];

/** Takes all of these steps, even if one fails, such as for a node that is away; then raises what failed. */
export async function tidy(connection: DatabaseConnection): Promise<void> {
  const problems: unknown[] = [];
  for (const step of STEPS) {
    await connection.use(step).catch((error: unknown) => {
      if (error instanceof PgscoreError && error.code.startsWith('database_')) throw error;
      problems.push(error);
    });
  }
  if (problems.length > 1) throw new AggregateError(problems, 'several steps failed');
  if (problems.length === 1) throw problems[0];
}

async function dropUnusedHandles(client: Queryable): Promise<void> {
  const dropped = await dropHandles(client);
  if (dropped.some((handle) => handle.dropped)) await dropShardHandles(client);
}

/**
 * Drops read handles that no open run needs: views at once, because tables depend on them, functions after a day. The
 * order is random, so that handles on which an object of their owner depends do not keep others from their turn.
 */
const dropHandles = statement<[], { handle_id: string; dropped: boolean }>(
  'drop_handles',
  `with spare as materialized (
     select h.handle_id from pgscore_data.handle h
      where h.created_at < clock_timestamp() - case h.kind when 'view' then interval '0' else interval '1 day' end
        and not exists (select from pgscore_data.run r where r.handle_id = h.handle_id and r.state in ('queued', 'running'))
        and not exists (select from pgscore_data.label_source s where s.handle_id = h.handle_id)
        and not pgscore_data._is_of_watch(h.handle_id)
      order by random() limit 50
   )
   select handle_id, pgscore_data._drop_handle(handle_id) as dropped from spare`,
);

/** Drops unneeded handles on the nodes of Citus. */
const dropShardHandles = statement<[]>('drop_shard_handles', 'select pgscore_data._drop_shard_handles()');

/** Drops one read handle, if no open run needs it and no session reads through it; else tidying does. */
export const dropHandle = statement<[handleId: number], { dropped: boolean }>(
  'drop_handle',
  'select pgscore_data._drop_handle($1) as dropped',
);

/**
 * Deletes the shards of runs that have ended, so that claims need not skip them. A shard that its holder has locked
 * waits for the next time.
 */
const dropShards = statement<[]>(
  'drop_shards',
  `with spare as materialized (
     select s.run_id, s.attempt, s.shard from pgscore_data.shard s join pgscore_data.run r using (run_id)
      where r.state in ('done', 'failed', 'cancelled')
      order by s.run_id, s.attempt, s.shard limit 10000 for update of s skip locked
   )
   delete from pgscore_data.shard s using spare where (s.run_id, s.attempt, s.shard) = (spare.run_id, spare.attempt, spare.shard)`,
);

/** How many large runs of a target are partitions of their own, which every query plans for. */
const MOST_GENERATIONS = 40;

/**
 * Published generations that are not current and whose runs are kept for labels; is_surplus and is_past say which may
 * leave the history. Generation 1 is never surplus: small runs fill it.
 */
const OLD_GENERATIONS = `select g.target_id, g.generation, t.keep_history,
         g.generation > 1 and row_number() over (partition by g.target_id order by g.generation desc) > ${MOST_GENERATIONS} as is_surplus,
         g.created_at < pgscore_data._history_since(t.keep_history)
           and not exists (select from pgscore_data.run r where (r.target_id, r.generation, r.state) = (g.target_id, g.generation, 'done')
                              and r.finished_at >= pgscore_data._history_since(t.keep_history)) as is_past
    from pgscore_data.generation g join pgscore_data.target t using (target_id)
   where g.state = 'published' and g.generation > 0 and g.generation <> t.current_generation
     and not exists (select from pgscore_data.run r
                      where (r.target_id, r.generation, r.state) = (g.target_id, g.generation, 'done') and not r.kept)
     and not exists (select from pgscore_data.watch w where (w.target_id, w.generation) = (g.target_id, g.generation))`;

/** Takes generations out of the history, for every snapshot from now on: by time or, if no time was set, by number. */
export const retireGenerations = statement<[], { target_id: number; generation: number }>(
  'retire_generations',
  `with old as materialized (
     select x.target_id, x.generation from (${OLD_GENERATIONS}) x where x.is_past or x.is_surplus and x.keep_history is null
   )
   update pgscore_data.generation g set state = 'retired', retired_xid = pg_current_xact_id()
     from old where (g.target_id, g.generation) = (old.target_id, old.generation) and g.state = 'published'
   returning g.target_id, g.generation`,
);

/** Moves a surplus generation of a target whose history goes by time to generation 0. */
export const foldGeneration = statement<[], { folded: boolean }>(
  'fold_generation',
  `select pgscore_data._fold_generation(o.target_id, o.generation) as folded
     from (select x.target_id, x.generation from (${OLD_GENERATIONS}) x
            where x.is_surplus and not x.is_past and x.keep_history is not null order by random() limit 1) o`,
);

const pruneHistory = statement<[mostTargets: number, mostRows: number]>(
  'prune_history',
  'select pgscore_data._prune_history($1, $2)',
);

/**
 * Drops generations that no run loads any more, and retired ones that no snapshot sees any more: neither of a session here
 * nor of a standby that reports its snapshot through its slot. A hundred retired ones of a target are kept for old
 * snapshots. DROP heeds no snapshot: an older one would miss the rows. A generation that readers hold waits for the
 * next time.
 */
export const dropGenerations = statement<[], { target_id: number; generation: number; dropped: boolean }>(
  'drop_generations',
  `with held as materialized (
     select max(age(x.xmin)) as age from (
       select a.backend_xmin as xmin from pg_stat_activity a where a.datname = current_database() and a.pid <> pg_backend_pid()
       union all
       select s.xmin from pg_replication_slots s) x
   ), spare as materialized (
     select target_id, generation from (
       select g.target_id, g.generation from pgscore_data.generation g
        where g.state = 'discarded'
           or g.state = 'loading' and not exists (select from pgscore_data.run r where r.run_id = g.run_id and r.attempt = g.attempt and r.state = 'running')
       union all
       select target_id, generation from (
         select g.*, row_number() over (partition by g.target_id order by g.generation desc) as place from pgscore_data.generation g where g.state = 'retired') retired
        where place > 100 or coalesce((select h.age from held h) < age(retired_xid::xid), true)) x
      order by random() limit 20
   )
   select target_id, generation, pgscore_data._drop_generation(target_id, generation) as dropped from spare`,
);
