-- Keeps the predictions of finished runs and of calls, so that labels can judge them.
-- A large run for one time is kept in blocks. All other predictions are kept one by one.

create or replace function pgscore_data._kept_columns(t pgscore_data.target, has_segments boolean) returns text
language sql stable
set search_path = pg_catalog, pg_temp
return format('%s as score, %s as predicted_class, %s as probabilities, %s as segments',
  case when t.task in ('multi_target', 'multilabel') then 'null::double precision' else 'p.score' end,
  case when t.task in ('regression', 'quantiles', 'multi_target', 'multilabel') then 'null::smallint'
    else '(array_position($2, p.label) - 1)::smallint' end,
  case
    when t.task in ('binary', 'regression') or t.score_unit is not null then 'null::double precision[]'
    when t.value_columns is null
      then 'array(select (p.probabilities ->> c)::double precision from unnest($2) with ordinality as x (c, n) order by n)'
    else (select 'array[' || string_agg(format(case when t.task = 'multilabel' and c like 'label\_%' then 'p.%I::int' else 'p.%I' end, c),
                                        ', ' order by n) || ']::double precision[]'
          from unnest(t.value_columns) with ordinality as x (c, n))
  end, case when has_segments then 'g.ids' else 'null::int[]' end);
comment on function pgscore_data._kept_columns(pgscore_data.target, boolean) is
  'The columns that are kept of a prediction p of a target. The query has its segments as g and the class labels as $2.';

create or replace function pgscore_data._segment_ids(this_model int, columns text[], names text[]) returns int[]
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select array(
    select coalesce(i.segment_id, o.segment_id)
      from unnest(columns, names) with ordinality as x (column_name, name, n)
      left join pgscore_data.segment i
        on i.model_id = this_model and i.column_name = x.column_name and i.value = coalesce(x.name, ':missing')
      left join pgscore_data.segment o on o.model_id = this_model and o.column_name = x.column_name and o.value = ':other'
     order by x.n);
end;
comment on function pgscore_data._segment_ids(int, text[], text[]) is
  'The segments of a prediction, given the columns of segments and the names that they had in its row; :other if a name has none.';

create or replace function pgscore_data._kept_rows(t pgscore_data.target, has_segments boolean) returns text
language sql stable
set search_path = pg_catalog, pg_temp
return format($q$
  from (select * from pgscore_predictions.%1$I x where x.run_id = any ($1) and x.generation = any ($3) and x.error_code is null) p$q$
  || case when has_segments then $q$
  left join (
    select s.names, pgscore_data._segment_ids($5, $4, s.names) as ids
      from (select distinct x.pgscore_segments as names from pgscore_predictions.%1$I x
             where x.run_id = any ($1) and x.generation = any ($3) and x.pgscore_segments is not null) s) g
    on g.names = p.pgscore_segments$q$
  else '' end,
  'target_' || t.target_id);
comment on function pgscore_data._kept_rows(pgscore_data.target, boolean) is
  'The FROM clause for predictions p of runs $1, generations $3, with their segments g. $4 names the segments'' columns, $5 the model.';

create or replace function pgscore_data._consecutive_runs(
  runs bigint[], out run_ids bigint[], out made_at timestamptz[], out generations int[], out version_id int, out model_id int,
  out segments text[], out target pgscore_data.target
) returns setof record
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  -- n_elsewhere counts the earlier runs of the version into other targets: it is the same for runs that follow each other.
  select array_agg(x.run_id order by x.n), array_agg(x.snapshot_at order by x.n), array_agg(distinct x.generation) || 0,
         x.version_id, x.model_id, x.segments, t
    from (
      select r.run_id, r.snapshot_at, r.generation, r.version_id, r.target_id, r.segments, v.model_id,
             row_number() over of_version as n,
             row_number() over of_version - row_number() over (
               partition by r.version_id, r.target_id, r.segments order by r.snapshot_at, r.run_id) as n_elsewhere
        from pgscore_data.run r join pgscore_data.version v using (version_id)
       where r.run_id = any (runs) and not r.is_replay
      window of_version as (partition by r.version_id order by r.snapshot_at, r.run_id)) x
    join pgscore_data.target t using (target_id)
   where pgscore_data._can_have_labels(t)
   group by x.version_id, x.model_id, x.target_id, x.segments, x.n_elsewhere, t
   order by x.version_id, min(x.n);
end;
comment on function pgscore_data._consecutive_runs(bigint[]) is
  'Runs whose predictions can have labels, in the order of their snapshots. Those of a version that follow each other into one target '
  'are one row.';

