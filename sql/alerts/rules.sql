-- Which rules a model has: those that every model has from the start, and those that somebody set.
-- in: set_alert(), drop_alert(). out: effective_alert, the rules that hold now.

create or replace view pgscore_data.default_alert as
select * from (values
  ('accuracy_drop', '{binary,multiclass}'::text[], 'accuracy', null::float8, 'below', 'warning', 1, 1, 30::bigint, 'auto'),
  ('auc_drop', '{binary}', 'roc_auc', null, 'below', 'warning', 1, 1, 30, 'auto'),
  ('error_rise', '{regression}', 'mae', null, 'above', 'warning', 1, 1, 30, 'auto'),
  ('failed_rows', null, 'failed_share', 0.05, 'above', 'critical', 1, 1, 30, 'day'),
  ('missing_scores', '{binary}', 'null_score_share', 0.5, 'above', 'critical', 1, 1, 30, 'day'),
  ('volume', null, 'n_predictions', null, 'outside', 'warning', 1, 1, 0, 'day'),
  ('scoring_stopped', null, 'hours_since_scoring', null, 'above', 'critical', 1, 1, 0, 'day'),
  ('labels_stopped', null, 'hours_since_labels', null, 'above', 'warning', 1, 1, 0, 'day'),
  ('watch_delay', null, 'minutes_behind', 15, 'above', 'critical', 1, 1, 0, 'day'),
  ('feature_drift', null, 'psi', 0.2, 'above', 'info', 2, 3, 240, 'auto'),
  ('missing_values', null, 'missing_rate_delta', 0.05, 'above', 'info', 2, 3, 240, 'auto'),
  ('dataset_drift', null, 'drift_share', 0.5, 'above', 'info', 2, 3, 200, 'auto')
) x (name, tasks, metric, threshold, direction, severity, for_windows, of_windows, min_samples, grain);
comment on view pgscore_data.default_alert is
  'The rules that every model has without being asked for; no tasks: of any task. No threshold: from the mean and spread of earlier '
  'windows.';

create or replace view pgscore_data.watched_version as
select distinct on (v.model_id) v.model_id, v.version_id, v.number, e.task
  from pgscore_data.version v
  join pgscore_data.execution e using (version_id)
  left join pgscore_data.alias a on a.version_id = v.version_id and a.alias = 'champion'
 where v.state = 'ready'
 order by v.model_id, a.alias is null, v.number desc;
comment on view pgscore_data.watched_version is
  'The version that the rules of a model are about: its champion, or the newest where it has none.';

create or replace view pgscore_data.effective_alert as
select w.model_id, case when k.kind in ('feed', 'watch') then 0 else w.version_id end as version_id, r.name, k.kind, r.metric, r.grain,
       r.column_name, r.threshold, r.clear_at, r.direction, r.severity,
       r.for_windows, r.of_windows, r.min_samples, r.keep_firing_for, r.is_default, r.set_by, r.set_at, k.better, k.least, k.most
  from pgscore_data.watched_version w
  join lateral (
    select o.name, o.metric, o.grain, o.column_name, o.threshold, o.clear_at, o.direction, o.severity, o.for_windows, o.of_windows,
           o.min_samples, o.keep_firing_for, false as is_default, o.set_by, o.set_at
      from pgscore_data.alert_rule o where o.model_id = w.model_id and o.enabled
    union all
    select d.name, d.metric, d.grain, null, d.threshold, null, d.direction, d.severity, d.for_windows, d.of_windows, d.min_samples,
           interval '0', true, null, '-infinity'
      from pgscore_data.default_alert d
     where coalesce(pgscore_data._judged_as(w.task) && d.tasks, true)
       and not exists (select from pgscore_data.alert_rule o where o.model_id = w.model_id and o.name = d.name)) r on true
  join pgscore_data.metric_kind k using (metric);
comment on view pgscore_data.effective_alert is
  'The rules that hold for each model now. Those about feeds and watches are about the model (version_id 0), the others about the version '
  'that is watched.';

create or replace view pgscore._alert_request as
select null::text as model, null::text as action, null::text as name, null::jsonb as settings, null::jsonb as outcome,
       null::name as requested_by
 where false;
comment on view pgscore._alert_request is
  'Where set_alert(), drop_alert() and preview_monitor() hand their request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._alert_request alter column requested_by set default current_user;

