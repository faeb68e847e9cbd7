-- Deploying: bytes in, checked by the service, never trusted before that.

create or replace view pgscore._deployment as
select null::text as model, null::bytea as bytes, null::jsonb as options, null::jsonb as expect, null::text as version,
       null::name as requested_by
where false;
comment on view pgscore._deployment is
  'Where pgscore.deploy() hands its request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._deployment alter column requested_by set default current_user;

create or replace function pgscore_data._accept_deployment() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- Custom plans would hold copies of the model.
set plan_cache_mode = force_generic_plan
as $$
declare
  piece_bytes constant int := 2097152;
  this_model int;
  this_version int;
  next_number int;
  digest text;
begin
  if new.model is null or new.model !~ '^[[:alpha:]_][[:alnum:]_.-]*$' or octet_length(new.model) > 50 then
    raise exception 'model name % cannot be used', coalesce(quote_literal(new.model), 'NULL') using
      errcode = 'invalid_name', hint = 'Begin with a letter or _, go on with letters, digits, _, - and ., 50 bytes at most. Versions '
                                       'number themselves.';
  end if;
  if new.bytes is null or octet_length(new.bytes) = 0 then
    raise exception 'the model file for "%" is empty', new.model using
      errcode = 'invalid_parameter_value', hint = 'Pass the bytes of an ONNX file, for example lo_get(:LASTOID) after \lo_import FILE.';
  end if;
  if octet_length(new.bytes) > 1048576000 then
    raise exception 'the model file for "%" has % bytes; 1048576000 is the limit', new.model, octet_length(new.bytes) using
      errcode = 'program_limit_exceeded', hint = 'Use fewer or smaller trees, or export weights as float32 rather than float64.';
  end if;
  insert into pgscore_data.model (name, created_by) values (new.model, new.requested_by) on conflict (name) do nothing;
  select m.model_id into this_model from pgscore_data.model m where m.name = new.model for no key update;
  if not exists (select from pgscore_data.version v where v.model_id = this_model) then
    insert into pgscore_data.model_grant (model_id, grantee, granted_by)
      values (this_model, 'pgscore_user', new.requested_by) on conflict do nothing;
  end if;
  select coalesce(max(v.number), 0) + 1 into next_number from pgscore_data.version v where v.model_id = this_model;
  digest := encode(sha256(new.bytes), 'hex');
  insert into pgscore_data.version (model_id, number, options, expect, sha256, size_bytes, deployed_by)
  values (this_model, next_number, coalesce(new.options, '{}'), new.expect, digest, octet_length(new.bytes), new.requested_by)
  returning version_id into this_version;
  insert into pgscore_data.artifact (version_id, is_served, piece, bytes)
  select this_version, false, piece, substr(new.bytes, 1 + piece * piece_bytes, piece_bytes)
    from generate_series(0, (octet_length(new.bytes) - 1) / piece_bytes) piece;
  insert into pgscore_data.audit (actor, action, model, version, sha256, detail)
  values (new.requested_by, 'deploy', new.model, next_number, digest, coalesce(new.options, '{}'));
  perform pgscore_data._wake();
  new.version := new.model || '@' || next_number;
  -- The returned row is copied several times.
  new.bytes := null;
  return new;
end
$$;
comment on function pgscore_data._accept_deployment() is 'Stores a deployed model as a version in state checking and wakes the service.';

create or replace function pgscore_data._wake(hint text default '') returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if current_setting('pgscore.notify', true) is distinct from 'off' then
    perform pg_notify('pgscore_work', hint);
  end if;
end
$$;
comment on function pgscore_data._wake(text) is
  'Asks all services to look for work. The hint says where: run, watch, labels or models; empty means everywhere. '
  'Polling finds what a lost NOTIFY leaves, and SET pgscore.notify = off (for PREPARE TRANSACTION) relies on that.';

create or replace trigger accept instead of insert on pgscore._deployment
for each row execute function pgscore_data._accept_deployment();

create or replace function pgscore.deploy(
  model text,
  bytes bytea,
  features text[] default null,
  class_labels text[] default null,
  positive_class text default null,
  threshold double precision default null,
  task text default null,
  nulls text default null,
  null_values jsonb default null,
  expect jsonb default null,
  native boolean default null,
  logits boolean default null,
  targets text[] default null,
  trained_until timestamptz default null
) returns text
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  tasks constant text[] := '{binary,multiclass,regression,multi_target,multilabel,quantiles,embedding,clustering,anomaly}';
  list record;
  deployed text;
