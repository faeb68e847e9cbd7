-- Segments: predictions by the value of a column, as it was when they were made.

create or replace view pgscore_data.slice as
select m.model_id, 0 as segment_id, null::text as segment_key, null::text as segment_value from pgscore_data.model m
union all
select s.model_id, s.segment_id, s.column_name, s.value from pgscore_data.segment s;
comment on view pgscore_data.slice is 'What the cells of a model are of: all its predictions, which is slice 0 and has no key, and each segment. Whoever asks for rows without a key reads slice 0 only.';

create or replace view pgscore_data.refresh_slice as
select s.segment_id, d.* from pgscore_data.refresh_delta d cross join lateral unnest(0 || d.segments) as s (segment_id);
comment on view pgscore_data.refresh_slice is 'What leaves and enters the cells of each slice.';

create or replace function pgscore_data._segments_held() returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return $q$case when p.pgscore_segments is not null then array(
  select coalesce(s.segment_id, o.segment_id)
    from unnest(r.segments, p.pgscore_segments) with ordinality as x (name, value, n)
    left join pgscore_data.segment s on s.model_id = k.model_id and s.column_name = x.name and s.value = coalesce(x.value, ':missing')
    left join pgscore_data.segment o on s.segment_id is null and o.model_id = k.model_id and o.column_name = x.name and o.value = ':other'
   order by x.n) end$q$;
comment on function pgscore_data._segments_held() is 'The expression of the segments that prediction p of run r is in. A run is counted before its predictions are looked up, so that each value is named by then, or is one of the others.';

create or replace function pgscore_data._name_segments(runs bigint[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with told as materialized (
    select v.model_id, r.segments[c.place] as column_name, c.name as value, sum(c.n + c.failed) as n
      from pgscore_data.segment_tally t
      join pgscore_data.run r on r.run_id = t.run_id and r.attempt = t.attempt and r.state = 'done'
      join pgscore_data.version v using (version_id)
     cross join lateral unnest(t.places, t.names, t.counts, t.failed) as c (place, name, n, failed)
     where t.run_id = any (runs)
     group by 1, 2, 3
  ), fresh as (
    select t.model_id, t.column_name, t.value, row_number() over (partition by t.model_id, t.column_name order by t.n desc, t.value) as nth
      from told t
     where t.value is not null and t.value not in (':missing', ':other')
       and not exists (select from pgscore_data.segment s where s.model_id = t.model_id and s.column_name = t.column_name and s.value = t.value)
  )
  insert into pgscore_data.segment (model_id, column_name, value)
  select f.model_id, f.column_name, f.value from fresh f
   where f.nth + (select count(*) from pgscore_data.segment s where s.model_id = f.model_id and s.column_name = f.column_name and s.value not in (':missing', ':other')) <= 200
  union
  select t.model_id, t.column_name, x.value from told t cross join (values (':missing'), (':other')) x (value)
  on conflict do nothing;
end;
comment on function pgscore_data._name_segments(bigint[]) is 'Makes segments of the values that runs met first, the most frequent ones first, up to two hundred a column.';

create or replace function pgscore_data._count_segments(runs bigint[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from pgscore_data.segment_tally t where t.run_id = any (runs)) then
    return;
  end if;
  perform pgscore_data._name_segments(runs);
  with gone as (
    delete from pgscore_data.segment_tally t where t.run_id = any (runs) returning t.*
  ), placed as (
    select r.version_id, v.model_id, date_trunc('day', coalesce(g.day, r.snapshot_at), m.time_zone) as day, r.segments[c.place] as column_name, c.name as value,
           sum(c.n)::bigint as n, sum(c.failed)::bigint as failed
      from gone g
      join pgscore_data.run r on r.run_id = g.run_id and r.attempt = g.attempt and r.state = 'done'
      join pgscore_data.version v using (version_id)
      join pgscore_data.monitor m using (model_id)
     cross join lateral unnest(g.places, g.names, g.counts, g.failed) as c (place, name, n, failed)
     group by 1, 2, 3, 4, 5
  )
  insert into pgscore_data.cell_volume as c (version_id, segment_id, day, n_predictions, n_failed)
  select p.version_id, coalesce(s.segment_id, o.segment_id), p.day, sum(p.n), sum(p.failed)
    from placed p
    left join pgscore_data.segment s on s.model_id = p.model_id and s.column_name = p.column_name and s.value = coalesce(p.value, ':missing')
    left join pgscore_data.segment o on s.segment_id is null and o.model_id = p.model_id and o.column_name = p.column_name and o.value = ':other'
   group by 1, 2, 3
  on conflict (version_id, segment_id, day) do update set n_predictions = c.n_predictions + excluded.n_predictions, n_failed = c.n_failed + excluded.n_failed;
end
$$;
comment on function pgscore_data._count_segments(bigint[]) is 'Adds what finished runs counted by segment to the cells; the counts of an attempt that came to nothing go.';
