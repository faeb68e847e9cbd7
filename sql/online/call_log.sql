-- Which calls of a model are kept.

create or replace view pgscore._call_log_request as
select null::text as model, null::double precision as sampling, null::boolean as inputs, null::name as requested_by, null::text[] as key,
       null::text as event_time
 where false;
comment on view pgscore._call_log_request is
  'Where log_calls() hands its request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._call_log_request alter column requested_by set default current_user;

create or replace function pgscore_data._accept_call_log() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  this_model record;
begin
  select f.model_id, f.model_name into this_model from pgscore._find_version(new.model) f;
  if new.model <> this_model.model_name then
    raise exception 'log_calls takes a whole model, not version %', new.model
      using errcode = 'invalid_parameter_value', hint = format('Name the model: %L.', this_model.model_name);
  end if;
  if not new.sampling between 0 and 1 then
    raise exception 'sampling => % is not between 0 and 1', new.sampling
      using errcode = 'invalid_parameter_value', hint = '1 keeps every call, 0.01 one in a hundred, 0 none.';
  end if;
  if cardinality(new.key) > 31 then
    raise exception 'key => names % columns, more than the 31 that a key may have', cardinality(new.key)
      using errcode = 'invalid_parameter_value', hint = 'Name the columns that labels are keyed by.';
  end if;
  if exists (select from unnest(new.key) k where coalesce(octet_length(k) not between 1 and 63, true)) then
    raise exception 'key => % is no list of columns', new.key
      using errcode = 'invalid_parameter_value',
        hint = 'Name the columns of the rows that identify what they are about: key => array[''customer_id'']; ''{}'' goes by the labels '
               'again.';
  end if;
  if octet_length(new.event_time) > 63 then
    raise exception 'event_time => % is no column', quote_literal(new.event_time) using
      errcode = 'invalid_parameter_value',
      hint = 'Name the column of the rows that says what time they are for; '''' goes by the moment of the call again.';
  end if;
  insert into pgscore_data.call_log as l (model_id, sampling, inputs, key, event_time)
  values (this_model.model_id, coalesce(new.sampling, 1), coalesce(new.inputs, true), nullif(new.key, '{}'), nullif(new.event_time, ''))
  on conflict (model_id) do update set
    sampling = coalesce(new.sampling, l.sampling), inputs = coalesce(new.inputs, l.inputs),
    key = case when new.key is null then l.key else excluded.key end,
    event_time = case when new.event_time is null then l.event_time else excluded.event_time end;
  perform pgscore_data._create_online(e.version_id) from pgscore_data.execution e join pgscore_data.version v using (version_id)
    where v.model_id = this_model.model_id;
  insert into pgscore_data.audit (actor, action, model, detail)
  values (new.requested_by, 'log_calls', this_model.model_name,
    jsonb_strip_nulls(jsonb_build_object('sampling', new.sampling, 'inputs', new.inputs, 'key', new.key, 'event_time', new.event_time)));
  return new;
end
$$;
comment on function pgscore_data._accept_call_log() is 'Stores which calls of a model are kept.';

create or replace trigger accept instead of insert on pgscore._call_log_request
for each row execute function pgscore_data._accept_call_log();

create or replace function pgscore.log_calls(
  model text, sampling double precision default null, inputs boolean default null, key text[] default null, event_time text default null
) returns void
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._call_log_request (model, sampling, inputs, key, event_time) values ($1, $2, $3, $4, $5) $$;
comment on function pgscore.log_calls(text, double precision, boolean, text[], text) is
'Which of the online predictions of a model are kept in pgscore.online_predictions, and counted by the monitor: all of them with their '
'inputs, until this says otherwise; pgscore.models has how it is. What is left out stays as it is. sampling: the share of calls, 0 for '
'none.  inputs: whether with the features that were given.
key: the columns of the rows by which labels find them, array[''customer_id''], where they are called otherwise than the key of '
'set_labels() or of runs; ''{}'' goes by those again.
event_time: the column of the rows that says what time a prediction is for, ''scheduled_at''; '''' goes by the moment of the call again. '
'Native predictions are made in the caller''s query and are not kept.';

-- What is kept of online calls, as users read it.

