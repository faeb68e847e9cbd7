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