create or replace function pgscore_data._stage_runs(runs bigint[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- Arrivals are joined whole, and the last prediction is looked up in a lateral join, which can only loop.
set enable_hashjoin = on
set enable_nestloop = off
as $$
declare
  r record;
  differs constant text := $q$a.key is not null or o.made_at is null or o.made_at > n.made_at
                   or (o.score, o.predicted_class, o.probabilities, o.segments)
                      is distinct from (n.score, n.predicted_class, n.probabilities, n.segments)$q$;
begin
  -- Planning the statement takes longer than staging a few rows: consecutive runs share it.
  for r in select * from pgscore_data._consecutive_runs(runs) loop
    execute format($q$
      insert into pgscore_data.refresh_prediction (version_id, key, event_time, made_at, run_id, score, predicted_class, probabilities,
        segments)
      select $6, d.key, d.event_time, d.made_at, d.run_id, d.score, d.predicted_class, d.probabilities, d.segments
        from (
          select n.*, %s as is_staged,
                 o.made_at is not null and exists (
                   select from pgscore_data.kept_prediction y
                    where y.version_id = $6 and hash_array(y.key) = hash_array(n.key) and y.key = n.key and y.event_time = n.event_time
                      and y.run_id = n.run_id) as is_kept
            from (select p.run_id, u.made_at, pgscore_data._moment(p.event_time, u.made_at) as event_time, %s as key, %s %s
                    join unnest($1, $7) u (run_id, made_at) on u.run_id = p.run_id) n
            left join lateral (
              select x.made_at, x.score, x.predicted_class, x.probabilities, x.segments from pgscore_data.kept_prediction x
               where x.version_id = $6 and hash_array(x.key) = hash_array(n.key) and x.key = n.key and x.event_time = n.event_time
               order by x.made_at desc, abs(x.run_id) desc limit 1) o on true
            left join (select distinct x.key, x.event_time from pgscore_data.refresh_prediction x where x.version_id = $6)
              a using (key, event_time)) d
       where d.is_staged and not d.is_kept$q$,
      -- The first of a place that differs is staged, and all that follow it.
      case when cardinality(r.run_ids) = 1 then differs
        else format('bool_or(%s) over (partition by n.key, n.event_time order by n.made_at, n.run_id)', differs) end,
      pgscore_data._key_expression((r.target).key_columns), pgscore_data._kept_columns(r.target, r.segments is not null),
      pgscore_data._kept_rows(r.target, r.segments is not null))
    using r.run_ids, (r.target).class_labels, r.generations, r.segments, r.model_id, r.version_id, r.made_at;
  end loop;
end
$$;
comment on function pgscore_data._stage_runs(bigint[]) is
  'Puts the predictions of runs into refresh_prediction. Leaves out a prediction equal to the last kept one of its place, unless this '
  'refresh already staged another one for that place.';

create or replace function pgscore_data._note_labels_before(models int[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  last_entity bigint := pgscore_data._last_entity();
begin
  insert into pgscore_data.refresh_key (model_id, key, entity)
  select n.model_id, n.key, last_entity + row_number() over (order by n.model_id, hash_array(n.key))
    from (select distinct v.model_id, a.key
            from pgscore_data.refresh_prediction a join pgscore_data.version v using (version_id)
            join pgscore_data.monitor m using (model_id)
           where v.model_id = any (models)
             and exists (
               select from pgscore_data.evaluation e
                where e.model_id = v.model_id and hash_array(e.key) = hash_array(a.key) and e.key = a.key
                  and (m.pairing not in ('latest_before_label', 'within') or e.known_at >= a.event_time) offset 0)
          except
          select k.model_id, k.key from pgscore_data.refresh_key k) n;
  perform pgscore_data._recall_labels(last_entity);
end
$$;
comment on function pgscore_data._note_labels_before(int[]) is
  'Notes the entities of new predictions whose labels are known already, so that they are paired.';

create or replace function pgscore_data._note_labels_of_run(this_run bigint) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
as $$
declare
  last_entity bigint := pgscore_data._last_entity();
begin
  insert into pgscore_data.refresh_key (model_id, key, entity)
  select n.model_id, n.key, last_entity + row_number() over (order by hash_array(n.key))
    from (select v.model_id, l.key
            from pgscore_data.kept_run r join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id)
           cross join lateral (
             select distinct e.key from pgscore_data.evaluation e where e.model_id = v.model_id
                and e.known_at >= case when m.pairing in ('latest_before_label', 'within') then r.event_time else '-infinity' end
                 offset 0) l
           cross join lateral pgscore_data._prediction_in_block(r.run_id, r.n_buckets, l.key) b
           where r.run_id = this_run
          except
          select k.model_id, k.key from pgscore_data.refresh_key k) n;
  perform pgscore_data._recall_labels(last_entity);
end
$$;
comment on function pgscore_data._note_labels_of_run(bigint) is
  'Notes the entities of a run in blocks whose labels are known already, so that they are paired.';

create or replace function pgscore_data._keep_scored(runs bigint[], batches bigint[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
set extra_float_digits = 1
as $$
declare
  r record;
  small bigint[] := '{}';
  large bigint[] := '{}';
begin
  -- Calls come first: a run leaves out a prediction equal to the last one of its place.
  if cardinality(batches) > 0 then
    perform pgscore_data._stage_calls(batches);
  end if;
  for r in select x.run_id from pgscore_data.run x where x.run_id = any (runs) order by x.snapshot_at, x.run_id loop
    if pgscore_data._belongs_in_blocks(r.run_id) then
      large := large || r.run_id;
    else
      small := small || r.run_id;
    end if;
  end loop;
  perform pgscore_data._stage_runs(small);
  -- One model at a time, in the order of an index: a model without labels would read the labels of all others.
  perform pgscore_data._note_labels_before(array(
    select n.model_id
      from (select distinct v.model_id from pgscore_data.refresh_prediction a join pgscore_data.version v using (version_id)) n
     where exists (select from pgscore_data.evaluation e where e.model_id = n.model_id order by hash_array(e.key) offset 0)));
  perform pgscore_data._count_arrivals();
  perform pgscore_data._keep_arrivals();
  for r in select x.run_id from unnest(large) with ordinality as x (run_id, n) order by x.n loop
    perform pgscore_data._keep_blocks(r.run_id);
    perform pgscore_data._note_labels_of_run(r.run_id);
  end loop;
  update pgscore_data.run x set kept = true where x.run_id = any (runs);
  perform pgscore_data._apply_open();
end
$$;
comment on function pgscore_data._keep_scored(bigint[], bigint[]) is
  'Keeps the predictions of runs and calls, and counts the places that wait for a label.';
