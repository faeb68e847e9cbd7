-- Replays: runs that score the past again by a version. They have is_replay and targets of their own, and no refresh counts them.

create or replace function pgscore._create_calls_view(
  this_version int, view_schema name, view_name name, out source regclass, out column_map jsonb
)
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  wanted record := pgscore._replayable_calls(this_version);
  made constant text := format('%I.%I', view_schema, view_name);
  query constant text := format($q$
    select c.prediction_id, c.asked_at, coalesce(c.key, '{}') as key, coalesce(c.event_time, c.asked_at) as event_time%s
      from pgscore.online_predictions c
     where c.model = %L and c.version = any (%L::int[]) and c.inputs is not null
       and not c.is_shadow$q$, wanted.expressions, wanted.model, wanted.versions);
  about constant text := 'Calls that were kept with their inputs, for pgscore.replay(): ';
  told text;
begin
  column_map := wanted.column_map;
  source := to_regclass(made);
  -- What another role's view calls would run with the rights of the caller.
  told := (select obj_description(c.oid, 'pg_class') from pg_class c where c.oid = source and pg_get_userbyid(c.relowner) = current_user);
  -- Dropping it would wait for a replay that reads it.
  if told = about || md5(query) then
    return;
  elsif starts_with(told, about) then
    execute format('drop view %s', made);
  elsif source is not null then
    raise exception '"%.%" already exists and is not a view of calls of yours', view_schema, view_name using
      errcode = 'duplicate_table', hint = 'Choose another name for the replay (target => ''...''), or rename what stands there.';
  end if;
  execute format('create view %s as %s', made, query);
  execute format('comment on view %s is %L', made, about || md5(query));
  source := made::regclass;
end
$$;
comment on function pgscore._create_calls_view(int, name, name) is
  'Makes the view of the calls that a version can replay, as the caller, who sees her own calls, or all as a pgscore_deployer.';

