-- Segments: predictions by the value of a column, as it was when they were made.
-- in: the setting segments, by which runs are planned; segment_tally. out: segment, the values that are distinguished, and their volume.

create or replace function pgscore_data._checked_segments(model text, asked jsonb) returns text[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  names text[];
  wrong text;
begin
  if asked is null or jsonb_typeof(asked) = 'null' then
    return null;
  end if;
  if jsonb_typeof(asked) <> 'array' or exists (select from jsonb_array_elements(asked) s where jsonb_typeof(s) <> 'string') then
    wrong := 'they are names of columns, and none is NULL';
  else
    names := array(select s from jsonb_array_elements_text(asked) with ordinality as x (s, n) order by n);
    wrong := case
      when cardinality(names) > 8 then format('eight columns are the most, and these are %s', cardinality(names))
      when '' = any (names) then 'a name is empty'
      when exists (select from unnest(names) s where octet_length(s) > 63) then 'no column has a name of more than 63 bytes'
      when (select count(distinct s) from unnest(names) s) < cardinality(names) then 'a column is named twice'
    end;
  end if;
  if wrong is not null then
    raise exception 'model "%" cannot have these segments: %', model, wrong using
      errcode = 'invalid_parameter_value', hint = 'Name columns of what is scored: segments => array[''carrier'', ''origin'']; for none: '
                                                  'segments => ''{}''.';
  end if;
  return names;
end
$$;
comment on function pgscore_data._checked_segments(text, jsonb) is
  'The columns that a monitor is to split predictions by; raises for what cannot be. NULL where nothing was asked for.';

create or replace function pgscore._segments_of(version int) returns text[]
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select m.segments from pgscore_data.monitor m join pgscore_data.version v using (model_id)
   where v.version_id = version and m.segments <> '{}';
end;
comment on function pgscore._segments_of(int) is 'The columns that the predictions of a version are split by; NULL: none.';

create or replace function pgscore._map_without_segments(column_map jsonb, signature jsonb, segments text[]) returns jsonb
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
return case when segments is null or jsonb_typeof(column_map) <> 'object' then column_map
  else column_map - array(select s from unnest(segments) s
                           where not (signature -> 'features' @> jsonb_build_array(jsonb_build_object('name', s)))) end;
comment on function pgscore._map_without_segments(jsonb, jsonb, text[]) is
  'The part of a column_map that is about features: it may say where a segment is, too.';

create or replace function pgscore._segment_columns(source regclass, segments text[], column_map jsonb) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  m record;
  wrong text;
  planned jsonb := '[]';
begin
  if segments is null then
    return planned;
  end if;
  for m in
    select x.feature as segment, x.wanted, x.column_name, x.type, x.candidates, b.base, pgscore._wire_type(b.base) as wire
      from pgscore._matched_features(source, jsonb_build_object('features',
             (select jsonb_agg(jsonb_build_object('name', s, 'type', 'string', 'width', 1) order by n)
                from unnest(segments) with ordinality as y (s, n))), column_map) x
     cross join lateral (select pgscore._base_type(x.type) as base) b
     order by x.n
  loop
    wrong := case
      when m.candidates > 1 then 'more than one column is called so'
      when m.column_name is null then 'there is no such column'
      when coalesce(m.wire not in ('text', 'enum', 'bool', 'int2', 'int4', 'int8'), true)
        then format('it is %s, and not a text, an enum, a boolean or an integer', format_type(m.type, null))
      when not has_column_privilege(source, m.column_name, 'select') then 'permission denied'
    end;
    if wrong is null then
      planned := planned || jsonb_build_object('name', m.column_name, 'role', 'segment', 'segment', m.segment, 'type', m.wire, 'width', 1,
                                               'sql_type', format_type(m.base, -1));
    else
      raise notice 'segment "%" cannot be read from %: %', m.wanted, source, wrong using
        hint = 'The predictions are made, and count as :missing there.';
    end if;
  end loop;
  return planned;
end
$$;
comment on function pgscore._segment_columns(regclass, text[], jsonb) is
  'The column of a source for each segment, found as features are. One that is not there, is of another type or may not be read by the '
  'caller is left out: monitoring stops no scoring.';

create or replace view pgscore_data.slice as
select m.model_id, 0 as segment_id, null::text as segment_key, null::text as segment_value from pgscore_data.model m
union all
-- Columns of pgscore_bi have the default collation.
select s.model_id, s.segment_id, s.column_name collate "default", s.value collate "default" from pgscore_data.segment s;
comment on view pgscore_data.slice is
  'What the cells of a model are of: all its predictions, which is slice 0 and has no key, and each segment. Whoever asks for rows '
  'without a key reads slice 0 only.';

create or replace view pgscore_data.refresh_slice as
-- Not by one unnest(0 || segments), which takes a microsecond where there are none.
select 0 as segment_id, d.* from pgscore_data.refresh_delta d
union all
select s.segment_id, d.* from pgscore_data.refresh_delta d cross join lateral unnest(d.segments) as s (segment_id)
 where d.segments is not null;
comment on view pgscore_data.refresh_slice is 'What leaves and enters the cells of each slice.';

create or replace function pgscore_data._name_segments(runs bigint[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with counted as materialized (
    select v.model_id, t.run_id, r.segments[c.position] as column_name, c.name collate "C" as value, sum(c.n + c.failed) as n
      from pgscore_data.segment_tally t
      cross join lateral (select x.* from pgscore_data.run x
                           where x.run_id = t.run_id and x.attempt = t.attempt and x.state = 'done' offset 0) r
      join pgscore_data.version v using (version_id)
     cross join lateral unnest(t.positions, t.names, t.counts, t.failed) as c (position, name, n, failed)
     where t.run_id = any (runs)
     group by 1, 2, 3, 4
  ), fresh as (
    select f.model_id, f.column_name, f.value, row_number() over (partition by f.model_id, f.column_name
        order by f.run_id, f.n desc, f.value) as nth
      from (select distinct on (t.model_id, t.column_name, t.value) t.* from counted t
             where t.value is not null and t.value not in (':missing', ':other')
               and not exists (select from pgscore_data.segment s
                                where s.model_id = t.model_id and s.column_name = t.column_name and s.value = t.value)
             order by t.model_id, t.column_name, t.value, t.run_id) f
  )
  insert into pgscore_data.segment (model_id, column_name, value)
  select f.model_id, f.column_name, f.value from fresh f
   where f.nth + (select count(*) from pgscore_data.segment s
                   where s.model_id = f.model_id and s.column_name = f.column_name and s.value not in (':missing', ':other')) <= 200
  union
  select t.model_id, t.column_name, x.value from counted t cross join (values (':missing'), (':other')) x (value)
  on conflict do nothing;
end;
comment on function pgscore_data._name_segments(bigint[]) is
  'Makes segments of the values of each column, up to two hundred: run by run, and of a run the most frequent ones first, over all of its '
  'jobs.';

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
  ), counted as (
    select r.version_id, v.model_id, date_trunc('day', coalesce(g.day, r.snapshot_at), m.time_zone) as day,
           r.segments[c.position] as column_name, c.name as value,
           sum(c.n)::bigint as n, sum(c.failed)::bigint as failed
      from gone g
      cross join lateral (select x.* from pgscore_data.run x
                           where x.run_id = g.run_id and x.attempt = g.attempt and x.state = 'done' offset 0) r
      join pgscore_data.version v using (version_id)
      join pgscore_data.monitor m using (model_id)
     cross join lateral unnest(g.positions, g.names, g.counts, g.failed) as c (position, name, n, failed)
     group by 1, 2, 3, 4, 5
  )
  insert into pgscore_data.cell_volume as c (version_id, segment_id, day, n_predictions, n_failed)
  select p.version_id, coalesce(s.segment_id, o.segment_id), p.day, sum(p.n), sum(p.failed)
    from counted p
    left join pgscore_data.segment s on s.model_id = p.model_id and s.column_name = p.column_name
      and s.value = coalesce(p.value, ':missing')
    left join pgscore_data.segment o on s.segment_id is null and o.model_id = p.model_id and o.column_name = p.column_name
      and o.value = ':other'
   group by 1, 2, 3
  on conflict (version_id, segment_id, day) do update set n_predictions = c.n_predictions + excluded.n_predictions,
    n_failed = c.n_failed + excluded.n_failed;
end
$$;
comment on function pgscore_data._count_segments(bigint[]) is
  'Adds what finished runs counted by segment to the cells; the counts of an attempt that came to nothing go.';
