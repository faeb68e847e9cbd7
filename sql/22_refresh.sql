-- Bringing the cells up to what labels and predictions say now, at a cost in proportion to what changed.

create or replace function pgscore_data._take_labels(most int, out changed bigint, out last_change bigint)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  last_change := (select x.change_id from pgscore_data.label_change x order by x.change_id offset most - 1 limit 1);
  with taken as (
    delete from pgscore_data.label_change c where c.change_id <= coalesce(last_change, 9223372036854775807) returning c.*
  ), dated as (
    select t.change_id, t.model_id, t.source_id, t.key, coalesce(t.known_at, g.known_at) as known_at, t.captured_at, t.label, t.retracted
      from taken t
      left join lateral (select x.known_at from pgscore_data.ground_truth x where x.model_id = t.model_id and x.key = t.key and t.known_at is null order by x.known_at desc limit 1) g on true
  ), latest as (
    -- By the first part of the key before the key: of a text PostgreSQL sorts the first bytes as a number, of an array it does not.
    select distinct on (d.key[1], d.key, d.model_id, d.known_at)
           d.key[1] as part, d.model_id, d.source_id, d.key, coalesce(d.known_at, d.captured_at) as known_at, d.label, d.retracted or d.label is null as retracted
      from dated d order by d.key[1], d.key, d.model_id, d.known_at, d.change_id desc
  )
  insert into pgscore_data.refresh_label (model_id, source_id, key, known_at, label, retracted, entity)
  select l.model_id, l.source_id, l.key, l.known_at, l.label, l.retracted, dense_rank() over (order by l.part, l.key, l.model_id) from latest l;
  get diagnostics changed = row_count;
  if changed > 1000 then
    analyze pgscore_data.refresh_label;
  end if;
end
$$;
comment on function pgscore_data._take_labels(int) is 'Takes changes out of the queue; how many labels they are about, and the last of them where more may be waiting.';

create or replace function pgscore_data._tell_labels() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
-- Work tables are joined whole; labels are gone to by their key, then by their place.
set enable_hashjoin = on
set enable_seqscan = off
begin atomic
  with entity as (
    select distinct on (l.entity) l.entity, l.model_id, l.key from pgscore_data.refresh_label l order by l.entity
  ), held as (
    select k.entity, g.known_at, g.label, g.place
      from entity k
     cross join lateral (select x.known_at, x.label, x.ctid as place from pgscore_data.ground_truth x where x.model_id = k.model_id and x.key = k.key offset 0) g
  ), told as materialized (
    select entity, known_at, l.model_id, l.source_id, l.key, l.label, l.retracted, h.place, h.label as held
      from pgscore_data.refresh_label l full join held h using (entity, known_at)
  ), withdrawn as (
    delete from pgscore_data.ground_truth g using told t where g.ctid = t.place and t.retracted
  ), corrected as (
    update pgscore_data.ground_truth g set label = t.label, source_id = t.source_id, revision = g.revision + 1, received_at = clock_timestamp()
      from told t where g.ctid = t.place and not t.retracted and t.label <> t.held
  ), added as (
    insert into pgscore_data.ground_truth (model_id, source_id, key, known_at, label)
    select t.model_id, t.source_id, t.key, t.known_at, t.label from told t where t.place is null and not t.retracted
    -- A label without a time may have come at the very time that another one names.
    on conflict do nothing
  ), truth as (
    insert into pgscore_data.refresh_truth (entity, known_at, label)
    select t.entity, t.known_at, coalesce(t.label, t.held) from told t where t.retracted is not true
  ), changed as (
    select t.entity, count(*) = 1 and not bool_or(t.retracted or t.place is null) as stands
      from told t group by t.entity
    having bool_or(case when t.retracted then t.place is not null when t.key is not null then t.label is distinct from t.held end)
  )
  insert into pgscore_data.refresh_key (model_id, key, entity, stands)
  select k.model_id, k.key, k.entity, c.stands from entity k join changed c using (entity) order by k.entity;
