-- The settings by which a model is watched, and the refreshes and recounts that users ask for.
-- in: monitor(), monitor_features(), refresh(), rebuild() and forget(), as rows of one view of requests. out: monitor, audit, and the work.

create or replace view pgscore._monitor_request as
select null::text as model, null::text as action, null::jsonb as settings, null::bigint as outcome, null::name as requested_by where false;
comment on view pgscore._monitor_request is
  'Takes the requests of refresh(), monitor(), monitor_features(), rebuild() and forget(). requested_by is the caller, and nobody can '
  'write it.';
alter view pgscore._monitor_request alter column requested_by set default current_user;

create or replace function pgscore_data._check_pairing(settings jsonb, m pgscore_data.monitor) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  pairing constant text := coalesce(settings ->> 'pairing', m.pairing);
  wrong text;
begin
  if pairing not in ('latest_before_label', 'within', 'first', 'latest', 'all') then
    raise exception 'pairing => % is not known', quote_literal(pairing) using
      errcode = 'invalid_parameter_value', hint = 'latest_before_label, within, first, latest or all.';
  end if;
  if pairing = 'within' and coalesce(settings ->> 'horizon', m.horizon::text) is null then
    raise exception 'pairing => ''within'' needs a horizon' using
      errcode = 'invalid_parameter_value', hint = 'For how long after its time a prediction is judged: horizon => ''30 days''.';
  end if;
  wrong := case
    when (settings ->> 'label_delay')::interval < interval '0' then 'label_delay is negative'
    when (settings ->> 'late')::interval < interval '0' then 'late is negative'
    when (settings ->> 'horizon')::interval <= interval '0' then 'horizon is not positive'
    when (settings ->> 'keep')::interval < interval '1 day' then 'keep is less than a day'
    when greatest((settings ->> 'keep')::interval, (settings ->> 'late')::interval, (settings ->> 'label_delay')::interval,
      (settings ->> 'horizon')::interval) > interval '1000 years' then 'an interval is longer than 1000 years'
  end;
  if wrong is not null then
    raise exception '%', wrong using
      errcode = 'invalid_parameter_value',
      hint = 'Give an interval such as ''30 days''; leave out what is to stay.';
  end if;
  if m.superseded_before > '-infinity'
    and (pairing, coalesce((settings ->> 'horizon')::interval, m.horizon)) is distinct from (m.pairing, m.horizon)
  then
    raise exception 'another rule would count predictions that are not kept any more: those superseded before %', m.superseded_before using
      errcode = 'object_not_in_prerequisite_state',
      hint = 'Choose the pairing of a model before its first nights, or set late to a long time from the beginning.';
  end if;
end
$$;
comment on function pgscore_data._check_pairing(jsonb, pgscore_data.monitor) is
  'Raises an error if a pairing rule is unknown, or if an interval that goes with it is impossible.';

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
  if zone <> m.time_zone and exists (
    select from pgscore_data.cell_volume c join pgscore_data.version v using (version_id) where v.model_id = this_model)
  then
    raise exception 'the days of model "%" are those of % already', base, m.time_zone using
      errcode = 'object_not_in_prerequisite_state',
      hint = 'Set the time zone before the first prediction; a model that is deployed under another name can have another one.';
  end if;
  if not exists (select from pg_timezone_names z where z.name = coalesce(zone, m.time_zone)) then
    raise exception 'time zone "%" is not known', zone using
      errcode = 'invalid_parameter_value',
      hint = 'Use a name such as Europe/Berlin: select name from pg_timezone_names;';
  end if;
  perform pgscore_data._check_pairing(settings, m);
  if (settings ->> 'min_label_coverage')::float8 not between 0 and 1 or (settings ->> 'label_maturity')::interval < interval '0' then
    raise exception 'min_label_coverage is a share of 0 to 1, and label_maturity not negative' using
      errcode = 'invalid_parameter_value',
      hint = 'Leave out what is to stay as it is.';
  end if;
  perform pgscore_data._check_quantile(this_model, base, (settings ->> 'quantile')::float8);
  update pgscore_data.monitor x set
    time_zone = coalesce(zone, m.time_zone), pairing = coalesce(settings ->> 'pairing', m.pairing),
    label_maturity = coalesce((settings ->> 'label_maturity')::interval, m.label_maturity),
    min_label_coverage = coalesce((settings ->> 'min_label_coverage')::float8, m.min_label_coverage),
    label_delay = coalesce((settings ->> 'label_delay')::interval, m.label_delay),
    horizon = coalesce((settings ->> 'horizon')::interval, m.horizon), keep = coalesce((settings ->> 'keep')::interval, m.keep),
    late = case when (settings ->> 'late')::interval = interval '0' then null else coalesce((settings ->> 'late')::interval, m.late) end,
    quantile = case when settings ->> 'quantile' is null then m.quantile else nullif((settings ->> 'quantile')::float8, 0) end,
    segments = coalesce(split_by, m.segments)
   where x.model_id = this_model;
  if (select (x.pairing, x.label_delay, x.horizon) is distinct from (m.pairing, m.label_delay, m.horizon)
        from pgscore_data.monitor x where x.model_id = this_model) then
    perform pgscore_data._rebuild(this_model, '-infinity', 'infinity');
  end if;
  -- Has experiments and calibrations judged anew: which days are mature depends on it.
  update pgscore_data.calibration_check c set changed_at = clock_timestamp()
    from pgscore_data.monitor x join pgscore_data.version v using (model_id)
   where x.model_id = this_model and x.min_label_coverage <> m.min_label_coverage and c.version_id = v.version_id;
