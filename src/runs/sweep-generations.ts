import { statement } from '../postgres/statement.ts';

/**
 * Takes published generations out of the history of their target, for every snapshot from now on: those of more than 400 days
 * ago, and those beyond the newest 40, since each is a partition that every query plans for. None goes before it is kept for labels.
 */
export const retireGenerations = statement<[], { target_id: number; generation: number }>(
  'retire_generations',
  `with old as materialized (
     select target_id, generation from (
       select g.target_id, g.generation, row_number() over (partition by g.target_id order by g.generation desc) as age, g.created_at
         from pgscore_data.generation g join pgscore_data.target t using (target_id)
        where g.state = 'published' and g.generation > 1 and g.generation <> t.current_generation
          and not exists (select from pgscore_data.run r where r.run_id = g.run_id and not r.kept)) x
      where age > 40 or created_at < clock_timestamp() - interval '400 days'
   )
   update pgscore_data.generation g set state = 'retired', retired_xid = pg_current_xact_id()
     from old where (g.target_id, g.generation) = (old.target_id, old.generation) and g.state = 'published'
   returning g.target_id, g.generation`,
);

/**
 * Drops generations that no run loads any more, and retired ones that no snapshot sees any more, of a session here or of a
 * standby that says so through its slot; a hundred of a target are kept for those, however long they last. DROP heeds no
 * snapshot: to one that is older, the rows would be gone. One that readers hold waits for the next sweep, and keeps none
 * of the others from its turn.
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
