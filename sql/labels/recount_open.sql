-- Counts the places that wait for a label anew: after a change of the pairing rule, and to repair.

create or replace function pgscore_data._recount_open(this_version int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
set enable_seqscan = on
set work_mem = '256MB'
as $$
declare
  m pgscore_data.monitor;
begin
  select x.* into m from pgscore_data.monitor x join pgscore_data.version v using (model_id) where v.version_id = this_version;
  delete from pgscore_data.cell_open c where c.version_id = this_version and c.day >= m.sealed_before;
  with prediction as (
    select pgscore_data._key_code(p.key) as code, p.event_time, p.made_at, abs(p.run_id) as number, p.segments
      from pgscore_data.kept_prediction p where p.version_id = this_version
    union all
    select p.code, p.event_time, p.event_time, p.run_id,
           case when p.segments is not null then array(select unnest(p.segments[p.place : p.place])) end
      from pgscore_data.block_prediction p where p.version_id = this_version
  ), place as (
    select distinct on (p.code, p.event_time) p.code, p.event_time, p.segments
      from prediction p order by p.code, p.event_time, pgscore_data._standing(m.pairing, p.made_at, p.number) desc
  ), ordered as (
    select p.*, lag(p.event_time) over w as earlier, lead(p.event_time) over w as later
      from place p window w as (partition by p.code order by p.event_time)
  ), labeled as (
    select distinct pgscore_data._key_code(e.key) as code, e.event_time from pgscore_data.evaluation e where e.version_id = this_version
  )
  insert into pgscore_data.refresh_open (version_id, segments, day, closes_at, n)
  select this_version, o.segments, date_trunc('day', o.event_time, m.time_zone),
         pgscore_data._closes_at(m.pairing, m.label_delay, o.earlier, o.later), count(*)
    from ordered o left join labeled l using (code, event_time)
   where l.code is null
   group by 2, 3, 4;
  insert into pgscore_data.refresh_open (version_id, day, closes_at, n)
  select this_version, date_trunc('day', p.event_time, m.time_zone), 'infinity', count(*)
    from (select coalesce(p.event_time, p.asked_at) as event_time
            from pgscore_data.online_prediction p where p.version_id = this_version and p.key is null and p.error is null
          union all
          select coalesce(k.event_time, b.asked_at + coalesce(k.later_ms, 0) * interval '1 millisecond')
            from pgscore_data.online_block b
           cross join lateral rows from (unnest(b.scores, b.later_ms, b.event_times), pgscore_data._key_rows(b.keys))
             as k (score, later_ms, event_time, key)
           where b.version_id = this_version and k.key is null) p
   group by 2;
  perform pgscore_data._apply_open();
end
$$;
comment on function pgscore_data._recount_open(int) is
  'Counts the places of a version that wait for a label anew. It reads all that is kept of the version.';