end
$$;
comment on function pgscore_data._change_monitor(int, text, jsonb) is
  'Changes how a model is watched. A setting that is not given stays. A new pairing rule counts everything again.';

create or replace function pgscore_data._accept_monitor() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
  this_model int := (select m.model_id from pgscore_data.model m where m.name = new.model);
begin
  -- A refresh has its turn before it locks the settings of a model.
  perform pgscore_data._await_turn('cells');
  if new.action = 'refresh' then
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
    perform pgscore_data._count_labels(s.source_id) from pgscore_data.label_source s where s.compared_at is not null;
    perform pgscore_data._evaluate_alerts(at_once => true);
    return new;
  end if;
  if this_model is null then
    raise exception 'model "%" does not exist', new.model using
      errcode = 'undefined_object',
      hint = 'select distinct model from pgscore.models; lists the models. A monitor belongs to a model, not to one version of it.';
  end if;
  if new.action = 'rebuild' then
    new.outcome := pgscore_data._rebuild(this_model,
      coalesce((new.settings ->> 'from_time')::timestamptz, '-infinity'),
      coalesce((new.settings ->> 'to_time')::timestamptz, 'infinity'));
  elsif new.action = 'forget' then
    new.outcome := pgscore_data._forget(this_model, new.model,
      case when jsonb_typeof(new.settings -> 'key') = 'array'
        then array(select k from jsonb_array_elements_text(new.settings -> 'key') with ordinality x (k, n) order by n) end,
      (new.settings ->> 'run')::bigint);
    -- The audit says that somebody was forgotten, and not who.
    new.settings := case when new.settings ->> 'run' is null then jsonb_build_object('predictions', new.outcome) else new.settings end;
  elsif new.action = 'monitor_features' then
    perform pgscore_data._monitor_features(this_model, new.settings);
  else
    perform pgscore_data._change_monitor(this_model, new.model, new.settings);
  end if;
  insert into pgscore_data.audit (actor, action, model, detail)
  values (new.requested_by, new.action, new.model, jsonb_strip_nulls(new.settings));
  return new;
end
$$;
comment on function pgscore_data._accept_monitor() is
  'Does what refresh(), monitor(), monitor_features(), rebuild() and forget() ask for. The audit lists all but refresh().';

create or replace trigger accept instead of insert on pgscore._monitor_request
for each row execute function pgscore_data._accept_monitor();

create or replace function pgscore.monitor(
  model text, time_zone text default null, pairing text default null, label_maturity interval default null,
  min_label_coverage double precision default null, quantile double precision default null, segments text[] default null,
  label_delay interval default null, horizon interval default null, keep interval default null, late interval default null
) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  insert into pgscore._monitor_request (model, action, settings)
  values ($1, 'monitor', jsonb_build_object('time_zone', $2, 'pairing', $3, 'label_maturity', $4, 'min_label_coverage', $5,
    'quantile', $6::text, 'segments', $7, 'label_delay', $8, 'horizon', $9, 'keep', $10, 'late', $11))
$$;
comment on function
  pgscore.monitor(text, text, text, interval, double precision, double precision, text[], interval, interval, interval, interval) is
'Changes how a model is watched. Every model is watched with defaults. What is left out stays as it is. A pgscore_deployer may call it.
time_zone: where a day begins (default UTC). Set it before the first prediction.
pairing: which prediction of an entity a label judges.
  latest_before_label (default): the last one for a time not after known_at.
  within: each one for a time not after known_at and less than horizon before it.
  first, latest: the first or the last one there is.  all: each one, also those made when the truth was known.
label_maturity: when the truth is due, from the time of a prediction (default 30 days).
label_delay: how long after known_at a label may take to reach pgscore (default 1 day).
min_label_coverage: share of labels from which a window is mature (default 0.95).
keep: how long predictions are kept for labels (default 400 days). Older days are sealed: nothing changes them any more.
late: how long predictions are kept that another has superseded (default: as keep); ''0'' goes back to the default.
quantile: which quantile a regression predicts, such as 0.9, for its pinball loss; 0: none.
segments: columns of what is scored, eight at most, whose values split the performance views: array[''carrier'', ''origin'']; ''{}'': none.
  Each run from now on keeps their values as they are then.';

create or replace function pgscore.refresh() returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._monitor_request (action) values ('refresh') $$;
comment on function pgscore.refresh() is
'Brings the accuracy views up to date with all committed labels and predictions.
The service does so every five seconds. Call it to see the effect of a label at once.';