begin
  if deploy.nulls is not null and deploy.nulls not in ('auto', 'error', 'nan') then
    raise exception 'nulls => % is not known', quote_literal(nulls)
      using errcode = 'invalid_parameter_value', hint = 'Use ''auto'', ''error'' or ''nan''.';
  end if;
  if deploy.task <> all (tasks) then
    raise exception 'task => % is not known', quote_literal(task)
      using errcode = 'invalid_parameter_value', hint = format('Use one of %s.', array_to_string(tasks, ', '));
  end if;
  if deploy.threshold is not null and not (deploy.threshold > 0 and deploy.threshold < 1) then
    raise exception 'threshold => % is not between 0 and 1', threshold
      using errcode = 'invalid_parameter_value', hint = 'The threshold is the probability from which the positive class is predicted.';
  end if;
  select x.* into list
    from (values ('features', deploy.features, 'Name each column once: features => array[''age'', ''plan''].'),
                 ('class_labels', deploy.class_labels, 'Name each class once: class_labels => array[''stays'', ''leaves''].'),
                 ('targets', deploy.targets, 'Name each value of a row once: targets => array[''heating'', ''cooling''].'))
         x (argument, names, remedy)
   where array_ndims(x.names) > 1 or exists (select from unnest(x.names) n where n is null) limit 1;
  if found then
    raise exception '% => % is no list of names', list.argument, list.names using errcode = 'invalid_parameter_value', hint = list.remedy;
  end if;
  if jsonb_typeof(deploy.null_values) <> 'object' then
    raise exception 'null_values => % is no object', null_values
      using errcode = 'invalid_parameter_value', hint = 'Give a value for each feature: null_values => ''{"feature": 0}''.';
  end if;
  if not isfinite(deploy.trained_until) then
    raise exception 'trained_until => % is no day', quote_literal(trained_until)
      using errcode = 'invalid_parameter_value', hint = 'Say when the training data end: trained_until => ''2026-06-30''.';
  end if;
  if jsonb_typeof(deploy.expect) <> 'array' or jsonb_path_exists(deploy.expect, '$[*] ? (@.type() != "object")') then
    raise exception 'expect is no array of rows'
      using errcode = 'invalid_parameter_value', hint = 'Give rows as expect => ''[{"feature": 1, "expected_score": 0.5}]''.';
  end if;
  insert into pgscore._deployment (model, bytes, options, expect)
  values (deploy.model, deploy.bytes,
    jsonb_strip_nulls(jsonb_build_object('features', features, 'class_labels', class_labels, 'positive_class', positive_class,
      'threshold', threshold, 'task', task, 'nulls', nulls, 'null_values', null_values, 'native', native,
      'logits', logits, 'targets', targets, 'trained_until', trained_until)),
    deploy.expect)
  returning version into deployed;
  return deployed;
end
$$;
comment on function pgscore.deploy(text, bytea, text[], text[], text, double precision, text, text, jsonb, jsonb, boolean, boolean,
                                   text[], timestamptz) is
'Deploys an ONNX model and returns its version, such as churn@1, in state checking.
model: the name to deploy under.  bytes: the ONNX file.  features: names of the columns of a matrix input, in order, where the file does '
'not say (metadata key pgscore.features).
class_labels: names of the classes, in the order of the probability columns, where the file does not say.  positive_class: the class '
'whose probability score() gives (default: the last of two).
threshold: probability from which the positive class is predicted (default: the label is the model''s own).  task: binary, multiclass, '
'regression, multi_target, multilabel, quantiles, embedding, clustering or anomaly (default: found by the check).  targets: names of '
'the values of a row, in their order, of a model that gives several.
nulls: auto (NULL goes in as NaN only where the graph handles it), error (a row with NULL is a failed row) or nan.  null_values: a value '
'per feature to use instead of NULL, as {"feature": value}.
expect: an array of rows {"feature": value, ..., "expected_score": x} that the training framework computed; the check refuses a version '
'that differs.
native: false compiles it to no function, whose source whoever may connect could read (default: compiled where that can be).
trained_until: when the data end that the model was trained on (default: as the metadata key pgscore.trained_until says).
Comparisons of versions, gates and replays leave out predictions for earlier times.
logits: true where the numbers of a classifier are logits or log-probabilities, of which a sigmoid or a softmax makes probabilities.
The first ready version of a model becomes its champion.';

create or replace procedure pgscore.wait_for_version(model text, timeout interval default '5 minutes')
language plpgsql security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  found record;
  verdict record;
  noticed text;
  give_up timestamptz := clock_timestamp() + timeout;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'wait_for_version cannot see the verdict in a % transaction', current_setting('transaction_isolation') using
      errcode = 'invalid_transaction_state', hint = 'Call it in a READ COMMITTED transaction, or outside of one.';
  end if;
  loop
    found := pgscore._find_version(model);
    exit when found.state <> 'checking';
    if clock_timestamp() > give_up then
      raise exception 'version "%@%" is still being checked after %', found.model_name, found.number, timeout using
        errcode = 'query_canceled',
        hint = case when exists (select from pgscore.services where state = 'running') then 'A service is running: look at its log.'
                 else 'No service is running: start pgscore serve. If the deploy is not committed yet, commit it first.' end;
    end if;
    perform pg_sleep(0.02);
  end loop;
  if found.state = 'rejected' then
    select m.reason_code, m.reason, m.remedy into verdict from pgscore.models m
     where m.model = found.model_name and m.version = found.number;
    raise exception 'version "%@%" was rejected: %', found.model_name, found.number, verdict.reason using
      errcode = 'object_not_in_prerequisite_state', detail = 'Code: ' || verdict.reason_code,
      hint = coalesce(verdict.remedy, 'Correct the model and deploy it again.');
  end if;
  raise notice 'version "%@%" is ready', found.model_name, found.number;
  for noticed in
    select w from pgscore.models m cross join unnest(m.warnings) w where m.model = found.model_name and m.version = found.number
  loop
    raise warning '%', noticed;
  end loop;
end
$$;
comment on procedure pgscore.wait_for_version(text, interval) is
'Waits until the service has checked a version; raises the reason and the remedy if it was rejected. model: such as churn@1. timeout: how '
'long to wait.';
