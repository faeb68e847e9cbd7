-- Pairs labels with the predictions that they judge. A refresh looks only at entities whose labels or predictions changed.
-- in: refresh_key, these entities, with refresh_truth and refresh_old_pair. out: evaluation, and refresh_delta for the cells.
-- Example: customer 7 was scored for Monday and for Tuesday, at 2:00, and a label says that it left, known on Monday at 15:00.
-- By the default rule it judges Monday's place, the last one until then. evaluation gets the pair, refresh_delta adds it (sign 1).
-- Later a prediction for Monday at 12:00 comes. Now the label judges that place: refresh_delta takes the old pair out (sign -1) and
-- adds the new one, which replaces the old one in evaluation.

create or replace view pgscore_data.label_reading as
select v.model_id, e.version_id, e.task, e.positive_class, e.class_labels,
       pgscore_data._class_forms(e.class_labels, e.score_unit) as class_forms, e.score_unit,
       exists (select from pgscore_data.version_value n where n.version_id = e.version_id) as has_values
  from pgscore_data.scored_version e join pgscore_data.version v using (version_id);
comment on view pgscore_data.label_reading is 'How each version reads a label: as one of its classes, or as a number.';

create or replace function pgscore_data._note_changed_labels() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- Work tables are joined whole: a cached plan may have seen them small.
set enable_hashjoin = on
set enable_nestloop = off
as $$
begin
  with old_label as (
    select o.entity, o.known_at, min(o.label) as label, min(o.source_id) as source_id, min(o.received_at) as received_at
      from pgscore_data.refresh_old_pair o group by o.entity, o.known_at
  ), old_and_new as (
    select entity, known_at, s.model_id, s.key, s.captured_at, s.label, s.source_id, s.retracted,
           k.label as old_label, k.source_id as old_source_id, k.received_at,
           coalesce(s.label <> k.label, k.label is null) as is_new
      from pgscore_data.refresh_label s full join old_label k using (entity, known_at)
  ), of_changed_entity as materialized (
    select n.*
      from (select t.*,
                   bool_or(case when t.retracted then t.old_label is not null else t.is_new end) over (partition by t.entity) as has_changed
              from old_and_new t) n
     where n.has_changed
  ), truth as (
    insert into pgscore_data.refresh_truth (entity, known_at, label, source_id, received_at)
    select n.entity, n.known_at, coalesce(n.label, n.old_label), case when n.is_new then n.source_id else n.old_source_id end,
           coalesce(n.received_at, n.captured_at)
      from of_changed_entity n where n.retracted is not true
  )
  insert into pgscore_data.refresh_key (model_id, key, entity)
  select distinct on (n.entity) n.model_id, n.key, n.entity from of_changed_entity n where n.key is not null order by n.entity;
  delete from pgscore_data.refresh_old_pair o where not exists (select from pgscore_data.refresh_key k where k.entity = o.entity);
end
$$;
comment on function pgscore_data._note_changed_labels() is
  'Notes the entities whose labels changed, with their old labels and their new ones. A label that repeats what is known changes nothing.';

create or replace function pgscore_data._recall_labels(after bigint) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with stored_pair as materialized (
    select k.entity, e.*
      from pgscore_data.refresh_key k
     cross join lateral (
       select x.*, x.ctid as row_tid from pgscore_data.evaluation x
        where x.model_id = k.model_id and hash_array(x.key) = hash_array(k.key) and x.key = k.key
          and not pgscore_data._is_sealed(x.model_id, x.event_time) offset 0) e
     where k.entity > after
  ), truth as (
    insert into pgscore_data.refresh_truth (entity, known_at, label, source_id, received_at)
    select distinct on (p.entity, p.known_at) p.entity, p.known_at, p.label, p.source_id, p.received_at
      from stored_pair p
     order by p.entity, p.known_at
  )
  insert into pgscore_data.refresh_old_pair select p.* from stored_pair p;
end;
comment on function pgscore_data._recall_labels(bigint) is
  'Looks up the labels and pairs of entities that are noted without a changed label: those numbered above after.';

create or replace function pgscore_data._last_entity() returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select coalesce(max(n.entity), 0)
    from (select k.entity from pgscore_data.refresh_key k union all select l.entity from pgscore_data.refresh_label l) n;
end;
comment on function pgscore_data._last_entity() is 'The highest number of an entity in this refresh.';

