import { statement } from '../db/statement.ts';

/** Takes published generations beyond the newest 40 of a target out of its history, for whoever looks from now on. */
export const retireGenerations = statement<[], { target_id: number; generation: number }>(
  'retire_generations',
  `with old as materialized (
     select target_id, generation from (
       select g.target_id, g.generation, row_number() over (partition by g.target_id order by g.generation desc) as age
         from pgscore_data.generation g join pgscore_data.target t using (target_id)
        where g.state = 'published' and g.generation > 1 and g.generation <> t.current_generation) x
      where age > 40
   )
   update pgscore_data.generation g set state = 'retired', retired_xid = pg_current_xact_id()
     from old where (g.target_id, g.generation) = (old.target_id, old.generation) and g.state = 'published'
   returning g.target_id, g.generation`,
);

/**
 * Notes which transactions may still see what was retired: all that are open after that was committed. Who is not
 * privileged sees of other sessions no xmin of their snapshots, but that they are in a transaction.
 */
export const noteReaders = statement<[]>(
  'note_readers',
  `update pgscore_data.generation set readers = array(
     select l.virtualxid from pg_locks l join pg_stat_activity a using (pid)
      where l.locktype = 'virtualxid' and l.granted and l.virtualxid = l.virtualtransaction and a.datname = current_database() and l.pid <> pg_backend_pid())
   where state = 'retired' and readers is null`,
);

/**
 * Drops generations that no run loads any more, and retired ones that no snapshot can see any more, here or on a standby
 * that says so through a slot; of these at most 100 of a target are kept, however long somebody reads. One that readers
 * hold waits for the next sweep, and keeps none of the others from its turn.
 */
export const dropGenerations = statement<[], { target_id: number; generation: number; dropped: boolean }>(
  'drop_generations',
  `with open as materialized (
     select l.virtualxid from pg_locks l where l.locktype = 'virtualxid' and l.granted
   ), spare as materialized (
     select target_id, generation from (
       select g.target_id, g.generation from pgscore_data.generation g
        where g.state = 'discarded'
           or g.state = 'loading' and not exists (select from pgscore_data.run r where r.run_id = g.run_id and r.attempt = g.attempt and r.state = 'running')
       union all
       select target_id, generation from (
         select g.*, row_number() over (partition by g.target_id order by g.generation desc) as age from pgscore_data.generation g where g.state = 'retired') retired
        where readers is not null
          and (age > 100
            or not exists (select from open where open.virtualxid = any (readers))
               and not exists (select from pg_replication_slots s where age(s.xmin) >= age(retired_xid::xid)))) x
      order by random() limit 20
   )
   select target_id, generation, pgscore_data._drop_generation(target_id, generation) as dropped from spare`,
);