end;
comment on function pgscore_data._tell_labels() is 'Brings the ground truth up to the labels that were taken, and notes the entities they are about with all of their labels; a label that says what was known already changes nothing.';

create or replace function pgscore_data._recall_labels() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.refresh_truth (entity, known_at, label)
  select k.entity, g.known_at, g.label
    from pgscore_data.refresh_key k
   cross join lateral (select x.known_at, x.label from pgscore_data.ground_truth x where x.model_id = k.model_id and x.key = k.key offset 0) g;
end;
comment on function pgscore_data._recall_labels() is 'Looks up the labels of entities that no label was taken of.';

create or replace function pgscore_data._key_text(keys jsonb) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return (select 'array[' || string_agg(format('pg_catalog.concat(p.%I)', k ->> 'name'), ', ' order by n) || ']' from jsonb_array_elements(keys) with ordinality as x (k, n));
comment on function pgscore_data._key_text(jsonb) is 'The key of a prediction as labels spell it. concat() and not a cast: it calls no function of a type''s owner.';

create or replace function pgscore_data._key_match(keys jsonb, families text[]) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return (select string_agg(format('p.%I = (k.key)[%s]::%s', x.k ->> 'name', x.n, families[x.n]), ' and ' order by x.n) from jsonb_array_elements(keys) with ordinality as x (k, n));
comment on function pgscore_data._key_match(jsonb, text[]) is 'The condition that finds the predictions of an entity by the index of their key.';

create or replace function pgscore_data._targets_of(this_model int) returns setof pgscore_data.target
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select t.* from pgscore_data.target t join pgscore_data.monitor m on m.model_id = this_model
   where m.key_types is not distinct from
         (select array_agg(pgscore._label_key(to_regtype(k ->> 'sql_type')) order by n) from jsonb_array_elements(t.key_columns) with ordinality as x (k, n))
     and exists (select from pgscore_data.version v cross join lateral
           (select from pgscore_data.run r where r.target_id = t.target_id and r.version_id = v.version_id and r.state = 'done' limit 1) r where v.model_id = this_model);
end;
comment on function pgscore_data._targets_of(int) is 'The targets that hold predictions of a model and are keyed as its labels are.';

