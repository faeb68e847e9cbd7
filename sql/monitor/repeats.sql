-- Counts entities that are judged more than once in a window. Their outcomes are not independent, which widens intervals.

create or replace function pgscore_data._value_hit(n pgscore_data.version_value, actual double precision[], predicted double precision[])
  returns int
language sql immutable parallel safe
return case n.task when 'binary' then (actual[n.position] = predicted[cardinality(actual) + n.position])::int end;
comment on function pgscore_data._value_hit(pgscore_data.version_value, double precision[], double precision[]) is
  'Whether a label of a row was right, as 1 or 0; NULL of a value that is no label.';

create or replace view pgscore_data.pair_change as
with pair as not materialized (
  select -1 as sign, o.model_id, o.entity, o.version_id, o.day, o.segments, (o.actual_class = o.predicted_class)::int as hit,
         o.predicted_values, o.actual_values, o.actual
    from pgscore_data.refresh_old_pair o where o.run_id is not null
  union all
  select 1, p.model_id, p.entity, p.version_id, p.day, p.segments, (p.actual_class = p.predicted_class)::int, p.predicted_values,
         p.actual_values, p.actual
    from pgscore_data.refresh_pair p where p.run_id is not null
)
select p.sign, p.model_id, p.entity, p.version_id, p.day, p.segments, p.hit from pair p
union all
select p.sign, p.model_id, p.entity, n.value_id, p.day, p.segments, pgscore_data._value_hit(n, p.actual_values, p.predicted_values)
  from pair p join pgscore_data.version_value n using (version_id)
 where coalesce(p.actual_values[n.position], p.actual) is not null;
comment on view pgscore_data.pair_change is
  'The pairs that the entities of this refresh had (sign -1), and those that they have now (sign 1).';

create or replace function pgscore_data._note_repeats() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
set enable_nestloop = off
begin atomic
  insert into pgscore_data.cell_repeat as r (version_id, segment_id, grain, window_start, pairs2, hits_pairs, hits2)
  select c.version_id, c.segment_id, c.grain, c.window_start,
         sum(c.sign * (c.m * c.m - c.m)), sum(c.sign * (c.hits * c.m - c.hits)), sum(c.sign * (c.hits * c.hits - c.hits))
    from (
      select p.sign, p.entity, p.version_id, s.id as segment_id, g.grain, date_trunc(g.grain, p.day, m.time_zone) as window_start,
             count(*)::numeric as m, coalesce(sum(p.hit), 0)::numeric as hits
        from pgscore_data.pair_change p
        join (select x.entity, x.version_id from pgscore_data.pair_change x group by x.entity, x.version_id
              having greatest(count(*) filter (where x.sign > 0), count(*) filter (where x.sign < 0)) > 1) o using (entity, version_id)
        join pgscore_data.monitor m using (model_id)
       cross join lateral unnest(0 || p.segments) s (id)
       cross join (values ('day'), ('week'), ('month')) g (grain)
       group by 1, 2, 3, 4, 5, 6 having count(*) > 1) c
   group by c.version_id, c.segment_id, c.grain, c.window_start
  on conflict (version_id, segment_id, grain, window_start) do update
    set pairs2 = r.pairs2 + excluded.pairs2, hits_pairs = r.hits_pairs + excluded.hits_pairs, hits2 = r.hits2 + excluded.hits2;
end;
comment on function pgscore_data._note_repeats() is
  'Adds what this refresh changed to cell_repeat: sums over entities that are judged more than once.';

create or replace function pgscore_data._recount_repeats(this_version int, from_day timestamptz, to_day timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
as $$
declare
  zone constant text := (
    select m.time_zone from pgscore_data.monitor m join pgscore_data.version v using (model_id) where v.version_id = this_version);
  g text;
  starts timestamptz;
begin
  foreach g in array array['day', 'week', 'month'] loop
    starts := case when isfinite(from_day) then date_trunc(g, from_day, zone) else from_day end;
    delete from pgscore_data.cell_repeat r
     where r.version_id in (select v.version_id from pgscore_data.counted_version v where v.of_version = this_version)
       and r.grain = g and r.window_start >= starts and r.window_start < to_day;
    insert into pgscore_data.cell_repeat (version_id, segment_id, grain, window_start, pairs2, hits_pairs, hits2)
    select c.version_id, c.segment_id, g, c.window_start,
           sum(c.m * c.m - c.m), sum(c.hits * c.m - c.hits), sum(c.hits * c.hits - c.hits)
      from (
        select v.version_id, i.id as segment_id, date_trunc(g, e.day, zone) as window_start, count(*)::numeric as m,
               coalesce(sum(case when n.value_id is null then (e.actual_class = e.predicted_class)::int
                              else pgscore_data._value_hit(n, e.actual_values, e.predicted_values) end), 0)::numeric as hits
          from pgscore_data.evaluation e
          join pgscore_data.counted_version v
            on v.of_version = e.version_id and (v.position is null or coalesce(e.actual_values[v.position], e.actual) is not null)
          left join pgscore_data.version_value n on n.value_id = v.version_id
         cross join lateral unnest(0 || e.segments) i (id)
         where e.version_id = this_version and e.run_id is not null and e.event_time >= starts
         group by e.key, 1, 2, 3 having count(*) > 1) c
     where c.window_start < to_day
     group by c.version_id, c.segment_id, c.window_start;
  end loop;
end
$$;
comment on function pgscore_data._recount_repeats(int, timestamptz, timestamptz) is
  'Counts cell_repeat anew for the windows that hold some days.';