create or replace function pgscore_data._check_alert(base text, this_task text, r pgscore_data.alert_rule) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  k record;
  wrong text;
  value_names constant text := (
    select string_agg(distinct n.name, ', ') from pgscore_data.version_value n join pgscore_data.version v using (version_id)
     where v.model_id = r.model_id);
  features constant text[] := array(
    select distinct w.name from pgscore_data.version v cross join lateral pgscore_data._watched(v.version_id) w
     where v.model_id = r.model_id order by 1);
  remedy text := 'Leave out what is to have its default.';
begin
  select * into k from pgscore_data.metric_kind x
   where x.metric = r.metric and coalesce(pgscore_data._judged_as(this_task) && x.tasks, true);
  if not found then
    raise exception 'metric % is none of model "%"', coalesce(quote_literal(r.metric), 'NULL'), base
      using errcode = 'invalid_parameter_value',
      hint = format('Use one of %s.', (select string_agg(x.metric, ', ' order by x.metric) from pgscore_data.metric_kind x
                                        where coalesce(pgscore_data._judged_as(this_task) && x.tasks, true)));
  end if;
  wrong := case
    when r.name is null or r.name = '' or octet_length(r.name) > 200 then 'a name has 1 to 200 bytes'
    when coalesce(r.direction, '') not in ('below', 'above', 'outside') then 'direction is below, above or outside'
    when coalesce(r.severity, '') not in ('info', 'warning', 'critical') then 'severity is info, warning or critical'
    when r.grain = 'auto' and k.kind not in ('performance', 'drift') then 'grain => auto is for performance and drift'
    when r.grain not in ('auto', 'day', 'week', 'month') then 'grain is day, week or month, or of performance and drift auto'
    when r.grain <> 'day' and r.metric not in ('n_predictions', 'label_coverage')
      and k.kind not in ('performance', 'drift') then format('%s is counted by the day', r.metric)
    when r.column_name is not null and k.kind not in ('drift', 'watch')
      and not (k.kind = 'performance' and exists (
        select from pgscore_data.version_value n join pgscore_data.version v using (version_id)
         where v.model_id = r.model_id and n.name = r.column_name))
      then format('%s is not about ', r.metric)
        || coalesce(r.column_name || ', but one of ' || case k.kind when 'performance' then value_names end, 'a column')
    when r.metric = 'drift_share' and r.column_name is not null then 'drift_share is about all features'
    when k.kind = 'drift' and r.column_name is not null and r.column_name <> all (features)
      then format('%s is not about %s, but one of %s', r.metric, r.column_name, coalesce(nullif(array_to_string(features[:20], ', '), ''),
             'those that the model has: of arrays none is watched') || case when cardinality(features) > 20 then ', …' else '' end)
    when not abs(r.threshold) < 1e300 or not abs(r.clear_at) < 1e300 then 'a threshold is a number of less than 1e300'
    when k.least = 0 and k.most = 1 and (r.threshold not between 0 and 1 or r.clear_at not between 0 and 1)
      then format('%s lies between 0 and 1, not at %s', r.metric,
                  case when r.threshold not between 0 and 1 then r.threshold else r.clear_at end)
    when k.kind in ('drift', 'feed', 'watch') and r.direction <> 'above'
      then format('%s is bad when it is high: direction is above', r.metric)
    when k.kind = 'watch' and (r.for_windows > 1 or r.keep_firing_for > interval '0')
      then format('%s is looked at every minute: it has no for_windows and no keep_firing_for', r.metric)
    when k.kind in ('drift', 'watch') and r.threshold is null then format('%s needs a threshold', r.metric)
    when r.direction = 'outside'
      and (r.threshold is not null or r.clear_at is not null)
        then 'outside is about the usual range, which has no threshold'
    when k.kind = 'feed' and r.clear_at is not null then format('%s clears when the feed comes again: it has no clear_at', r.metric)
    when r.clear_at is not null and r.threshold is null then 'clear_at goes with a threshold'
    when r.direction = 'below' and r.clear_at < r.threshold or r.direction = 'above'
      and r.clear_at > r.threshold then 'clear_at lies on the good side of the threshold'
    when coalesce(r.for_windows not between 1 and r.of_windows or r.of_windows > 100, true)
      then 'for_windows is 1 to of_windows, and that 100 at most'
    when coalesce(r.min_samples < 0 or r.keep_firing_for < interval '0', true) then 'min_samples and keep_firing_for are not negative'
  end;
  if wrong like '% is not about %' or wrong like '% is about all features' then
    remedy := 'Leave out column_name' || case when wrong like '% but one of %' then ', or name one of these' else '' end || '.';
  elsif wrong like '% lies between 0 and 1, %' then
    remedy := 'Write a percentage as a share: 80 % is 0.8.';
  elsif wrong like 'outside is %' then
    remedy := 'Say direction => ''below'' or direction => ''above'', in an alert of its own for each.';
  end if;
  if wrong is not null then
    raise exception 'alert % of model "%" cannot be set: %', coalesce(quote_literal(r.name), 'NULL'), base, wrong using
      errcode = 'invalid_parameter_value', hint = remedy;
  end if;