create or replace function pgscore._replayable_calls(
  this_version int, out model text, out versions int[], out expressions text, out column_map jsonb, out sampling double precision,
  out inputs boolean
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select m.name,
         array(select x.number from pgscore_data.version x
                where x.model_id = m.model_id and x.signature is not null
                  and not exists (
                    select from jsonb_array_elements(v.signature -> 'features') f
                     where not jsonb_path_exists(x.signature, '$.features[*] ? (@.name == $name)', jsonb_build_object('name', f -> 'name')))
                order by x.number),
         f.expressions, f.column_map, coalesce(l.sampling, 1), coalesce(l.inputs, true)
    from pgscore_data.version v join pgscore_data.model m using (model_id) left join pgscore_data.call_log l using (model_id)
   cross join lateral (
     select string_agg(format(', %s as feature_%s', case
              when (x.f ->> 'width')::int = 1 then format('(c.inputs ->> %L)::%s', x.f ->> 'name', t.type)
              -- Nested arrays become one array of their values, in order.
              else format('case when jsonb_typeof(c.inputs -> %1$L) = ''array'' then array(select (e #>> ''{}'')::%2$s '
                          'from jsonb_path_query(c.inputs -> %1$L, ''strict $.** ? (@.type() != "array")'') e) end',
                          x.f ->> 'name', t.type) end, x.n), '' order by x.n) as expressions,
            jsonb_object_agg(x.f ->> 'name', 'feature_' || x.n) as column_map
       from jsonb_array_elements(v.signature -> 'features') with ordinality x (f, n)
      cross join lateral (
        -- A call may give a double to a feature of float32: the service rounds it, as it did in the call.
        select case when x.f ->> 'type' = 'string' then 'text' when x.f ->> 'type' = 'bool' then 'boolean'
                 when x.f ->> 'type' in ('int64', 'uint32', 'uint64') then 'bigint'
                 when x.f ->> 'type' ~ 'int' then 'integer' else 'double precision' end as type) t) f
   where v.version_id = this_version;
end;
comment on function pgscore._replayable_calls(int) is
  'The versions whose calls a version can replay: those with all of its features. expressions: the SQL that reads its features.';

create or replace function pgscore._refuse_no_calls(this_version int, version_name text, source regclass, from_time timestamptz,
                                                    to_time timestamptz) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  has_calls boolean;
  log record;
begin
  execute format('select exists (select from %s c where c.event_time >= $1 and c.event_time < $2)', source)
     into has_calls using coalesce(from_time, '-infinity'), coalesce(to_time, 'infinity');
  if has_calls then
    return;
  end if;
  log := pgscore._replayable_calls(this_version);
  raise exception 'no call of "%" was kept with its inputs in that time', log.model using
    errcode = 'object_not_in_prerequisite_state',
    detail = case
      when log.sampling = 0 then 'The model keeps no calls.'
      when not log.inputs then 'The model keeps its calls without their inputs.'
      else format('Calls that are native are not logged. Others of versions with all features of %s are, and you see your own, or all as a '
                  'pgscore_deployer.', version_name) end,
    hint = format('Replay rows that you have: source => ''table or view'', event_time => ''column''. To replay calls from now on: '
                  'select pgscore.log_calls(%L, sampling => 1, inputs => true);', log.model);
end
$$;
comment on function pgscore._refuse_no_calls(int, text, regclass, timestamptz, timestamptz) is
  'Raises where no call was kept that a version could replay, and says what to do.';

create or replace function pgscore._submit_replay(
  model text, from_time timestamptz, to_time timestamptz, source regclass, target name, target_schema name, key text[], event_time text,
  column_map jsonb, rls text, error_limit bigint
) returns bigint
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  version record := pgscore._ready_version(model);
  base constant text := regexp_replace(version.version_name, '@\d+$', '');
  written name := coalesce(target_schema, 'public');
  view_name name := target;
  calls record;
  plan jsonb;
  submitted bigint;
begin
  if from_time >= to_time then
    raise exception 'from_time => % is not before to_time => %', from_time, to_time
      using errcode = 'invalid_parameter_value', hint = 'The window begins with from_time and ends before to_time.';
  end if;
  perform pgscore._refuse_run_options(rls, error_limit);
  if source is null then
    if num_nonnulls(key, event_time, column_map) > 0 then
      raise exception 'key, event_time and column_map are about a source' using
        errcode = 'invalid_parameter_value', hint = 'Name it: source => ''table or view''; or leave them out to replay the calls.';
    end if;
    view_name := coalesce(target, base || '_replay');
    perform pgscore._refuse_long_target(view_name);
    calls := pgscore._create_calls_view(version.version_id, written, (view_name || '_calls')::name);
    perform pgscore._refuse_no_calls(version.version_id, version.version_name, calls.source, from_time, to_time);
    plan := pgscore._plan_source(calls.source, version.signature, '{prediction_id,asked_at,key}', 'event_time', calls.column_map);
  else
    if event_time is null then
      raise exception 'a replay of a source needs event_time' using
        errcode = 'invalid_parameter_value',
        hint = 'Name the column that says what time a row is for: event_time => ''column''. By it labels find what was predicted.';
    end if;
    plan := pgscore._plan_source(source, version.signature, key, event_time, column_map);
  end if;
  view_name := coalesce(view_name, (plan ->> 'name') || '_replay');
  plan := plan || jsonb_build_object('window', jsonb_build_object('from', from_time, 'to', to_time));
  insert into pgscore._run_request (version_id, target_id, source_schema, source_name, source_kind, handle_id, plan, rls, publish,
    error_limit, is_replay)
  values (version.version_id,
    pgscore._ensure_target(written, view_name, version.signature,
      (select jsonb_agg(jsonb_build_object('name', c ->> 'name', 'sql_type', c ->> 'sql_type') order by n)
         from jsonb_array_elements(plan -> 'columns') with ordinality as x (c, n) where c ->> 'role' = 'key'), is_replay => true),
    plan ->> 'schema', plan ->> 'name', plan ->> 'kind', pgscore._ensure_handle(plan), plan, rls, false, error_limit, true)
  returning run_id into submitted;
  return submitted;
end
$$;
comment on function pgscore._submit_replay(text, timestamptz, timestamptz, regclass, name, name, text[], text, jsonb, text, bigint) is
  'Plans a replay as the caller and queues it.';

create or replace function pgscore.replay(
  model text,
  from_time timestamptz default null,
  to_time timestamptz default null,
  source regclass default null,
  target name default null,
  target_schema name default current_schema(),
  key text default null,
  event_time text default null,
  column_map jsonb default null,
  rls text default 'error',
  error_limit bigint default null
) returns bigint
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._submit_replay($1, $2, $3, $4, $5, $6, case when $7 is not null then array[$7] end, $8, $9, $10, $11) $$;
comment on function pgscore.replay(text, timestamptz, timestamptz, regclass, name, name, text, text, jsonb, text, bigint) is
'Scores the past again by a version, to see what it would have said, and returns the run, as score_table() does.
pgscore_bi.version_comparison compares it with the live predictions of the champion; pgscore_bi.replay_performance_monthly has it by month.
The predictions go to <target>_history only. No latest view, alert or metric of live predictions changes.
model: churn (its champion), churn@3 or churn@challenger.
from_time, to_time: the window of event times, to_time excluded (default: all).
source: table or view with the rows (default: the calls that were kept with their inputs, as the view <target>_calls shows them).
target: a name of its own; replays of one shape share it (default: the name of the model, or of the source, and _replay).
target_schema: where (default: your current schema).
key: the column that identifies a row of the source (default: the primary key); several are given as an array. Labels find a row by their
own key columns, which must be among them. So a table may hold an entity at several times: key => array[''customer_id'', ''as_of''].
event_time: the column of the source that says what time a row is for. Needed with source.
column_map, rls, error_limit: as score_table() takes them.';

create or replace function pgscore.replay(
  model text,
  source regclass,
  key text[],
  event_time text,
  from_time timestamptz default null,
  to_time timestamptz default null,
  target name default null,
  target_schema name default current_schema(),
  column_map jsonb default null,
  rls text default 'error',
  error_limit bigint default null
) returns bigint
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._submit_replay($1, $5, $6, $2, $7, $8, $3, $4, $9, $10, $11) $$;
comment on function pgscore.replay(text, regclass, text[], text, timestamptz, timestamptz, name, name, jsonb, text, bigint) is
'As replay with a key of one column, for a key of several: key => array[''a'', ''b''].';
