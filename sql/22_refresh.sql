-- Bringing the cells up to what labels and predictions say now, at a cost in proportion to what changed.

create or replace function pgscore_data._take_labels(most int) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  changed bigint;
begin
  with taken as (
    delete from pgscore_data.label_change c where c.change_id in (select x.change_id from pgscore_data.label_change x order by x.change_id limit most) returning c.*
  ), dated as (
    select t.change_id, t.model_id, t.source_id, t.key, coalesce(t.known_at, g.known_at, t.captured_at) as known_at, t.label, t.retracted
      from taken t
      left join lateral (select x.known_at from pgscore_data.ground_truth x where x.model_id = t.model_id and x.key = t.key and t.known_at is null order by x.known_at desc limit 1) g on true
  )
  insert into pgscore_data.refresh_label (model_id, source_id, key, known_at, label, retracted)
  select distinct on (d.model_id, d.key, d.known_at) d.model_id, d.source_id, d.key, d.known_at, d.label, d.retracted or d.label is null
    from dated d order by d.model_id, d.key, d.known_at, d.change_id desc;
  get diagnostics changed = row_count;
  if changed = 0 then
    return 0;
  end if;
  if changed > 1000 then
    analyze pgscore_data.refresh_label;
  end if;
  with withdrawn as (
    delete from pgscore_data.ground_truth g using pgscore_data.refresh_label l
     where l.retracted and g.model_id = l.model_id and g.key = l.key and g.known_at = l.known_at
    returning g.model_id, g.key
  ), told as (
    insert into pgscore_data.ground_truth as g (model_id, source_id, key, known_at, label)
    select l.model_id, l.source_id, l.key, l.known_at, l.label from pgscore_data.refresh_label l where not l.retracted
    on conflict (model_id, key, known_at) do update
      set label = excluded.label, source_id = excluded.source_id, revision = g.revision + 1, received_at = clock_timestamp() where g.label is distinct from excluded.label
    returning g.model_id, g.key
  )
  insert into pgscore_data.refresh_key (model_id, key)
  select w.model_id, w.key from withdrawn w union select t.model_id, t.key from told t;
  return changed;