end
$$;
comment on function pgscore_data._check_alert(text, text, pgscore_data.alert_rule) is 'Refuses a rule that makes no sense, and says why.';

create or replace function pgscore_data._set_alert(this_model int, base text, this_task text, this_name text, settings jsonb,
                                                   this_owner name) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  k pgscore_data.metric_kind;
  r pgscore_data.alert_rule;
begin
  select * into k from pgscore_data.metric_kind x where x.metric = settings ->> 'metric';
  r.model_id := this_model;
  r.name := this_name;
  r.metric := settings ->> 'metric';
  r.grain := coalesce(settings ->> 'grain', case when k.kind in ('performance', 'drift') then 'auto' else 'day' end);
  r.column_name := settings ->> 'column_name';
  r.threshold := (settings ->> 'threshold')::float8;
  r.clear_at := (settings ->> 'clear_at')::float8;
  r.direction := coalesce(settings ->> 'direction',
                          case k.better when 'high' then 'below' when 'low' then 'above' when 'neither' then 'outside' end);
  r.severity := settings ->> 'severity';
  r.for_windows := (settings ->> 'for_windows')::int;
  r.of_windows := coalesce((settings ->> 'of_windows')::int, r.for_windows);
  r.min_samples := coalesce((settings ->> 'min_samples')::bigint,
                            case when k.kind = 'drift' then 240
                              when k.kind in ('feed', 'watch') or k.metric = 'n_predictions' then 0 else 30 end);
  r.keep_firing_for := (settings ->> 'keep_firing_for')::interval;
  r.enabled := true;
  r.set_by := this_owner;
  r.set_at := clock_timestamp();
  perform pgscore_data._check_alert(base, this_task, r);
  delete from pgscore_data.alert_rule x where x.model_id = this_model and x.name = this_name;
  insert into pgscore_data.alert_rule select r.*;
  if (select count(*) from pgscore_data.alert_rule x where x.model_id = this_model) > 100 then
    raise exception 'model "%" has a hundred alerts already', base
      using errcode = 'program_limit_exceeded', hint = format('Drop one first: select pgscore.drop_alert(%L, …);', base);
  end if;
end
$$;
comment on function pgscore_data._set_alert(int, text, text, text, jsonb, name) is 'Stores a rule in place of the one of its name.';

create or replace function pgscore_data._require_alert(this_model int, base text, this_name text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from pgscore_data.effective_alert e where e.model_id = this_model and e.name = this_name) then
    raise exception 'model "%" has no alert %', base, coalesce(quote_literal(this_name), 'NULL') using errcode = 'undefined_object',
      hint = format('It has %s.', coalesce((select string_agg(quote_literal(e.name), ', ' order by e.name)
                                              from pgscore_data.effective_alert e where e.model_id = this_model), 'none'));
  end if;
end
$$;
comment on function pgscore_data._require_alert(int, text, text) is 'Raises an error where a model has no such rule.';

create or replace function pgscore_data._drop_alert(this_model int, base text, this_name text, this_owner name) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgscore_data._require_alert(this_model, base, this_name);
  delete from pgscore_data.alert_rule x where x.model_id = this_model and x.name = this_name;
  -- One that every model has is switched off, rather than to come back.
  insert into pgscore_data.alert_rule (model_id, name, metric, grain, direction, severity, for_windows, of_windows, min_samples,
                                       keep_firing_for, enabled, set_by)
  select this_model, d.name, d.metric, d.grain, d.direction, d.severity, d.for_windows, d.of_windows, d.min_samples, interval '0', false,
         this_owner
    from pgscore_data.default_alert d where d.name = this_name;
end
$$;
comment on function pgscore_data._drop_alert(int, text, text, name) is 'Forgets a rule, or switches off one that every model has.';

create or replace function pgscore_data._accept_alert() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  family record := pgscore_data._model_family(new.model);
  earlier pgscore_data.alert_rule;