create or replace view pgscore_data.shown_block with (security_barrier) as
select b.prediction_id, m.name as model, v.number as version, b.requested_by, b.request_id, b.asked_at, b.duration_ms, b.scores, b.labels,
       v.signature -> 'classLabels' as class_labels, v.signature -> 'features' as features,
       case v.signature ->> 'task' when 'quantiles' then 'regression' else v.signature ->> 'task' end as task,
       pgscore._output_names(v.signature) as names, v.signature ? 'valueNames' as is_several,
       coalesce(to_jsonb(b.reals), to_jsonb(b.features)) as given,
       -- Fetched (detoasted) once; each access to a part of a stored value would fetch all of it.
       b.inputs || '[]' as inputs,
       case when b.probabilities is not null and v.signature #> '{outputs,margins}' is null
         then b.probabilities || '{}'::double precision[] end as probabilities, b.durations,
       -- In an array of texts, each access walks from the first.
       to_jsonb(b.keys) as keys, b.event_times, b.error, b.is_shadow
  from pgscore_data.online_block b join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id)
 where (b.requested_by = current_user and not b.is_shadow) or pg_has_role(current_user, 'pgscore_deployer', 'usage');
comment on view pgscore_data.shown_block is
  'Blocks of predictions that the current role may see. A barrier, so that what is given here is computed once for a block and not for '
  'each of its predictions, and only where it is asked for.';

-- A call that failed has no predictions, but is a row.
create or replace view pgscore.online_predictions with (security_barrier) as
select b.prediction_id + coalesce(x.n, 1) - 1 as prediction_id, b.model, b.version, b.requested_by, b.request_id, b.asked_at,
       coalesce(x.duration, b.duration_ms) as duration_ms,
       case when b.given is not null
         then (select jsonb_object_agg(f.feature ->> 'name', f.value) from rows
                 from (jsonb_array_elements(b.features), jsonb_array_elements(b.given -> (x.n - 1)::int)) as f (feature, value))
         else nullif(b.inputs -> (x.n - 1)::int, 'null')
       end as inputs, x.score, b.class_labels ->> (x.label - 1) as label,
       case when b.probabilities is not null and not b.is_several
         then array(select unnest(b.probabilities[x.n : x.n])) end as probabilities,
       b.error,
       case when b.keys -> (x.n - 1)::int ->> 0 is not null
         then array(select jsonb_array_elements_text(b.keys -> (x.n - 1)::int)) end as key, x.event_time,
       case when b.probabilities is not null and b.is_several
         then pgscore_models._values_json(b.task, b.names, array(select unnest(b.probabilities[x.n : x.n]))) end as outputs,
       b.is_shadow
  from pgscore_data.shown_block b
  left join lateral unnest(b.scores, b.labels, b.durations, b.event_times) with ordinality as x (score, label, duration, event_time, n)
    on true;
comment on view pgscore.online_predictions is
  'What the service answered to score(), predict() and classify(): the caller''s own calls, and to a pgscore_deployer all of them; also '
  'those of transactions that were rolled back, and what a shadow said of calls.';
comment on column pgscore.online_predictions.prediction_id is 'Number of the prediction.';
comment on column pgscore.online_predictions.model is 'Name of the model.';
comment on column pgscore.online_predictions.version is 'Number of the version.';
comment on column pgscore.online_predictions.requested_by is 'Who asked; of a shadow who started the experiment.';
comment on column pgscore.online_predictions.request_id is 'What the setting pgscore.request_id was when it was asked.';
comment on column pgscore.online_predictions.asked_at is 'When the question arrived; of calls alike, to within 10 ms.';
comment on column pgscore.online_predictions.duration_ms is 'Milliseconds until it was answered, in the service.';
comment on column pgscore.online_predictions.inputs is 'The features that were given; NULL of a shadow, which was given those of the call.';
comment on column pgscore.online_predictions.score is 'The probability or the margin of the positive class, or the value.';
comment on column pgscore.online_predictions.label is 'The label.';
comment on column pgscore.online_predictions.probabilities is 'In the order of the class labels. NULL of a model that gives margins.';
comment on column pgscore.online_predictions.outputs is 'The several values of the row, as predict() has them.';
comment on column pgscore.online_predictions.error is 'Why there is no prediction.';
comment on column pgscore.online_predictions.is_shadow is
  'Whether an arm of an experiment said it in the shadow of the champion, whose answer the caller got.';
comment on column pgscore.online_predictions.key is 'What the row was about, by which labels find it; NULL: it did not say.';
comment on column pgscore.online_predictions.event_time is
  'The time that the row said it is for; NULL: it did not say, and the prediction is for the moment of the call.';
