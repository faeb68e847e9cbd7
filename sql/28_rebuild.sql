-- Counting again: to repair, after a change of the pairing rule, and every night for a few days at random, to see whether the cells are right.

create or replace function pgscore_data._recount(this_version int, from_day timestamptz, to_day timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from pgscore_data.cell_outcome c where c.version_id = this_version and c.day >= from_day and c.day < to_day;
  delete from pgscore_data.score_log c where c.version_id = this_version and c.day >= from_day and c.day < to_day;
  delete from pgscore_data.cell_rank c where c.version_id = this_version and c.day >= from_day and c.day < to_day;
  delete from pgscore_data.cell_class_score c where c.version_id = this_version and c.day >= from_day and c.day < to_day;
  delete from pgscore_data.cell_regression c where c.version_id = this_version and c.day >= from_day and c.day < to_day;
  delete from pgscore_data.cell_error c where c.version_id = this_version and c.day >= from_day and c.day < to_day;
  delete from pgscore_data.refresh_delta d where d.version_id = this_version and d.day >= from_day and d.day < to_day;
  insert into pgscore_data.refresh_delta (sign, version_id, day, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments)
  select 1, e.version_id, e.day, e.age_band, e.actual_class, e.predicted_class, e.actual, e.score, e.p_actual, e.bin, e.rank, e.class_bins, e.segments
    from pgscore_data.evaluation e where e.version_id = this_version and e.event_time >= from_day and e.event_time < to_day;
  -- Days that hold nothing any more have metrics to lose, too.
  insert into pgscore_data.touched (version_id, day)
  select c.version_id, c.day from pgscore_data.cell_volume c where c.version_id = this_version and c.segment_id = 0 and c.day >= from_day and c.day < to_day on conflict do nothing;
  -- What was read is not kept, so the cells of the features stay; what is computed from them can be.
  insert into pgscore_data.touched_feature (set_id, day)
  select distinct c.set_id, c.day from pgscore_data.feature_set s join pgscore_data.cell_feature c using (set_id) where s.version_id = this_version and c.day >= from_day and c.day < to_day on conflict do nothing;
end
$$;
comment on function pgscore_data._recount(int, timestamptz, timestamptz) is 'Empties the cells of some days and puts what the pairs say in line to be added to them.';

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
begin
  perform pgscore_data._await_turn('cells');
  perform pgscore_data._clear_work();
  perform pgscore_data._list_keys(array[this_model]);
  execute 'insert into pgscore_data.refresh_key (model_id, key, entity)
    select $1, x.key, row_number() over () from (
      select e.key from pgscore_data.evaluation e where e.model_id = $1 and e.event_time >= $2 and e.event_time < $3'
    || coalesce((select string_agg(format('
      union select g.key
        from (select %s as key from pgscore_predictions.%I p join pgscore_data.run r using (run_id) join pgscore_data.version v using (version_id)
               where v.model_id = $1 and pgscore_data._moment(p.event_time, r.snapshot_at) >= $2 and pgscore_data._moment(p.event_time, r.snapshot_at) < $3 and p.error_code is null
                 and p.generation in (select g.generation from pgscore_data.generation g where g.target_id = %s and g.state = ''published'')) p
       cross join lateral (select x.key from pgscore_data.evaluation x where x.model_id = $1 and hash_array(x.key) = hash_array(p.key) and x.key = p.key limit 1) g', pgscore_data._key_text(t.key_columns), 'target_' || t.target_id, t.target_id), '') from pgscore_data._targets_of(this_model) t), '')
    || '
      union select p.key
        from (select c.key from pgscore_data.online_prediction c where c.version_id = any ($4) and c.asked_at >= $2 and c.asked_at < $3 and c.key is not null and c.error is null
              union all select c.key from pgscore_data.online_key c where c.version_id = any ($4) and c.asked_at >= $2 and c.asked_at < $3) p
       where exists (select from pgscore_data.evaluation x where x.model_id = $1 and hash_array(x.key) = hash_array(p.key) and x.key = p.key)) x'
  using this_model, from_time, to_time, pgscore_data._called_versions(this_model);
  get diagnostics again = row_count;
  analyze pgscore_data.refresh_key;
  perform pgscore_data._recall_labels(0);
  analyze pgscore_data.refresh_truth;
  perform pgscore_data._find_predictions(this_model);
  analyze pgscore_data.refresh_prediction;
  perform pgscore_data._pair(this_model);
  perform pgscore_data._settle();
  for v in
    select x.version_id, date_trunc('day', from_time, m.time_zone) as from_day, date_trunc('day', to_time, m.time_zone) + case when date_trunc('day', to_time, m.time_zone) = to_time then interval '0' else interval '1 day' end as to_day
      from pgscore_data.version x join pgscore_data.monitor m using (model_id) where x.model_id = this_model
  loop
    perform pgscore_data._recount(v.version_id, v.from_day, v.to_day);
  end loop;
  perform pgscore_data._add_deltas();
  return again;
end
$$;
comment on function pgscore_data._rebuild(int, timestamptz, timestamptz) is 'Pairs predictions and labels of a time anew and counts its days from the pairs; how many entities that were.';

create or replace view pgscore._monitor_request as
select null::text as model, null::text as action, null::jsonb as settings, null::bigint as outcome, null::name as actor where false;
comment on view pgscore._monitor_request is 'Where refresh(), monitor(), monitor_features() and rebuild() hand their request over: actor is the caller, and nobody can write it.';
alter view pgscore._monitor_request alter column actor set default current_user;

create or replace function pgscore_data._change_monitor(this_model int, base text, settings jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  m pgscore_data.monitor;
  zone text := settings ->> 'time_zone';
  split_by text[] := pgscore_data._checked_segments(base, settings -> 'segments');
begin
  select * into m from pgscore_data.monitor x where x.model_id = this_model for update;
  if zone <> m.time_zone and exists (select from pgscore_data.cell_volume c join pgscore_data.version v using (version_id) where v.model_id = this_model) then
    raise exception 'the days of model "%" are those of % already', base, m.time_zone using
      errcode = 'object_not_in_prerequisite_state', hint = 'Set the time zone before the first prediction; a model that is deployed under another name can have another one.';
  end if;
  if not exists (select from pg_timezone_names z where z.name = coalesce(zone, m.time_zone)) then
    raise exception 'time zone "%" is not known', zone using errcode = 'invalid_parameter_value', hint = 'Use a name such as Europe/Berlin: select name from pg_timezone_names;';
  end if;
  if (settings ->> 'pairing') not in ('latest_before_label', 'latest', 'first', 'all') then
    raise exception 'pairing => % is not known', quote_literal(settings ->> 'pairing') using errcode = 'invalid_parameter_value', hint = 'latest_before_label, latest, first or all.';
  end if;
  if (settings ->> 'min_label_coverage')::float8 not between 0 and 1 or (settings ->> 'label_maturity')::interval < interval '0' then
    raise exception 'min_label_coverage is a share of 0 to 1, and label_maturity not negative' using errcode = 'invalid_parameter_value', hint = 'Leave out what is to stay as it is.';
  end if;
  perform pgscore_data._check_quantile(this_model, base, (settings ->> 'quantile')::float8);
  update pgscore_data.monitor x set
    time_zone = coalesce(zone, m.time_zone), pairing = coalesce(settings ->> 'pairing', m.pairing), label_maturity = coalesce((settings ->> 'label_maturity')::interval, m.label_maturity),
    min_label_coverage = coalesce((settings ->> 'min_label_coverage')::float8, m.min_label_coverage),
    quantile = case when settings ->> 'quantile' is null then m.quantile else nullif((settings ->> 'quantile')::float8, 0) end, segments = coalesce(split_by, m.segments)
   where x.model_id = this_model;
  if (settings ->> 'pairing') <> m.pairing then
    perform pgscore_data._rebuild(this_model, '-infinity', 'infinity');
  end if;
end
$$;
comment on function pgscore_data._change_monitor(int, text, jsonb) is 'Changes how a model is watched; what is not given stays. Another pairing rule counts everything again.';

create or replace function pgscore_data._accept_monitor() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  this_model int := (select m.model_id from pgscore_data.model m where m.name = new.model);
begin
  if new.action = 'refresh' then
    perform pgscore_data._await_turn('cells');
    while pgscore_data._refresh() loop
    end loop;
    while pgscore_data._compute_metrics() loop
    end loop;
    while pgscore_data._compute_drift() loop
    end loop;
    while pgscore_data._estimate() loop
    end loop;
    while pgscore_data._compare_versions(patient => false) loop
    end loop;
    perform pgscore_data._evaluate_alerts(at_once => true);
    return new;
  end if;
  if this_model is null then
    raise exception 'model "%" does not exist', new.model using errcode = 'undefined_object', hint = 'select distinct model from pgscore.models; lists the models. A monitor belongs to a model, not to one version of it.';
  end if;
  if new.action = 'rebuild' then
    new.outcome := pgscore_data._rebuild(this_model, coalesce((new.settings ->> 'from_time')::timestamptz, '-infinity'), coalesce((new.settings ->> 'to_time')::timestamptz, 'infinity'));
  elsif new.action = 'monitor_features' then
    perform pgscore_data._monitor_features(this_model, new.settings);
  else
    perform pgscore_data._change_monitor(this_model, new.model, new.settings);
  end if;
  insert into pgscore_data.audit (actor, action, model, detail) values (new.actor, new.action, new.model, jsonb_strip_nulls(new.settings));
  return new;
end
$$;
comment on function pgscore_data._accept_monitor() is 'Does what refresh(), monitor(), monitor_features() and rebuild() ask for, and writes all but the first to the audit.';

create or replace trigger accept instead of insert on pgscore._monitor_request
for each row execute function pgscore_data._accept_monitor();

drop function if exists pgscore.monitor(text, text, text, interval, double precision);
create or replace function pgscore.monitor(
  model text, time_zone text default null, pairing text default null, label_maturity interval default null, min_label_coverage double precision default null,
  quantile double precision default null, segments text[] default null
) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  insert into pgscore._monitor_request (model, action, settings)
  values ($1, 'monitor', jsonb_build_object('time_zone', $2, 'pairing', $3, 'label_maturity', $4, 'min_label_coverage', $5, 'quantile', $6::text, 'segments', $7))
$$;
comment on function pgscore.monitor(text, text, text, interval, double precision, double precision, text[]) is
'Changes how a model is watched; every model is, with defaults, without being asked for. What is left out stays as it is.
time_zone: where a day begins (default UTC); to be set before the first prediction.  pairing: which prediction of an entity a label judges: latest_before_label (the last one for a time before the truth was known), latest, first or all.
label_maturity: how long labels take (default 30 days).  min_label_coverage: share of labels from which a window counts as mature (default 0.95).
quantile: which quantile a regression was trained to predict, such as 0.9, for its pinball loss; 0: none.
segments: columns of what is scored, eight at most, whose values split the performance views, beside the rows of all predictions: array[''carrier'', ''origin'']. Each run from now on keeps their values as they are then; ''{}'' ends it.';

create or replace function pgscore.refresh() returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._monitor_request (action) values ('refresh') $$;
comment on function pgscore.refresh() is 'Brings accuracy views up to the labels and predictions that are committed now. The service does so every two seconds; call it to see the effect of a label at once.';

create or replace function pgscore.rebuild(model text, from_time timestamptz default null, to_time timestamptz default null) returns bigint
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  insert into pgscore._monitor_request (model, action, settings) values ($1, 'rebuild', jsonb_build_object('from_time', $2, 'to_time', $3)) returning outcome
$$;
comment on function pgscore.rebuild(text, timestamptz, timestamptz) is
'Pairs the predictions for a time (default: all) with their labels anew and counts again. Refreshes keep accuracy right without it; it repairs what the nightly audit (pgscore_bi.rollup_audit) finds. Returns how many entities were paired.';

create or replace function pgscore_data._audit(buckets int default 20) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  wrong bigint;
begin
  if exists (select from pgscore_data.rollup_audit a where a.checked_at > clock_timestamp() - interval '20 hours') or not pgscore_data._take_turn('cells') then
    return null;
  end if;
  with picked as materialized (
    select c.version_id, c.day, (date_trunc('day', c.day at time zone m.time_zone) + interval '1 day') at time zone m.time_zone as next_day
      from (select distinct o.version_id, o.day from pgscore_data.cell_outcome o union select r.version_id, r.day from pgscore_data.cell_regression r) c
      join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id)
     order by random() limit buckets
  ), pairs as not materialized (
    select e.* from picked p join pgscore_data.evaluation e on e.version_id = p.version_id and e.day = p.day and e.event_time >= p.day and e.event_time < p.next_day
  ), again as (
    select e.version_id, e.day, 'outcome' as kind, array[s.id, e.age_band, coalesce(e.actual_class, -1), coalesce(e.predicted_class, -1)]::int[] as cell, count(*) as n
      from pairs e cross join lateral unnest(0 || e.segments) s (id) group by 1, 2, 3, 4
    union all
    select e.version_id, e.day, 'score', array[(e.actual_class + 1 = x.positive_class)::int, e.bin], count(*)
      from pairs e join pgscore_data.execution x on x.version_id = e.version_id where e.bin is not null group by 1, 2, 3, 4
    union all
    select e.version_id, e.day, 'rank', array[s.id, e.rank]::int[], count(*) from pairs e cross join lateral unnest(0 || e.segments) s (id) where e.rank is not null group by 1, 2, 3, 4
    union all
    select e.version_id, e.day, 'class score', array[b.place - 1, (b.place - 1 = e.actual_class)::int, b.bin]::int[], count(*)
      from pairs e cross join lateral unnest(e.class_bins) with ordinality as b (bin, place) group by 1, 2, 3, 4
  ), held as (
    select o.version_id, o.day, 'outcome' as kind, array[o.segment_id, o.age_band, o.actual_class, o.predicted_class]::int[] as cell, o.n from pgscore_data.cell_outcome o join picked using (version_id, day) where o.n <> 0
    union all
    select r.version_id, r.day, 'outcome', array[r.segment_id, r.age_band, -1, -1], r.n from pgscore_data.cell_regression r join picked using (version_id, day) where r.n <> 0
    union all
    select s.version_id, s.day, 'score', array[s.positive::int, s.bin], sum(s.n)::bigint from pgscore_data.cell_outcome_score s join picked using (version_id, day) group by 1, 2, 4 having sum(s.n) <> 0
    union all
    select k.version_id, k.day, 'rank', array[k.segment_id, k.rank], k.n from pgscore_data.cell_rank k join picked using (version_id, day) where k.n <> 0
    union all
    select s.version_id, s.day, 'class score', array[s.class, s.positive::int, s.bin], s.n from pgscore_data.cell_class_score s join picked using (version_id, day) where s.n <> 0
  ), compared as (
    select version_id, day, count(*) as cells, count(*) filter (where a.n is distinct from h.n) as wrong
      from again a full join held h using (version_id, day, kind, cell) group by version_id, day
  ), noted as (
    insert into pgscore_data.rollup_audit (version_id, day, cells_checked, cells_different) select c.version_id, c.day, c.cells, c.wrong from compared c returning cells_different
  )
  select coalesce(sum(n.cells_different), 0) into wrong from noted n;
  return wrong;
end
$$;
comment on function pgscore_data._audit(int) is 'Counts some random days again and notes how many cells differ; once a night. NULL where it was not its time.';

create or replace function pgscore_data._forget_monitoring() returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select pgscore_data._forget_keys();
  -- Calls of a version are kept up to a moment after it was dropped.
  delete from pgscore_data.feature_sample s using pgscore_data.version v where v.version_id = s.version_id and v.state = 'dropped';
  delete from pgscore_data.online_batch b
   where b.counted and b.kept_at < clock_timestamp() - interval '1 day'
     and not exists (select from pgscore_data.feature_sample s where s.run_id = b.batch_id and s.version_id = b.version_id)
     and not exists (select from pgscore_data.class_tally t where t.run_id = b.batch_id);
  delete from pgscore_data.day_tally t using pgscore_data.run r where r.run_id = t.run_id and (r.state in ('failed', 'cancelled') or r.state = 'done' and r.attempt <> t.attempt);
  delete from pgscore_data.feature_tally t using pgscore_data.run r where r.run_id = t.run_id and (r.state in ('failed', 'cancelled') or r.state = 'done' and r.attempt <> t.attempt);
  delete from pgscore_data.segment_tally t using pgscore_data.run r where r.run_id = t.run_id and (r.state in ('failed', 'cancelled') or r.state = 'done' and r.attempt <> t.attempt);
  delete from pgscore_data.feature_sample s using pgscore_data.run r where r.run_id = s.run_id and (r.state in ('failed', 'cancelled') or r.state = 'done' and r.attempt <> s.attempt);
  delete from pgscore_data.refresh_log l where l.started_at < clock_timestamp() - interval '90 days';
  delete from pgscore_data.rollup_audit a where a.checked_at < clock_timestamp() - interval '400 days';
  delete from pgscore_data.alert_event e where e.at < clock_timestamp() - interval '400 days';
end;
comment on function pgscore_data._forget_monitoring() is 'Lets go of what nobody asks for any more: counts of runs and attempts that came to nothing, features of versions that are gone, keys of calls that are, and old lines of the logs.';