begin
  perform pgscore_data._require_grant(new.requested_by, family.model_id, new.model);
  if new.action = 'preview' then
    if new.name is not null then
      perform pgscore_data._require_alert(family.model_id, new.model, new.name);
    end if;
    new.outcome := pgscore_data._preview(family.model_id, new.name, (new.settings ->> 'from_time')::timestamptz,
                                         (new.settings ->> 'to_time')::timestamptz);
    return new;
  end if;
  perform from pgscore_data.monitor m where m.model_id = family.model_id for no key update;
  select * into earlier from pgscore_data.alert_rule r where r.model_id = family.model_id and r.name = new.name;
  if found and not pgscore_data._acts_for(new.requested_by, earlier.set_by) then
    raise exception 'alert % of model "%" was set by %', quote_literal(new.name), new.model, earlier.set_by
      using errcode = 'insufficient_privilege', hint = format('Ask %s or a deployer, or choose another name.', earlier.set_by);
  end if;
  if exists (select from pgscore_data.default_alert d where d.name = new.name)
    and not pg_has_role(new.requested_by, 'pgscore_deployer', 'usage')
  then
    raise exception 'alert % is one that every model has: deployers set and drop it', quote_literal(new.name) using
      errcode = 'insufficient_privilege', hint = 'Ask a deployer, or set one under another name.';
  end if;
  if new.action = 'set_alert' then
    perform pgscore_data._set_alert(family.model_id, new.model, family.task, new.name, new.settings, new.requested_by);
  elsif new.action = 'drop_alert' then
    perform pgscore_data._drop_alert(family.model_id, new.model, new.name, new.requested_by);
  else
    raise exception 'no such request' using errcode = 'invalid_parameter_value', hint = 'Call pgscore.set_alert(), drop_alert() or '
      'preview_monitor().';
  end if;
  insert into pgscore_data.alert_due (version_id) select w.version_id from pgscore_data.watched_version w
    where w.model_id = family.model_id;
  insert into pgscore_data.audit (actor, action, model, detail)
  values (new.requested_by, new.action, new.model,
          jsonb_build_object('alert', new.name) || jsonb_strip_nulls(coalesce(new.settings, '{}')));
  return new;
end
$$;
comment on function pgscore_data._accept_alert() is
  'Does what set_alert(), drop_alert() and preview_monitor() ask for, and writes the first two to the audit.';

create or replace trigger accept instead of insert on pgscore._alert_request
for each row execute function pgscore_data._accept_alert();

create or replace function pgscore.set_alert(
  model text, name text, metric text, threshold double precision default null, direction text default null, severity text default 'warning',
  for_windows int default 1, of_windows int default null,
  grain text default null, column_name text default null, min_samples bigint default null, clear_at double precision default null,
  keep_firing_for interval default '0'
) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  insert into pgscore._alert_request (model, action, name, settings)
  values ($1, 'set_alert', $2, jsonb_build_object('metric', $3, 'threshold', $4::text, 'direction', $5, 'severity', $6, 'for_windows', $7,
                                                  'of_windows', $8,
    'grain', $9, 'column_name', $10, 'min_samples', $11, 'clear_at', $12::text, 'keep_firing_for', $13))
$$;
comment on function pgscore.set_alert(text, text, text, double precision, text, text, int, int, text, text, bigint, double precision,
                                      interval) is
'Sets a rule for a model''s champion, in place of the one of its name: set_alert(''churn'', ''accuracy_floor'', ''accuracy'', threshold '
'=> 0.8).
Every model has rules without it, which only deployers change: select * from pgscore.alerts.
model: its bare name.  name: of the rule.  metric: a metric of pgscore_bi.model_metric, hours_since_scoring, hours_since_labels or '
'minutes_behind.
threshold: raised beyond it; where the metric has an interval, all of it must lie beyond (default: three standard deviations from the '
'mean of 7 to 30 earlier windows; of performance a lasting change for the worse raises it, too).  direction: below, above or, without a '
'threshold, outside (default: by the metric).
severity: info, warning or critical.  for_windows, of_windows: raised by so many of the last so many windows.  grain: day (default), week '
'or month; of performance and drift auto (their default), which is days, or where a week has none with rows enough the week, or then the '
'month.  column_name: one feature, or the target of one watch (default: each).
min_samples: windows of fewer are passed over.  clear_at: where it clears (default: a fifth better than the threshold; of drift half of '
'it, for for_windows windows in a row; of hours of silence with the next run or label).  keep_firing_for: not before windows without a '
'breach span so long.';

create or replace function pgscore.drop_alert(model text, name text) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._alert_request (model, action, name) values ($1, 'drop_alert', $2) $$;
comment on function pgscore.drop_alert(text, text) is
'Drops a rule of a model; an alert that it raised is resolved. One that every model has is dropped by deployers only.';