create or replace function pgscore_data._count_predictions(runs bigint[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with gone as (
    delete from pgscore_data.day_tally t where t.run_id = any (runs) returning t.*
  ), placed as (
    select r.version_id, date_trunc('day', coalesce(g.day, r.snapshot_at), m.time_zone) as day, c.bin, sum(c.n)::bigint as n,
           sum(coalesce(c.n_positive, case when b.low >= e.threshold then c.n else 0 end))::bigint as n_positive
      from gone g
      cross join lateral unnest(g.bins, g.counts, g.positives) as c (bin, n, n_positive)
      -- Of the runs that ended, these few: as a join, the planner may take all that ever did for fewer.
      cross join lateral (select x.* from pgscore_data.run x where x.run_id = g.run_id and x.attempt = g.attempt and x.state = 'done' offset 0) r
      join pgscore_data.version v using (version_id)
      join pgscore_data.monitor m using (model_id)
      left join pgscore_data.execution e using (version_id)
      left join pgscore_data.score_bin b on b.bin = c.bin
     group by 1, 2, 3
  ), due as (
    insert into pgscore_data.estimate_due (version_id, day) select distinct p.version_id, p.day from placed p where p.bin >= 0 on conflict do nothing
  ), volume as (
    insert into pgscore_data.cell_volume as c (version_id, day, n_predictions, n_failed, n_scored)
    select p.version_id, p.day, coalesce(sum(p.n) filter (where p.bin <> -2), 0), coalesce(sum(p.n) filter (where p.bin = -2), 0), coalesce(sum(p.n) filter (where p.bin >= 0), 0) from placed p group by p.version_id, p.day
    on conflict (version_id, segment_id, day) do update set n_predictions = c.n_predictions + excluded.n_predictions, n_failed = c.n_failed + excluded.n_failed, n_scored = c.n_scored + excluded.n_scored
  )
  insert into pgscore_data.cell_score as c (version_id, day, bin, n, n_positive)
  select p.version_id, p.day, p.bin, p.n, p.n_positive from placed p where p.bin >= 0
  on conflict (version_id, day, bin) do update set n = c.n + excluded.n, n_positive = c.n_positive + excluded.n_positive;
end;
comment on function pgscore_data._count_predictions(bigint[]) is 'Adds the counts of finished runs to the cells; those of an attempt that came to nothing go.';

create or replace function pgscore_data._note_late_predictions(runs bigint[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  r record;
begin
  for r in
    select array_agg(distinct x.run_id) as runs, array_agg(distinct x.generation) || 0 as generations, min(x.snapshot_at) as snapshot_at, v.model_id, m.pairing, t.target_id, t.key_columns
      from pgscore_data.run x join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id)
      join lateral (select y.target_id, y.key_columns from pgscore_data._targets_of(v.model_id) y where y.target_id = x.target_id) t on true
     where x.run_id = any (runs) and exists (select from pgscore_data.ground_truth g where g.model_id = v.model_id)
     group by v.model_id, m.pairing, t.target_id, t.key_columns
  loop
    update pgscore_data.refresh_key k set stands = false where k.model_id = r.model_id and k.stands;
    execute format(
      'with late as (
         insert into pgscore_data.refresh_key (model_id, key, entity)
         select $2, g.key, (select coalesce(max(n.entity), 0) from (select k.entity from pgscore_data.refresh_key k union all select l.entity from pgscore_data.refresh_label l) n) + row_number() over (order by g.key)
           from (select distinct g.key
                   from (select %s as key, p.event_time from pgscore_predictions.%I p where p.run_id = any ($1) and p.generation = any ($5) and p.error_code is null) p
                  cross join lateral (select x.key from pgscore_data.ground_truth x where x.model_id = $2 and x.key = p.key and ($4 <> ''latest_before_label'' or x.known_at >= pgscore_data._moment(p.event_time, $3)) offset 0) g
                 except select k.key from pgscore_data.refresh_key k where k.model_id = $2) g
         returning entity, key
       )
       insert into pgscore_data.refresh_truth (entity, known_at, label)
       select l.entity, g.known_at, g.label
         from late l
        cross join lateral (select x.known_at, x.label from pgscore_data.ground_truth x where x.model_id = $2 and x.key = l.key offset 0) g', pgscore_data._key_text(r.key_columns), 'target_' || r.target_id)
    using r.runs, r.model_id, r.snapshot_at, r.pairing, r.generations;
  end loop;
end
$$;
comment on function pgscore_data._note_late_predictions(bigint[]) is 'Notes the entities whose label was there before their prediction.';

create or replace function pgscore_data._find_predictions(this_model int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  families text[] := (select m.key_types from pgscore_data.monitor m where m.model_id = this_model);
  t pgscore_data.target;
begin
  for t in select * from pgscore_data._targets_of(this_model) loop
    execute format(
      'insert into pgscore_data.refresh_prediction (entity, model_id, key, version_id, run_id, event_time, score, predicted_class, probabilities, segments)
       select k.entity, k.model_id, k.key, r.version_id, p.run_id, pgscore_data._moment(p.event_time, r.snapshot_at), p.score, %s, %s, %s
         from pgscore_data.refresh_key k
         cross join lateral (select * from pgscore_predictions.%I p where %s and p.generation = any ($2) and p.error_code is null offset 0) p
         cross join lateral (select r.version_id, r.snapshot_at, r.segments from pgscore_data.run r where r.run_id = p.run_id and r.paired offset 0) r
         cross join lateral (select from pgscore_data.version v where v.version_id = r.version_id and v.model_id = $1 offset 0) v
        where k.model_id = $1 and not k.stands',
      case when t.task = 'regression' then 'null' else '(array_position($3, p.label) - 1)::smallint' end,
      case
        when t.task <> 'multiclass' then 'null'
        when t.probability_columns is null then 'array(select (p.probabilities ->> c)::double precision from unnest($3) with ordinality as x (c, n) order by n)'
        else (select 'array[' || string_agg(format('p.%I', c), ', ' order by n) || ']' from unnest(t.probability_columns) with ordinality as x (c, n))
      end,
      pgscore_data._segments_held(),
      'target_' || t.target_id, pgscore_data._key_match(t.key_columns, families))
    using this_model, array(select g.generation from pgscore_data.generation g where g.target_id = t.target_id and g.state = 'published'), t.class_labels;
  end loop;
end
$$;
comment on function pgscore_data._find_predictions(int) is 'Looks up every prediction of the entities that changed.';

create or replace function pgscore_data._pair(this_model int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
as $$
declare
  m pgscore_data.monitor;
begin
  select * into m from pgscore_data.monitor x where x.model_id = this_model;
  with ordered as (
    select p.*, lead(p.event_time) over later as next_event, lag(p.run_id) over later is null as is_first, lead(p.run_id) over later is null as is_latest
      from pgscore_data.refresh_prediction p where p.model_id = this_model
    window later as (partition by p.entity, p.version_id order by p.event_time, p.run_id)
  ), paired as (
    select distinct on (o.entity, o.version_id, o.run_id)
           o.entity, o.model_id, o.key, o.version_id, o.run_id, o.event_time, o.score, o.predicted_class, o.probabilities, o.segments, g.known_at, g.label
      from ordered o
      join pgscore_data.refresh_truth g on g.entity = o.entity
       and (m.pairing <> 'latest_before_label' or g.known_at >= o.event_time and (o.next_event is null or g.known_at < o.next_event))
     where case m.pairing when 'first' then o.is_first when 'latest' then o.is_latest else true end
     order by o.entity, o.version_id, o.run_id, g.known_at desc
  ), standing as (
    select o.entity, o.model_id, o.key, o.version_id, o.run_id, o.event_time, o.score, o.predicted_class, null::double precision[] as probabilities, o.segments, g.known_at, g.label
      from pgscore_data.refresh_old_pair o join pgscore_data.refresh_key k using (entity) join pgscore_data.refresh_truth g using (entity) where k.model_id = this_model and k.stands
  ), judge as materialized (
    select e.version_id, e.task, e.positive_class, e.class_labels, array(select pgscore_data._label_form(c) from unnest(e.class_labels) with ordinality as x (c, n) order by n) as class_forms
      from pgscore_data.execution e join pgscore_data.version v using (version_id) where v.model_id = this_model
  ), judged as (
    select p.*, e.task, e.positive_class,
           case when e.task <> 'regression' then pgscore_data._class_of(p.label, e.class_labels, e.class_forms) end as actual_class,
           case when e.task = 'regression' then pgscore_data._number_of(p.label) end as actual,
           case when e.task = 'regression' then pgscore_data._measure(p.score) else p.score end as measured
      from (select * from paired union all select * from standing) p join judge e using (version_id)
    offset 0
  ), edges as materialized (
    -- Concatenated with nothing, lest every row decompress it.
    select b.mirrored || '{}'::double precision[] as mirrored from pgscore_data.score_bins b
  )
  insert into pgscore_data.refresh_pair (entity, model_id, key, version_id, run_id, day, event_time, known_at, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments)
  select j.entity, j.model_id, j.key, j.version_id, j.run_id, date_trunc('day', j.event_time, m.time_zone), j.event_time, j.known_at, pgscore_data._age_band(pgscore_data._label_age(j.known_at, j.event_time)),
         j.actual_class, j.predicted_class, j.actual, j.measured,
         case when j.task = 'multiclass' then j.probabilities[j.actual_class + 1]
              when j.task = 'binary' then case when j.actual_class + 1 = j.positive_class then j.score else 1 - j.score end end,
         case when j.task = 'binary' then pgscore_data._score_bin(j.score, e.mirrored) end,
         case when j.task = 'multiclass' then pgscore_data._rank_of(j.actual_class, j.probabilities) end,
         case when j.task = 'multiclass' and cardinality(j.probabilities) <= 50 and j.probabilities[j.actual_class + 1] is not null
           then array(select pgscore_data._score_bin(p, e.mirrored) / 4 from unnest(j.probabilities) with ordinality as x (p, n) order by n) end,
         j.segments
    from judged j cross join edges e
   where case when j.task = 'regression' then j.actual is not null and j.measured is not null else j.actual_class is not null and j.predicted_class is not null end;
end
$$;
comment on function pgscore_data._pair(int) is 'Pairs predictions with labels by the model''s rule. A prediction counts at most once, with the last label that judges it.';

create or replace function pgscore_data._recall_pairs() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pgscore_data.refresh_old_pair (entity, model_id, key, version_id, run_id, day, event_time, known_at, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments, place)
  select k.entity, e.model_id, e.key, e.version_id, e.run_id, e.day, e.event_time, e.known_at, e.age_band, e.actual_class, e.predicted_class, e.actual, e.score, e.p_actual, e.bin, e.rank, e.class_bins, e.segments, e.place
    from pgscore_data.refresh_key k
   cross join lateral (select x.*, x.ctid as place from pgscore_data.evaluation x where x.model_id = k.model_id and x.key = k.key offset 0) e;
  -- A label may have been none of a version's classes, and so no pair. Nor does a pair keep the probabilities of many classes.
  update pgscore_data.refresh_key k set stands = false
   where k.stands
     and (k.entity not in (select o.entity from pgscore_data.refresh_old_pair o)
       or k.model_id in (select v.model_id from pgscore_data.execution x join pgscore_data.version v using (version_id)
                          group by v.model_id having bool_or(x.task = 'multiclass') or count(distinct (x.task, x.class_labels)) > 1));
end
$$;
comment on function pgscore_data._recall_pairs() is 'Notes the pairs that the entities which changed had until now, and whose predictions need not be looked up again.';

create or replace function pgscore_data._settle(out removed bigint, out added bigint)
language sql volatile
set search_path = pg_catalog, pg_temp
-- Work tables are joined whole; the pairs themselves are gone to by their place.
set enable_hashjoin = on
set enable_seqscan = off
begin atomic
  with changed as materialized (
    select o.place, o as old, p as new
      from pgscore_data.refresh_old_pair o
      full join pgscore_data.refresh_pair p on p.entity = o.entity and p.run_id = o.run_id and p.version_id = o.version_id
     where (o.day, o.event_time, o.known_at, o.age_band, o.actual_class, o.predicted_class, o.actual, o.score, o.p_actual, o.bin, o.rank, o.class_bins, o.segments)
       is distinct from (p.day, p.event_time, p.known_at, p.age_band, p.actual_class, p.predicted_class, p.actual, p.score, p.p_actual, p.bin, p.rank, p.class_bins, p.segments)
  ), leaving as (
    insert into pgscore_data.refresh_delta (sign, version_id, day, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments)
    select -1, (c.old).version_id, (c.old).day, (c.old).age_band, (c.old).actual_class, (c.old).predicted_class, (c.old).actual, (c.old).score, (c.old).p_actual, (c.old).bin, (c.old).rank, (c.old).class_bins, (c.old).segments from changed c where c.place is not null
  ), coming as (
    insert into pgscore_data.refresh_delta (sign, version_id, day, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments)
    select 1, (c.new).version_id, (c.new).day, (c.new).age_band, (c.new).actual_class, (c.new).predicted_class, (c.new).actual, (c.new).score, (c.new).p_actual, (c.new).bin, (c.new).rank, (c.new).class_bins, (c.new).segments from changed c where (c.new).key is not null
  ), gone as (
    delete from pgscore_data.evaluation e using changed c where e.ctid = c.place and (c.new).key is null
  ), moved as (
    update pgscore_data.evaluation e
       set (day, event_time, known_at, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments) = row((c.new).day, (c.new).event_time, (c.new).known_at, (c.new).age_band, (c.new).actual_class, (c.new).predicted_class, (c.new).actual, (c.new).score, (c.new).p_actual, (c.new).bin, (c.new).rank, (c.new).class_bins, (c.new).segments)
      from changed c where e.ctid = c.place and (c.new).key is not null
  ), found as (
    insert into pgscore_data.evaluation (model_id, key, version_id, run_id, day, event_time, known_at, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments)
    select (c.new).model_id, (c.new).key, (c.new).version_id, (c.new).run_id, (c.new).day, (c.new).event_time, (c.new).known_at, (c.new).age_band, (c.new).actual_class, (c.new).predicted_class, (c.new).actual, (c.new).score, (c.new).p_actual, (c.new).bin, (c.new).rank, (c.new).class_bins, (c.new).segments from changed c where c.place is null
  )
  select count(c.place), count((c.new).key) from changed c;
end;
comment on function pgscore_data._settle() is 'Puts the pairs that entities have now in the place of those that they had, and in line what that takes out of the cells and adds to them. How many pairs went and came; one that changed did both.';

create or replace function pgscore_data._clear_work() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  work regclass;
begin
  foreach work in array array['pgscore_data.refresh_label', 'pgscore_data.refresh_key', 'pgscore_data.refresh_truth', 'pgscore_data.refresh_prediction', 'pgscore_data.refresh_pair', 'pgscore_data.refresh_old_pair', 'pgscore_data.refresh_delta']::regclass[] loop
    if pg_relation_size(work) > 1048576 then
      execute format('truncate %s', work);
    else
      execute format('delete from %s', work);
    end if;
  end loop;
end
$$;
comment on function pgscore_data._clear_work() is 'Empties the work tables of the last refresh. To truncate one makes new files, which takes longer than a small refresh.';

create or replace function pgscore_data._add_deltas() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pgscore_data.touched (version_id, day) select distinct d.version_id, d.day from pgscore_data.refresh_delta d on conflict do nothing;
  insert into pgscore_data.cell_outcome as c (version_id, segment_id, day, age_band, actual_class, predicted_class, n, sum_brier, sum_log_loss)
  select d.version_id, d.segment_id, d.day, d.age_band, d.actual_class, d.predicted_class, sum(d.sign),
         coalesce(sum(d.sign * ((1 - d.p_actual) ^ 2)::numeric), 0),
         coalesce(sum(d.sign * (-ln(greatest(2.220446049250313e-16, least(1 - 2.220446049250313e-16, d.p_actual))))::numeric), 0)
    from pgscore_data.refresh_slice d where d.actual_class is not null
   group by d.version_id, d.segment_id, d.day, d.age_band, d.actual_class, d.predicted_class
  on conflict (version_id, segment_id, day, age_band, actual_class, predicted_class) do update
    set n = c.n + excluded.n, sum_brier = c.sum_brier + excluded.sum_brier, sum_log_loss = c.sum_log_loss + excluded.sum_log_loss;
  -- Almost every pair has a cell of its own: ON CONFLICT locks each before it changes it, and out of order each is a look-up of its own.
  merge into pgscore_data.cell_outcome_score c
  using (select x.version_id, x.day, x.positive, x.bin, sum(x.sign) as n, sum(x.sign * x.score::numeric) as sum_score
           from (select d.version_id, d.day, d.actual_class + 1 = e.positive_class as positive, d.bin, d.sign, d.score
                   from pgscore_data.refresh_delta d join pgscore_data.execution e using (version_id) where d.bin is not null
                  order by 1, 2, 3, 4) x
          group by x.version_id, x.day, x.positive, x.bin) d
     on c.version_id = d.version_id and c.day = d.day and c.positive = d.positive and c.bin = d.bin
   when matched then update set n = c.n + d.n, sum_score = c.sum_score + d.sum_score
   when not matched then insert (version_id, day, positive, bin, n, sum_score) values (d.version_id, d.day, d.positive, d.bin, d.n, d.sum_score);
  insert into pgscore_data.cell_rank as c (version_id, segment_id, day, rank, n)
  select d.version_id, d.segment_id, d.day, d.rank, sum(d.sign) from pgscore_data.refresh_slice d where d.rank is not null group by d.version_id, d.segment_id, d.day, d.rank
  on conflict (version_id, segment_id, day, rank) do update set n = c.n + excluded.n;
  insert into pgscore_data.cell_class_score as c (version_id, day, class, positive, bin, n)
  select d.version_id, d.day, x.place - 1, x.place - 1 = d.actual_class, x.bin, sum(d.sign)
    from pgscore_data.refresh_delta d cross join lateral unnest(d.class_bins) with ordinality as x (bin, place) where d.class_bins is not null group by 1, 2, 3, 4, 5
  on conflict (version_id, day, class, positive, bin) do update set n = c.n + excluded.n;
  insert into pgscore_data.cell_regression as c
    (version_id, segment_id, day, age_band, n, sum_error, sum_abs_error, sum_error2, sum_error4, sum_actual, sum_actual2, sum_abs_actual, n_zero_actual, sum_relative_error, n_log, sum_log_error2)
  select d.version_id, d.segment_id, d.day, d.age_band, sum(d.sign), sum(d.sign * x.error::numeric), sum(d.sign * abs(x.error)::numeric), sum(d.sign * (x.error * x.error)::numeric), sum(d.sign * (x.error * x.error * x.error * x.error)::numeric),
         sum(d.sign * x.actual), sum(d.sign * x.actual * x.actual), sum(d.sign * abs(x.actual)),
         coalesce(sum(d.sign) filter (where d.actual = 0), 0),
         coalesce(sum(d.sign * (abs(d.score - d.actual) / abs(d.actual))::numeric) filter (where d.actual <> 0), 0),
         coalesce(sum(d.sign) filter (where least(d.score, d.actual) > -1), 0),
         coalesce(sum(d.sign * ((ln(1 + d.score) - ln(1 + d.actual)) ^ 2)::numeric) filter (where least(d.score, d.actual) > -1), 0)
    from pgscore_data.refresh_slice d cross join lateral (select d.score - d.actual as error, pgscore_data._exactly(d.actual) as actual) x where d.actual is not null
   group by d.version_id, d.segment_id, d.day, d.age_band
  on conflict (version_id, segment_id, day, age_band) do update set
    n = c.n + excluded.n, sum_error = c.sum_error + excluded.sum_error, sum_abs_error = c.sum_abs_error + excluded.sum_abs_error,
    sum_error2 = c.sum_error2 + excluded.sum_error2, sum_error4 = c.sum_error4 + excluded.sum_error4, sum_actual = c.sum_actual + excluded.sum_actual,
    sum_actual2 = c.sum_actual2 + excluded.sum_actual2, sum_abs_actual = c.sum_abs_actual + excluded.sum_abs_actual,
    n_zero_actual = c.n_zero_actual + excluded.n_zero_actual, sum_relative_error = c.sum_relative_error + excluded.sum_relative_error,
    n_log = c.n_log + excluded.n_log, sum_log_error2 = c.sum_log_error2 + excluded.sum_log_error2;
  insert into pgscore_data.cell_error as c (version_id, day, bucket, n)
  select d.version_id, d.day, pgscore_data._error_bucket(d.score - d.actual), sum(d.sign) from pgscore_data.refresh_delta d where d.actual is not null
   group by d.version_id, d.day, pgscore_data._error_bucket(d.score - d.actual)
  on conflict (version_id, day, bucket) do update set n = c.n + excluded.n;
end
$$;
comment on function pgscore_data._add_deltas() is 'Adds what left and what came to the cells. Sums are numeric, so that what is taken out leaves nothing behind.';

create or replace function pgscore_data._note_feed(this_feed text, this_model int, happened_at timestamptz) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.feed_day as f (model_id, feed, day, last_at, n)
  select m.model_id, this_feed, date_trunc('day', happened_at, m.time_zone), happened_at, 1 from pgscore_data.monitor m where m.model_id = this_model
  on conflict (model_id, feed, day) do update set last_at = greatest(f.last_at, excluded.last_at), n = f.n + 1;
end;
comment on function pgscore_data._note_feed(text, int, timestamptz) is 'Notes that a model was scored, or that its labels changed: alerts know silence by that.';

create or replace function pgscore_data._refresh(most int default 100000) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
set extra_float_digits = 1
set jit = off
-- Left to itself the planner reads history whole; each of these look-ups is by key.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set random_page_cost = 1.1
set work_mem = '64MB'
as $$
declare
  began timestamptz := clock_timestamp();
  changed bigint;
  last_change bigint;
  runs bigint[];
  removed bigint;
  added bigint;
  entities bigint;
  this_model int;
begin
  if not exists (select from pgscore_data.label_change) and not exists (select from pgscore_data.run r where r.state = 'done' and not r.paired) then
    return false;
  end if;
  if not pgscore_data._take_turn('cells') then
    return false;
  end if;
  perform pgscore_data._clear_work();
  select t.changed, t.last_change into changed, last_change from pgscore_data._take_labels(most) t;
  perform pgscore_data._tell_labels();
  perform pgscore_data._note_feed('labels', l.model_id, clock_timestamp()) from pgscore_data.refresh_label l group by l.model_id;
  runs := array(select r.run_id from pgscore_data.run r where r.state = 'done' and not r.paired order by r.run_id limit 1000);
  if cardinality(runs) > 0 then
    perform pgscore_data._count_predictions(runs);
    perform pgscore_data._count_segments(runs);
    perform pgscore_data._count_features(runs);
    perform pgscore_data._note_late_predictions(runs);
    update pgscore_data.run r set paired = true where r.run_id = any (runs);
    perform pgscore_data._note_feed('scoring', v.model_id, max(r.finished_at)) from pgscore_data.run r join pgscore_data.version v using (version_id)
      where r.run_id = any (runs) and r.finished_at is not null group by v.model_id, date_trunc('day', r.finished_at);
    insert into pgscore_data.alert_due (version_id) select distinct r.version_id from pgscore_data.run r where r.run_id = any (runs);
  end if;
  select count(*) into entities from pgscore_data.refresh_key;
  if entities > 1000 then
    analyze pgscore_data.refresh_key;
    analyze pgscore_data.refresh_truth;
  end if;
  perform pgscore_data._recall_pairs();
  for this_model in select distinct k.model_id from pgscore_data.refresh_key k loop
    if exists (select from pgscore_data.refresh_key k where k.model_id = this_model and not k.stands) then
      perform pgscore_data._find_predictions(this_model);
      if entities > 1000 then
        analyze pgscore_data.refresh_prediction;
      end if;
    end if;
    perform pgscore_data._pair(this_model);
  end loop;
  select s.removed, s.added into removed, added from pgscore_data._settle() s;
  if entities > 1000 then
    analyze pgscore_data.refresh_delta;
  end if;
  -- So many change most cells of their days: then to read these whole is faster than to look each up.
  if entities > 20000 then
    perform set_config('enable_hashjoin', 'on', true), set_config('enable_seqscan', 'on', true);
  end if;
  perform pgscore_data._add_deltas();
  insert into pgscore_data.refresh_log (started_at, labels_changed, entities, pairs_removed, pairs_added, runs_seen, duration_ms)
  values (began, changed, entities, removed, added, cardinality(runs), extract(epoch from clock_timestamp() - began) * 1000);
  -- What came meanwhile waits for the next time: where runs end all the time there would always be more.
  return exists (select from pgscore_data.label_change c where c.change_id > last_change and c.captured_at < began)
      or exists (select from pgscore_data.run r where r.state = 'done' and not r.paired and r.finished_at < began);
end
$$;
comment on function pgscore_data._refresh(int) is 'One refresh: takes at most so many changed labels, pairs again what they are about, and brings the cells up to date. True where more was waiting when it began.';