create or replace function pgscore_data._kept_versions(this_model int) returns int[]
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select coalesce(array_agg(v.version_id), '{}') from pgscore_data.version v
   where v.model_id = this_model
     and (exists (select from pgscore_data.kept_run r where r.version_id = v.version_id)
       or exists (select from pgscore_data.kept_prediction p where p.version_id = v.version_id));
end;
comment on function pgscore_data._kept_versions(int) is 'The versions of a model whose predictions are kept.';

create or replace function pgscore_data._pair(this_model int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- Work tables are joined whole. Kept predictions are looked up by key, in lateral joins, which can only loop.
set enable_hashjoin = on
set enable_nestloop = off
as $$
declare
  m pgscore_data.monitor;
  versions constant int[] := pgscore_data._kept_versions(this_model);
begin
  select * into m from pgscore_data.monitor x where x.model_id = this_model;
  -- newest: the newest predictions of each noted entity
  -- labeled_place: the places that each label judges; a branch for each group of pairing rules
  -- place: each of them once, with its first and its last label
  -- prediction: all predictions of these places
  -- standing: the same, where n = 1 is the one that stands
  -- paired: that one with its truth, as a class, a number or several values
  with newest as materialized (
    select k.entity, k.key, v.version_id, x.*
      from pgscore_data.refresh_key k cross join unnest(versions) v (version_id)
     cross join lateral pgscore_data._newest_predictions(v.version_id, k.key) x
     where k.model_id = this_model and m.pairing in ('latest_before_label', 'latest')
  ), labeled_place as (
    select g.entity, n.version_id, g.known_at, p.event_time, p.event_time = n.newest as is_newest
      from (select distinct on (x.entity, x.version_id) x.entity, x.version_id, x.key, x.event_time as newest
              from newest x order by x.entity, x.version_id, x.event_time desc) n
      join pgscore_data.refresh_truth g using (entity)
      left join pgscore_data.refresh_old_pair o
        on o.entity = g.entity and o.version_id = n.version_id and o.known_at = g.known_at
     cross join lateral (
       select case when n.newest <= g.known_at or m.pairing = 'latest' then n.newest
                -- The label keeps the place that it judges: later places before it may be deleted.
                when g.known_at < m.superseded_before then o.event_time
                else (select l.event_time from pgscore_data._last_place(n.version_id, n.key, g.known_at) l) end as event_time offset 0) p
     where p.event_time is not null
    union all
    select g.entity, n.version_id, g.known_at, n.event_time, false
      from (
        select k.entity, v.version_id, x.event_time
          from pgscore_data.refresh_key k cross join unnest(versions) v (version_id)
         cross join lateral pgscore_data._next_place(v.version_id, k.key, '-infinity') x
         where m.pairing = 'first' and k.model_id = this_model and x.event_time is not null offset 0) n
      join pgscore_data.refresh_truth g using (entity)
    union all
    select g.entity, v.version_id, g.known_at, x.event_time, false
      from pgscore_data.refresh_key k
      join pgscore_data.refresh_truth g using (entity)
     cross join unnest(versions) v (version_id)
     cross join lateral pgscore_data._places_within(v.version_id, k.key,
       case m.pairing when 'within' then greatest(g.known_at, '0001-01-01 00:00+00') - m.horizon else '-infinity' end,
       case m.pairing when 'within' then g.known_at else 'infinity' end) x
     where m.pairing not in ('latest_before_label', 'latest', 'first') and k.model_id = this_model
  ), place as materialized (
    select p.entity, p.version_id, p.event_time, p.is_newest, max(p.known_at) as known_at, min(p.known_at) as first_known_at
      from labeled_place p group by p.entity, p.version_id, p.event_time, p.is_newest
  ), prediction as (
    select p.*, x.key, x.made_at, x.run_id, x.score, x.predicted_class, x.probabilities, x.segments
      from place p join newest x using (entity, version_id, event_time) where p.is_newest
    union all
    select p.*, k.key, x.made_at, x.run_id, x.score, x.predicted_class, x.probabilities, x.segments
      from place p join pgscore_data.refresh_key k using (entity)
     cross join lateral pgscore_data._predictions_at(p.version_id, k.key, p.event_time) x where not p.is_newest
  ), standing as (
    -- The prediction made last before the truth was first known; if all were made later, the first one.
    -- Under the rule first, it is always the one made first.
    select x.*, count(*) over place as n_predictions,
           row_number() over (place order by case when m.pairing = 'first' then x.made_at end,
                              x.made_at > x.first_known_at,
                              case when x.made_at <= x.first_known_at then x.made_at end desc,
                              case when x.made_at <= x.first_known_at then abs(x.run_id) end desc,
                              x.made_at, abs(x.run_id)) as n
      from prediction x window place as (partition by x.entity, x.version_id, x.event_time)
  ), reading as materialized (
    select r.* from pgscore_data.label_reading r where r.model_id = this_model
  ), paired as (
    select s.*, g.label, g.source_id, g.received_at, e.task, e.positive_class, e.score_unit, e.has_values,
           case when e.task in ('multi_target', 'multilabel') then pgscore_data._actual_values(e.version_id, g.label) end as actual_values,
           case when e.task <> 'regression' then pgscore_data._class_of(g.label, e.class_labels, e.class_forms) end as actual_class,
           case when e.task = 'regression' then pgscore_data._number_of(g.label) end as actual,
           case when e.task = 'regression' then pgscore_data._measure(s.score) else s.score end as measured
      from standing s
      join pgscore_data.refresh_truth g on g.entity = s.entity and g.known_at = s.known_at
      join reading e using (version_id)
     where s.n = 1
    offset 0
  ), edges as materialized (
    -- Appending an empty array decompresses the bins once, and not for every row.
    select b.mirrored || '{}'::double precision[] as mirrored from pgscore_data.score_bins b
  )
  insert into pgscore_data.refresh_pair
    (entity, model_id, key, label, source_id, received_at, version_id, run_id, day, event_time, known_at, age_band,
     actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments, n_predictions, is_newest,
     predicted_values, actual_values)
  select j.entity, this_model, j.key, j.label, j.source_id, j.received_at, j.version_id, j.run_id,
         date_trunc('day', j.event_time, m.time_zone), j.event_time, j.known_at,
         pgscore_data._age_band(pgscore_data._label_age(j.known_at, j.event_time)),
         case when j.actual_values is null then j.actual_class else 0 end,
         case when j.actual_values is null then j.predicted_class
           else pgscore_data._subset_class(j.task, j.actual_values, j.probabilities) end,
         j.actual, j.measured,
         case when j.task = 'multiclass' then j.probabilities[j.actual_class + 1]
              when j.task = 'binary' and j.score_unit is null
                then case when j.actual_class + 1 = j.positive_class then j.score else 1 - j.score end end,
         case when j.task = 'binary' then pgscore_data._score_bin(
           case when j.score_unit is null then j.score else pgscore_data._unit_margin(j.score) end, e.mirrored) end,
         case when j.task = 'multiclass' then pgscore_data._rank_of(j.actual_class, j.probabilities) end,
         case when j.task = 'multiclass' and cardinality(j.probabilities) <= 50 and j.probabilities[j.actual_class + 1] is not null
           then array(select pgscore_data._score_bin(p, e.mirrored) / 4
                        from unnest(j.probabilities) with ordinality as x (p, n) order by n) end,
         j.segments, j.n_predictions, j.is_newest,
         case when j.has_values
           then array(select pgscore_data._measure(x.v) from unnest(j.probabilities) with ordinality as x (v, n) order by n) end,
         j.actual_values
    from paired j cross join edges e
   where case when j.task = 'regression' then j.actual is not null and j.measured is not null
           when j.task in ('multi_target', 'multilabel') then j.actual_values is not null
           else j.actual_class is not null and j.predicted_class is not null end;
  insert into pgscore_data.refresh_pair (entity, model_id, key, known_at, label, source_id, received_at)
  select k.entity, k.model_id, k.key, g.known_at, g.label, g.source_id, g.received_at
    from pgscore_data.refresh_key k join pgscore_data.refresh_truth g using (entity)
   where k.model_id = this_model
     and not exists (select from pgscore_data.refresh_pair p where p.entity = g.entity and p.known_at = g.known_at);
end
$$;
comment on function pgscore_data._pair(int) is
  'Finds the places that labels of the noted entities judge by the pairing rule. Pairs each place with the last label that judges it and '
  'the prediction that stands in it. A label that judges no place is kept without a pair.';

create or replace function pgscore_data._replace_pairs(out removed bigint, out added bigint)
language sql volatile
set search_path = pg_catalog, pg_temp
-- Work tables are joined whole. Stored pairs are found by arrays of their ctid: joined by it, all of them might be read.
set enable_hashjoin = on
begin atomic
  with changed as materialized (
    -- Columns instead of whole rows: reading a column of a nested row scans that row from its first column.
    select o.is_recent, o.row_tid, o.run_id as old_run_id, o.version_id as old_version_id, o.day as old_day,
           o.age_band as old_age_band, o.actual_class as old_actual_class, o.predicted_class as old_predicted_class,
           o.actual as old_actual, o.score as old_score, o.p_actual as old_p_actual, o.bin as old_bin, o.rank as old_rank,
           o.class_bins as old_class_bins, o.segments as old_segments, o.predicted_values as old_predicted_values,
           o.actual_values as old_actual_values,
           p.model_id, p.key, p.known_at, p.version_id, p.run_id, p.day, p.event_time, p.age_band, p.actual_class,
           p.predicted_class, p.actual, p.score, p.p_actual, p.bin, p.rank, p.class_bins, p.segments, p.predicted_values,
           p.actual_values, p.label, p.source_id, p.received_at
      from pgscore_data.refresh_old_pair o
      full join pgscore_data.refresh_pair p
        on p.entity = o.entity and p.known_at = o.known_at and coalesce(p.run_id, 0) = coalesce(o.run_id, 0)
     where (o.day, o.event_time, o.age_band, o.actual_class, o.predicted_class, o.actual, o.score, o.p_actual, o.bin, o.rank,
            o.class_bins, o.segments, o.predicted_values, o.actual_values, o.label, o.source_id)
       is distinct from (p.day, p.event_time, p.age_band, p.actual_class, p.predicted_class, p.actual, p.score, p.p_actual,
                         p.bin, p.rank, p.class_bins, p.segments, p.predicted_values, p.actual_values, p.label, p.source_id)
  ), leaving as (
    insert into pgscore_data.refresh_delta
      (sign, version_id, day, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments,
       predicted_values, actual_values)
    select -1, c.old_version_id, c.old_day, c.old_age_band, c.old_actual_class, c.old_predicted_class, c.old_actual,
           c.old_score, c.old_p_actual, c.old_bin, c.old_rank, c.old_class_bins, c.old_segments, c.old_predicted_values, c.old_actual_values
      from changed c where c.old_run_id is not null
  ), entering as (
    insert into pgscore_data.refresh_delta
      (sign, version_id, day, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments,
       predicted_values, actual_values)
    select 1, c.version_id, c.day, c.age_band, c.actual_class, c.predicted_class, c.actual, c.score, c.p_actual, c.bin,
           c.rank, c.class_bins, c.segments, c.predicted_values, c.actual_values
      from changed c where c.run_id is not null
  ), deleted as (
    delete from pgscore_data.evaluation e using changed c
     where e.is_recent = c.is_recent and e.ctid = c.row_tid and c.key is null
       and e.ctid = any (array(select x.row_tid from changed x where x.key is null))
  ), updated as (
    update pgscore_data.evaluation e
       set (day, event_time, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins,
            segments, predicted_values, actual_values, label, source_id, received_at)
         = row(c.day, c.event_time, c.age_band, c.actual_class, c.predicted_class, c.actual, c.score, c.p_actual, c.bin,
               c.rank, c.class_bins, c.segments, c.predicted_values, c.actual_values, c.label, c.source_id, c.received_at)
      from changed c
     where e.is_recent = c.is_recent and e.ctid = c.row_tid and c.key is not null
       and e.ctid = any (array(select x.row_tid from changed x where x.key is not null and x.row_tid is not null))
  ), inserted as (
    insert into pgscore_data.evaluation_recent
      (model_id, key, known_at, version_id, run_id, day, event_time, age_band, actual_class, predicted_class, actual, score,
       p_actual, bin, rank, class_bins, segments, predicted_values, actual_values, label, source_id, received_at)
    select c.model_id, c.key, c.known_at, c.version_id, c.run_id, c.day, c.event_time, c.age_band, c.actual_class,
           c.predicted_class, c.actual, c.score, c.p_actual, c.bin, c.rank, c.class_bins, c.segments, c.predicted_values,
           c.actual_values, c.label, c.source_id, c.received_at
      from changed c where c.row_tid is null
  )
  select count(c.old_run_id), count(c.run_id) from changed c;
end;
comment on function pgscore_data._replace_pairs() is
'Replaces the old pairs of noted entities by the new ones, and notes what that changes in the cells.
Returns how many pairs were removed and added. A changed pair counts in both.';
