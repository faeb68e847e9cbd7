-- Finding a version by its one notation: churn, churn@3, churn@challenger.

create or replace function pgscore._find_version(
  model text,
  out version_id int, out model_id int, out model_name text, out number int, out state text, out signature jsonb
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  base text := split_part(model, '@', 1);
  wanted text := case when model <> base then substr(model, length(base) + 2) end;
  reason text;
  remedy text;
begin
  if model is null then
    raise exception 'the model is NULL' using errcode = 'null_value_not_allowed', hint = 'Name it: churn for its champion, churn@3 for a '
      'version, churn@challenger for an alias.';
  end if;
  select m.model_id, m.name into _find_version.model_id, model_name from pgscore_data.model m
   where m.name = base and exists (select from pgscore_data.version v where v.model_id = m.model_id and v.state <> 'dropped');
  if model_name is null then
    raise exception 'model "%" does not exist', base using
      errcode = 'undefined_object',
      hint = coalesce('Deployed models: ' || (select string_agg(m.name, ', ' order by m.name)
                                                from (select distinct m.name from pgscore_data.model m
                                                        join pgscore_data.version v using (model_id)
                                                       where v.state <> 'dropped' order by m.name limit 20) m) || '.',
        'No model is deployed yet: select pgscore.deploy(''name'', bytes), or: pgscore deploy FILE --model NAME.');
  end if;
  select v.version_id, v.number, v.state, v.signature, v.reason, v.remedy
    into _find_version.version_id, _find_version.number, _find_version.state, _find_version.signature, reason, remedy
    from pgscore_data.version v
   where v.model_id = _find_version.model_id and v.state <> 'dropped'
     and case
           when wanted ~ '^[0-9]{1,9}$' then v.number = wanted::int
           else v.version_id = (select a.version_id from pgscore_data.alias a
                                 where a.model_id = _find_version.model_id and a.alias = coalesce(wanted, 'champion'))
         end;
  if version_id is null then
    if wanted is null then
      select v.number, v.state, v.reason into number, state, reason from pgscore_data.version v
       where v.model_id = _find_version.model_id and v.state <> 'dropped' order by v.number desc limit 1;
      raise exception 'model "%" has no champion yet', base using
        errcode = 'object_not_in_prerequisite_state',
        detail = coalesce(format('Its newest version, %s@%s, is %s%s', base, number, state, coalesce(': ' || reason, '.')),
                          'It has no version.'),
        hint = case when state = 'checking' then format('call pgscore.wait_for_version(''%s@%s'');', base, number)
                 else 'Deploy a version that passes the check.' end;
    end if;
    raise exception 'model "%" has no version or alias "%"', base, wanted using
      errcode = 'undefined_object', hint = 'select version, aliases, state from pgscore.models; lists what there is.';
  end if;
end
$$;
comment on function pgscore._find_version(text) is
  'The version that a notation such as churn, churn@3 or churn@challenger means; raises where there is none.';

create or replace function pgscore._ready_version(
  model text,
  out version_id int, out version_name text, out signature jsonb
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  found record := pgscore._find_version(model);
  verdict record;
begin
  if found.state <> 'ready' then
    select v.reason, v.remedy into verdict from pgscore_data.version v where v.version_id = found.version_id;
    raise exception 'version "%@%" is %, not ready', found.model_name, found.number, found.state using
      errcode = 'object_not_in_prerequisite_state',
      detail = coalesce(verdict.reason, 'The service has not finished checking it.'),
      hint = coalesce(verdict.remedy, format('call pgscore.wait_for_version(''%s@%s'');', found.model_name, found.number));
  end if;
  version_id := found.version_id;
  version_name := found.model_name || '@' || found.number;
  signature := found.signature;
end
$$;
comment on function pgscore._ready_version(text) is
  'The version that a notation means and its signature; raises where it is not ready to score.';

-- Looking at models.

create or replace function pgscore._output_names(signature jsonb) returns text[]
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select array(select v from jsonb_array_elements_text(coalesce(signature -> 'valueNames', signature -> 'classLabels'))
                 with ordinality as x (v, n) order by n)
$$;
comment on function pgscore._output_names(jsonb) is 'Names of the values of a row, or else the class labels.';

create or replace view pgscore_data.trained_version as
select v.version_id, t.trained_until, case when t.trained_until is null then v.deployed_at end as maybe_trained_until
  from pgscore_data.version v
 cross join lateral (
   select coalesce(v.options ->> 'trained_until', v.facts ->> 'trainedUntil')::timestamptz as trained_until) t;
comment on view pgscore_data.trained_version is
  'Until when the data reach that a version was trained on: as its deployer said, else as its file says. NULL: not known. '
  'maybe_trained_until: where it is not, the deploy, as they cannot reach further.';

create or replace view pgscore.models with (security_barrier) as
select
  m.name as model,
  v.number as version,
  coalesce((select array_agg(a.alias order by a.alias) from pgscore_data.alias a where a.version_id = v.version_id), '{}') as aliases,
  v.state,
  v.reason,
  coalesce(v.signature ->> 'kind', v.signature ->> 'task') as task,
  (select string_agg(f ->> 'name' || ' ' || coalesce(f ->> 'element', f ->> 'type') || case when (f ->> 'width')::int = 1 then ''
      else coalesce((select string_agg('[' || coalesce(size, '') || ']', '' order by position)
                       from jsonb_array_elements_text(f -> 'shape') with ordinality s (size, position)), '[' || (f ->> 'width') || ']') end,
      ', ' order by n)
     from jsonb_array_elements(v.signature -> 'features') with ordinality as x (f, n)) as inputs,
  case v.signature ->> 'task'
    when 'regression' then 'value'
    when 'embedding' then 'embedding of ' || (v.signature #>> '{outputs,values,0,width}') || ' numbers'
    else case
        when v.signature ->> 'task' = 'multi_target' then 'values '
        when v.signature ->> 'task' = 'quantiles' then 'value, quantiles '
        when v.signature ->> 'task' = 'multilabel' and v.signature -> 'outputs' ? 'values' then 'label and probability of each: '
        when v.signature ->> 'task' = 'multilabel' then 'label of each: '
        when v.signature -> 'outputs' ? 'probabilities' then 'label, probability of '
        else case v.signature -> 'outputs' -> 'margins' ->> 'unit'
          when 'margin' then 'label, margin (no probability) of '
          when 'distance' then 'label of the cluster, distance to its centre: '
          when 'share' then 'label of the component, its share of the row: '
          when 'anomaly' then 'label, score that is larger for anomalies (label -1): '
          else 'label without probabilities: '
        end
      end
      || (select string_agg(c, ', ' order by n)
            from jsonb_array_elements_text(coalesce(v.signature -> 'valueNames', v.signature -> 'classLabels')) with ordinality as x (c, n))
      || coalesce(' (' || (v.signature ->> 'activation') || ' of its logits)', '')
  end as outputs,
  case when v.state = 'ready' then 'batch, online' || case when e.native then ', native' else '' end end as execution,
  v.sha256,
  v.deployed_by,
  v.deployed_at,
  v.checked_at,
  v.reason_code,
  v.remedy,
  v.warnings,
  v.size_bytes,
  e.reason as not_native,
  case
    when l.model_id is null then 'all, with inputs'
    when l.sampling = 0 then 'none'
    else case l.sampling when 1 then 'all' else trim_scale(round(100 * l.sampling::numeric, 6)) || ' %' end
      || case when l.inputs then ', with inputs' else ', without inputs' end || coalesce(', by ' || array_to_string(l.key, ', '), '')
      || coalesce(', for ' || l.event_time, '')
  end as calls_kept,
  v.signature ->> 'positiveClass' as positive_class,
  (v.signature ->> 'threshold')::double precision as threshold,
  (select string_agg(f ->> 'name' || ' ' || case f ->> 'nulls' when 'default' then (f -> 'default')::text else f ->> 'nulls' end,
                     ', ' order by n)
     from jsonb_array_elements(v.signature -> 'features') with ordinality as x (f, n)) as nulls,
  t.trained_until
from pgscore_data.model m
join pgscore_data.version v using (model_id)
join pgscore_data.trained_version t using (version_id)
left join pgscore_data.execution e using (version_id)
left join pgscore_data.call_log l using (model_id)
where v.state <> 'dropped';
comment on view pgscore.models is
'Every version of every model: what it takes and gives, which aliases point at it, and why it was rejected if it was.';
comment on column pgscore.models.model is 'Name of the model.';
comment on column pgscore.models.version is 'Number of the version; churn@3 is model churn, version 3.';
comment on column pgscore.models.aliases is 'Names that point at this version. champion is the one that a bare model name means.';
comment on column pgscore.models.state is 'checking, ready or rejected.';
comment on column pgscore.models.reason is 'Why the check rejected the version.';
comment on column pgscore.models.task is
  'binary, multiclass, regression, multi_target, multilabel, quantiles, embedding, clustering or anomaly.';
comment on column pgscore.models.inputs is 'Features in order, each with its tensor type; matched to columns of the source by name.';
comment on column pgscore.models.outputs is 'What a prediction holds.';
comment on column pgscore.models.execution is
'The ways to score with it: batch (score_table), online (score() asks the service), native (score() computes it in the query).';
comment on column pgscore.models.sha256 is 'Digest of the ONNX file as deployed.';
comment on column pgscore.models.deployed_by is 'The role that deployed it.';
comment on column pgscore.models.deployed_at is 'When its bytes arrived.';
comment on column pgscore.models.checked_at is 'When the check ended.';
comment on column pgscore.models.reason_code is 'Stable code of the reason.';
comment on column pgscore.models.remedy is 'What to do about the reason.';
comment on column pgscore.models.warnings is 'What the check noticed and accepted.';
comment on column pgscore.models.size_bytes is 'Size of the ONNX file.';
comment on column pgscore.models.not_native is 'Why it is not compiled to a function, where it is not.';
comment on column pgscore.models.calls_kept is
'Which calls of the model that the service answers pgscore.online_predictions keeps.
Also the key of labels and the event time where log_calls() names them.';
comment on column pgscore.models.positive_class is 'The class whose probability is the score of a binary model.';
comment on column pgscore.models.threshold is
'The probability from which a binary model says the positive class. NULL: the label is the model''s own.';
comment on column pgscore.models.nulls is
'What a NULL becomes, feature by feature: error (the row cannot be scored), nan (the model takes NaN), or the value of null_values.';
comment on column pgscore.models.trained_until is 'When the data end that the version was trained on; NULL: not known.';

create or replace view pgscore.audit with (security_barrier) as
select at, actor, action, model, version, sha256, detail from pgscore_data.audit;
comment on view pgscore.audit is 'Who deployed, promoted, rolled back, renamed or dropped what, when. Rows are only ever added.';
comment on column pgscore.audit.at is 'When it was done.';
comment on column pgscore.audit.actor is 'The role that did it.';
comment on column pgscore.audit.action is
'deploy, promote, set_alias, rollback, drop_version, rename_model, drop_model, grant_model, revoke_model,
bind, unbind, log_calls, monitor, monitor_features, set_baseline, rebuild, set_alert, drop_alert, set_gate, drop_gate, start_experiment,
set_arms or stop_experiment.';
comment on column pgscore.audit.model is 'Name of the model at that time.';
comment on column pgscore.audit.version is 'Number of the version that it was about; NULL where it was about the model.';
comment on column pgscore.audit.sha256 is 'Digest of the ONNX file of that version.';
comment on column pgscore.audit.detail is
'What else was said: the options of a deploy, the alias, the new name, the role, the table.
Of a promotion that was forced: force, the reason, and failed, the gates that the version did not pass.';

create or replace function pgscore.describe_model(model text)
returns table (property text, value text)
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  -- A model whose first versions were rejected has no champion: its newest version says why.
  with v as (select m.* from pgscore._find_version(coalesce(
      (select x.model || '@' || max(x.version) from pgscore.models x
        where x.model = $1 group by x.model having not bool_or('champion' = any (x.aliases))), $1)) f
          join pgscore.models m on m.model = f.model_name and m.version = f.number)
  select p.property, p.value from v cross join lateral (values
    (1, 'version', v.model || '@' || v.version),
    (2, 'aliases', array_to_string(v.aliases, ', ')),
    (3, 'state', v.state),
    (4, 'reason', v.reason),
    (5, 'remedy', v.remedy),
    (6, 'task', v.task),
    (7, 'inputs', v.inputs),
    (8, 'outputs', v.outputs),
    (9, 'execution', v.execution),
    (10, 'not native', v.not_native),
    (11, 'warnings', nullif(array_to_string(v.warnings, '; '), '')),
    (12, 'size', pg_size_pretty(v.size_bytes)),
    (13, 'sha256', v.sha256),
    (14, 'deployed by', v.deployed_by::text),
    (15, 'deployed at', v.deployed_at::text),
    (16, 'calls kept', v.calls_kept),
    (17, 'positive class', v.positive_class),
    (18, 'threshold', v.threshold::text),
    (19, 'nulls', v.nulls),
    (20, 'trained until', v.trained_until::text)
  ) as p (position, property, value)
  where p.value is not null order by p.position
$$;
comment on function pgscore.describe_model(text) is
'All there is to know of a version, one property a row.
model: churn (its champion, or without one its newest version), churn@3 or churn@challenger.';
