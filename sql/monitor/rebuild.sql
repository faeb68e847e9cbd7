-- Counts again: to repair, and after a change of the pairing rule.
-- A nightly audit counts a few random days again, to check the cells.
-- in: kept predictions and evaluation. out: the cells of some days; rollup_audit.

create or replace function pgscore_data._recount(this_version int, from_day timestamptz, to_day timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  counted constant int[] := array(select c.version_id from pgscore_data.counted_version c where c.of_version = this_version);
  cells text;
begin
  foreach cells in array '{cell_outcome,score_log,cell_rank,cell_class_score,cell_regression,cell_error}'::text[] loop
    execute format('delete from pgscore_data.%I c where c.version_id = any ($1) and c.day >= $2 and c.day < $3', cells)
      using counted, from_day, to_day;
  end loop;
  delete from pgscore_data.refresh_delta d where d.version_id = this_version and d.day >= from_day and d.day < to_day;
  insert into pgscore_data.refresh_delta
    (sign, version_id, day, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments,
     predicted_values, actual_values)
  select 1, e.version_id, e.day, e.age_band, e.actual_class, e.predicted_class, e.actual, e.score, e.p_actual, e.bin, e.rank,
         e.class_bins, e.segments, e.predicted_values, e.actual_values
    from pgscore_data.evaluation e where e.version_id = this_version and e.event_time >= from_day and e.event_time < to_day;
  -- A day that is empty now must lose its metrics, too.
  insert into pgscore_data.touched (version_id, day)
  select x.counted, c.day from pgscore_data.cell_volume c cross join unnest(counted) x (counted)
   where c.version_id = this_version and c.segment_id = 0 and c.day >= from_day and c.day < to_day
  on conflict do nothing;
  -- Feature values are not kept: their cells stay, and only the metrics made from them are computed anew.
  insert into pgscore_data.touched_feature (set_id, day)
  select distinct c.set_id, c.day
    from pgscore_data.feature_set s join pgscore_data.cell_feature c using (set_id)
   where s.version_id = this_version and c.day >= from_day and c.day < to_day
  on conflict do nothing;
end
$$;
comment on function pgscore_data._recount(int, timestamptz, timestamptz) is
  'Empties the cells of some days and notes the pairs of those days in refresh_delta, to be added again.';

create or replace function pgscore_data._rebuild(this_model int, from_time timestamptz, to_time timestamptz) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
set extra_float_digits = 1
set jit = off
set work_mem = '64MB'
as $$
declare
  v record;
  again bigint;
  sealed timestamptz;
  first_day date;
begin
  select m.sealed_before, (m.sealed_before at time zone m.time_zone)::date into sealed, first_day
    from pgscore_data.monitor m where m.model_id = this_model;
  if from_time < sealed then
    raise notice 'days before % are sealed: their numbers stay as they are', first_day;
  end if;
  -- What is not counted yet would be counted twice.
  while pgscore_data._refresh() loop
  end loop;
  perform pgscore_data._clear_work();
  insert into pgscore_data.refresh_key (model_id, key, entity)
  select this_model, x.key, row_number() over ()
    from (select distinct e.key from pgscore_data.evaluation e
           where e.model_id = this_model
             and (e.run_id is null or e.event_time >= from_time and e.event_time < to_time and e.event_time >= sealed)) x;
  get diagnostics again = row_count;
  analyze pgscore_data.refresh_key;
  perform pgscore_data._recall_labels(0);
  analyze pgscore_data.refresh_truth;
  perform pgscore_data._pair(this_model);
  perform pgscore_data._replace_pairs();
  for v in
    select x.version_id, greatest(sealed, date_trunc('day', from_time, m.time_zone)) as from_day,
           date_trunc('day', to_time, m.time_zone)
             + case when date_trunc('day', to_time, m.time_zone) = to_time then interval '0' else interval '1 day' end as to_day
      from pgscore_data.version x join pgscore_data.monitor m using (model_id) where x.model_id = this_model
  loop
    perform pgscore_data._recount(v.version_id, v.from_day, v.to_day);
    perform pgscore_data._recount_repeats(v.version_id, v.from_day, v.to_day);
    perform pgscore_data._recount_open(v.version_id);
  end loop;
  perform pgscore_data._add_deltas();
  return again;
end
$$;
comment on function pgscore_data._rebuild(int, timestamptz, timestamptz) is
  'Pairs the predictions and labels of a period anew, and counts its days again. Returns how many entities were paired.';

create or replace function pgscore_data._audit(buckets int default 20) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  wrong bigint;
begin
  if exists (select from pgscore_data.rollup_audit a where a.checked_at > clock_timestamp() - interval '20 hours')
     or not pgscore_data._take_turn('cells') then
    return null;
  end if;
  with picked as materialized (
    select c.version_id, c.day, (date_trunc('day', c.day at time zone m.time_zone) + interval '1 day') at time zone m.time_zone as next_day
      from (select distinct o.version_id, o.day from pgscore_data.cell_outcome o
            union select r.version_id, r.day from pgscore_data.cell_regression r) c
      join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id)
     where c.day >= m.sealed_before order by random() limit buckets
  ), pairs as not materialized (
    select e.*
      from picked p join pgscore_data.evaluation e
        on e.version_id = p.version_id and e.day = p.day and e.event_time >= p.day and e.event_time < p.next_day
  ), again as (
    select e.version_id, e.day, 'outcome' as kind,
           array[s.id, e.age_band, coalesce(e.actual_class, -1), coalesce(e.predicted_class, -1)]::int[] as cell,
           count(*) as n
      from pairs e cross join lateral unnest(0 || e.segments) s (id) group by 1, 2, 3, 4
    union all
    select e.version_id, e.day, 'score', array[(e.actual_class + 1 = x.positive_class)::int, e.bin], count(*)
      from pairs e join pgscore_data.scored_version x on x.version_id = e.version_id where e.bin is not null group by 1, 2, 3, 4
    union all
    select e.version_id, e.day, 'rank', array[s.id, e.rank]::int[], count(*)
      from pairs e cross join lateral unnest(0 || e.segments) s (id)
     where e.rank is not null group by 1, 2, 3, 4
    union all
    select e.version_id, e.day, 'class score', array[b.position - 1, (b.position - 1 = e.actual_class)::int, b.bin]::int[], count(*)
      from pairs e cross join lateral unnest(e.class_bins) with ordinality as b (bin, position) group by 1, 2, 3, 4
  ), held as (
    select o.version_id, o.day, 'outcome' as kind,
           array[o.segment_id, o.age_band, o.actual_class, o.predicted_class]::int[] as cell, o.n
      from pgscore_data.cell_outcome o join picked using (version_id, day)
     where o.n <> 0
    union all
    select r.version_id, r.day, 'outcome', array[r.segment_id, r.age_band, -1, -1], r.n
      from pgscore_data.cell_regression r join picked using (version_id, day)
     where r.n <> 0
    union all
    select s.version_id, s.day, 'score', array[s.positive::int, s.bin], sum(s.n)::bigint
      from pgscore_data.cell_outcome_score s join picked using (version_id, day)
     group by 1, 2, 4 having sum(s.n) <> 0
    union all
    select k.version_id, k.day, 'rank', array[k.segment_id, k.rank], k.n
      from pgscore_data.cell_rank k join picked using (version_id, day)
     where k.n <> 0
    union all
    select s.version_id, s.day, 'class score', array[s.class, s.positive::int, s.bin], s.n
      from pgscore_data.cell_class_score s join picked using (version_id, day)
     where s.n <> 0
  ), compared as (
    select version_id, day, count(*) as cells, count(*) filter (where a.n is distinct from h.n) as wrong
      from again a full join held h using (version_id, day, kind, cell) group by version_id, day
  ), noted as (
    insert into pgscore_data.rollup_audit (version_id, day, cells_checked, cells_different)
    select c.version_id, c.day, c.cells, c.wrong from compared c
    returning cells_different
  )
  select coalesce(sum(n.cells_different), 0) into wrong from noted n;
  return wrong;
end
$$;
comment on function pgscore_data._audit(int) is
  'Counts some random days again, once a night, and notes how many cells differ. NULL if it is not due.';