create or replace function pgscore.rebuild(model text, from_time timestamptz default null, to_time timestamptz default null) returns bigint
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  insert into pgscore._monitor_request (model, action, settings) values ($1, 'rebuild', jsonb_build_object('from_time', $2, 'to_time', $3))
  returning outcome
$$;
comment on function pgscore.rebuild(text, timestamptz, timestamptz) is
'Pairs the predictions of a period (default: all) with their labels anew, and counts again.
Refreshes keep accuracy right without it. It repairs what the nightly audit (pgscore_bi.rollup_audit) finds.
Sealed days stay as they are, and a notice says so.
Returns how many entities were paired.';

create or replace function pgscore.forget(model text, key text[] default null, run bigint default null) returns bigint
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  insert into pgscore._monitor_request (model, action, settings) values ($1, 'forget', jsonb_build_object('key', $2, 'run', $3))
  returning outcome
$$;
comment on function pgscore.forget(text, text[], bigint) is
  'Forgets an entity whose key has several columns, key => array[''a'', ''b''], or a run that was made in error, run => 7.';

create or replace function pgscore.forget(model text, key text) returns bigint
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore.forget($1, array[$2]) $$;
comment on function pgscore.forget(text, text) is
'Deletes the predictions about an entity: those kept for labels, those in targets, and those in the log of calls.
A block of calls that holds one of them is deleted whole.
forget(''churn'', run => 7) does so for a run that was made in error. A pgscore_deployer may call it.
Accuracy is counted again where days are not sealed, and rows that failed count no more. Distributions of scores and features stay as they '
'were counted.
Labels stay: they belong to their source. Returns how many predictions were kept.';

-- Regressions that predict a quantile: which one is not in the model, so somebody has to say.

create or replace function pgscore_data._check_quantile(this_model int, base text, this_quantile double precision) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if this_quantile is null then
    return;
  end if;
  if not (this_quantile >= 0 and this_quantile < 1) then
    raise exception 'quantile => % is not between 0 and 1', this_quantile using
      errcode = 'invalid_parameter_value', hint = 'Give the share of actual values that the model was trained to stay above, such as 0.9; '
                                                  '0 takes it back.';
  end if;
  if this_quantile > 0 and (
      select not bool_or(e.task = 'regression' and not exists (select from pgscore_data.version_value n where n.version_id = e.version_id))
        from pgscore_data.execution e join pgscore_data.version v using (version_id) where v.model_id = this_model) then
    raise exception 'model "%" is no regression of one value, so its quantile cannot be set', base using
      errcode = 'invalid_parameter_value', hint = 'Leave quantile out.';
  end if;
end
$$;
comment on function pgscore_data._check_quantile(int, text, double precision) is
  'Refuses a quantile that is none, or that no version of the model could predict.';

create or replace function pgscore_data._monitor_features(this_model int, settings jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  update pgscore_data.monitor m set
    baseline_rows = coalesce((settings ->> 'baseline_rows')::int, m.baseline_rows),
    psi_floor = coalesce((settings ->> 'psi_floor')::float8, m.psi_floor),
    psi_warning = coalesce((settings ->> 'psi_warning')::float8, m.psi_warning),
    psi_alert = coalesce((settings ->> 'psi_alert')::float8, m.psi_alert),
    features_watched = coalesce((settings ->> 'watched')::boolean, m.features_watched)
   where m.model_id = this_model;
  perform pgscore_data._touch_set(s.set_id) from pgscore_data.feature_set s join pgscore_data.version v using (version_id)
    where v.model_id = this_model;
exception
  when check_violation or numeric_value_out_of_range then
    raise exception 'these settings are out of bounds' using
      errcode = 'invalid_parameter_value', detail = sqlerrm,
      hint = 'baseline_rows: 100 to 1,000,000; psi_floor: above 0, up to 0.01; psi_warning above 0, and psi_alert not below it. Leave out '
             'what is to stay as it is.';
end
$$;
comment on function pgscore_data._monitor_features(int, jsonb) is
  'Changes how the features of a model are watched; what is not given stays.';

create or replace function pgscore.monitor_features(model text, baseline_rows int default null, psi_floor double precision default null,
                                                    psi_warning double precision default null, psi_alert double precision default null,
                                                    watched boolean default null) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  insert into pgscore._monitor_request (model, action, settings)
  values ($1, 'monitor_features', jsonb_build_object('baseline_rows', $2, 'psi_floor', $3, 'psi_warning', $4, 'psi_alert', $5, 'watched',
                                                     $6))
$$;
comment on function pgscore.monitor_features(text, int, double precision, double precision, double precision, boolean) is
'Changes how the features of a model are watched, all its versions; what is left out stays as it is.
baseline_rows: the first runs of a version that have so many rows together are its baseline (default 1000).  psi_floor: what a share of '
'nothing counts as in the population stability index (default 0.0001).  psi_warning, psi_alert: the index from which a feature has '
'drifted (defaults 0.1 and 0.25), if it is beyond the noise of windows of their size.  watched: false for runs that do not count their '
'features, which saves them some of their time (docs/benchmarks.md says how much) and leaves these days without drift (default true).';