end
$$;
comment on function pgscore_data._take_labels(int) is 'Takes changes out of the queue into the ground truth and notes the entities they are about; a label that says what was known already changes nothing. How many it took.';

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
      join pgscore_data.run r on r.run_id = g.run_id and r.attempt = g.attempt
      join pgscore_data.version v using (version_id)
      join pgscore_data.monitor m using (model_id)
      left join pgscore_data.execution e using (version_id)
      left join pgscore_data.score_bin b on b.bin = c.bin
     where r.state = 'done'
     group by 1, 2, 3
  ), due as (
    insert into pgscore_data.estimate_due (version_id, day) select distinct p.version_id, p.day from placed p where p.bin >= 0 on conflict do nothing
  ), volume as (
    insert into pgscore_data.cell_volume as c (version_id, day, n_predictions, n_failed)
    select p.version_id, p.day, coalesce(sum(p.n) filter (where p.bin <> -2), 0), coalesce(sum(p.n) filter (where p.bin = -2), 0) from placed p group by p.version_id, p.day
    on conflict (version_id, segment_id, day) do update set n_predictions = c.n_predictions + excluded.n_predictions, n_failed = c.n_failed + excluded.n_failed
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
    execute format(
      'insert into pgscore_data.refresh_key (model_id, key)
       select distinct g.model_id, g.key
         from (select %s as key, p.event_time from pgscore_predictions.%I p where p.run_id = any ($1) and p.generation = any ($5) and p.error_code is null) p
         cross join lateral (select x.model_id, x.key from pgscore_data.ground_truth x where x.model_id = $2 and x.key = p.key and ($4 <> ''latest_before_label'' or x.known_at >= pgscore_data._moment(p.event_time, $3)) limit 1) g
       on conflict do nothing', pgscore_data._key_text(r.key_columns), 'target_' || r.target_id)
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
      'insert into pgscore_data.refresh_prediction (model_id, key, version_id, run_id, event_time, score, predicted_class, probabilities, segments)
       select k.model_id, k.key, r.version_id, p.run_id, pgscore_data._moment(p.event_time, r.snapshot_at), p.score, %s, %s, %s
         from pgscore_data.refresh_key k
         cross join lateral (select * from pgscore_predictions.%I p where %s and p.generation = any ($2) and p.error_code is null offset 0) p
         cross join lateral (select r.version_id, r.snapshot_at, r.segments from pgscore_data.run r where r.run_id = p.run_id and r.paired offset 0) r
         cross join lateral (select from pgscore_data.version v where v.version_id = r.version_id and v.model_id = $1 offset 0) v
        where k.model_id = $1',
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
as $$
declare
  m pgscore_data.monitor;
  mirrored double precision[] := (select b.mirrored from pgscore_data.score_bins b);
begin
  select * into m from pgscore_data.monitor x where x.model_id = this_model;
  with ordered as (
    select p.*, lead(p.event_time) over later as next_event, lag(p.run_id) over later is null as is_first, lead(p.run_id) over later is null as is_latest
      from pgscore_data.refresh_prediction p where p.model_id = this_model
    window later as (partition by p.key, p.version_id order by p.event_time, p.run_id)
  ), paired as (
    select o.*, g.known_at, g.label
      from ordered o
      cross join lateral (
        select x.known_at, x.label from pgscore_data.ground_truth x
         where x.model_id = this_model and x.key = o.key
           and (m.pairing <> 'latest_before_label' or x.known_at >= o.event_time and (o.next_event is null or x.known_at < o.next_event))
         order by x.known_at desc limit 1) g
     where case m.pairing when 'first' then o.is_first when 'latest' then o.is_latest else true end
  ), judge as materialized (
    select e.version_id, e.task, e.positive_class, e.class_labels, array(select pgscore_data._label_form(c) from unnest(e.class_labels) with ordinality as x (c, n) order by n) as class_forms
      from pgscore_data.execution e join pgscore_data.version v using (version_id) where v.model_id = this_model
  ), judged as (
    select p.*, e.task, e.positive_class,
           case when e.task <> 'regression' then pgscore_data._class_of(p.label, e.class_labels, e.class_forms) end as actual_class,
           case when e.task = 'regression' then pgscore_data._number_of(p.label) end as actual,
           case when e.task = 'regression' then pgscore_data._measure(p.score) else p.score end as measured
      from paired p join judge e using (version_id)
  )
  insert into pgscore_data.refresh_pair (model_id, key, version_id, run_id, day, event_time, known_at, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments)
  select j.model_id, j.key, j.version_id, j.run_id, date_trunc('day', j.event_time, m.time_zone), j.event_time, j.known_at, pgscore_data._age_band(pgscore_data._label_age(j.known_at, j.event_time)),
         j.actual_class, j.predicted_class, j.actual, j.measured,
         case when j.task = 'multiclass' then j.probabilities[j.actual_class + 1]
              when j.task = 'binary' then case when j.actual_class + 1 = j.positive_class then j.score else 1 - j.score end end,
         case when j.task = 'binary' then pgscore_data._score_bin(j.score, mirrored) end,
         case when j.task = 'multiclass' then pgscore_data._rank_of(j.actual_class, j.probabilities) end,
         case when j.task = 'multiclass' and cardinality(j.probabilities) <= 50 and j.probabilities[j.actual_class + 1] is not null
           then array(select pgscore_data._score_bin(p, mirrored) / 4 from unnest(j.probabilities) with ordinality as x (p, n) order by n) end,
         j.segments
    from judged j
   where case when j.task = 'regression' then j.actual is not null and j.measured is not null else j.actual_class is not null and j.predicted_class is not null end;
end
$$;
comment on function pgscore_data._pair(int) is 'Pairs predictions with labels by the model''s rule. A prediction counts at most once, with the last label that judges it.';

create or replace function pgscore_data._recall_pairs() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.refresh_old_pair (model_id, key, version_id, run_id, day, event_time, known_at, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments, place)
  select e.model_id, e.key, e.version_id, e.run_id, e.day, e.event_time, e.known_at, e.age_band, e.actual_class, e.predicted_class, e.actual, e.score, e.p_actual, e.bin, e.rank, e.class_bins, e.segments, e.ctid
    from pgscore_data.refresh_key k join pgscore_data.evaluation e using (model_id, key);
end;
comment on function pgscore_data._recall_pairs() is 'Notes the pairs that the entities which changed had until now.';

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
      full join pgscore_data.refresh_pair p on p.key = o.key and p.run_id = o.run_id and p.version_id = o.version_id and p.model_id = o.model_id
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
  foreach work in array array['pgscore_data.refresh_label', 'pgscore_data.refresh_key', 'pgscore_data.refresh_prediction', 'pgscore_data.refresh_pair', 'pgscore_data.refresh_old_pair', 'pgscore_data.refresh_delta']::regclass[] loop
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
  insert into pgscore_data.cell_outcome_score as c (version_id, day, positive, bin, n, sum_score)
  select d.version_id, d.day, d.actual_class + 1 = e.positive_class, d.bin, sum(d.sign), sum(d.sign * d.score::numeric)
    from pgscore_data.refresh_delta d join pgscore_data.execution e using (version_id) where d.bin is not null
   group by d.version_id, d.day, d.actual_class + 1 = e.positive_class, d.bin
  on conflict (version_id, day, positive, bin) do update set n = c.n + excluded.n, sum_score = c.sum_score + excluded.sum_score;
  insert into pgscore_data.cell_rank as c (version_id, segment_id, day, rank, n)
  select d.version_id, d.segment_id, d.day, d.rank, sum(d.sign) from pgscore_data.refresh_slice d where d.rank is not null group by d.version_id, d.segment_id, d.day, d.rank
  on conflict (version_id, segment_id, day, rank) do update set n = c.n + excluded.n;
  insert into pgscore_data.cell_class_score as c (version_id, day, class, positive, bin, n)
  select d.version_id, d.day, x.place - 1, x.place - 1 = d.actual_class, x.bin, sum(d.sign)
    from pgscore_data.refresh_delta d cross join lateral unnest(d.class_bins) with ordinality as x (bin, place) group by 1, 2, 3, 4, 5
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
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set random_page_cost = 1.1
set work_mem = '64MB'
as $$
declare
  began timestamptz := clock_timestamp();
  changed bigint;
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
  changed := pgscore_data._take_labels(most);
  perform pgscore_data._note_feed('labels', l.model_id, clock_timestamp()) from pgscore_data.refresh_label l group by l.model_id;
  runs := array(select r.run_id from pgscore_data.run r where r.state = 'done' and not r.paired order by r.run_id limit 1000);
  perform pgscore_data._count_predictions(runs);
  perform pgscore_data._count_segments(runs);
  perform pgscore_data._count_features(runs);
  perform pgscore_data._note_late_predictions(runs);
  update pgscore_data.run r set paired = true where r.run_id = any (runs);
  perform pgscore_data._note_feed('scoring', v.model_id, max(r.finished_at)) from pgscore_data.run r join pgscore_data.version v using (version_id)
    where r.run_id = any (runs) and r.finished_at is not null group by v.model_id, date_trunc('day', r.finished_at);
  insert into pgscore_data.alert_due (version_id) select distinct r.version_id from pgscore_data.run r where r.run_id = any (runs);
  select count(*) into entities from pgscore_data.refresh_key;
  if entities > 1000 then
    analyze pgscore_data.refresh_key;
  end if;
  for this_model in select distinct k.model_id from pgscore_data.refresh_key k loop
    perform pgscore_data._find_predictions(this_model);
    if entities > 1000 then
      analyze pgscore_data.refresh_prediction;
    end if;
    perform pgscore_data._pair(this_model);
  end loop;
  perform pgscore_data._recall_pairs();
  select s.removed, s.added into removed, added from pgscore_data._settle() s;
  if entities > 1000 then
    analyze pgscore_data.refresh_delta;
  end if;
  perform pgscore_data._add_deltas();
  insert into pgscore_data.refresh_log (started_at, labels_changed, entities, pairs_removed, pairs_added, runs_seen, duration_ms)
  values (began, changed, entities, removed, added, cardinality(runs), extract(epoch from clock_timestamp() - began) * 1000);
  -- What came meanwhile waits for the next time: where runs end all the time there would always be more.
  return exists (select from pgscore_data.label_change c where c.captured_at < began)
      or exists (select from pgscore_data.run r where r.state = 'done' and not r.paired and r.finished_at < began);
end
$$;
comment on function pgscore_data._refresh(int) is 'One refresh: takes at most so many changed labels, pairs again what they are about, and brings the cells up to date. True where more was waiting when it began.';
