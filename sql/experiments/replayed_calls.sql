-- The calls that a version can replay: those that were kept with their inputs, as a view.

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
  described text;
begin
  column_map := wanted.column_map;
  source := to_regclass(made);
  -- What another role's view calls would run with the rights of the caller.
  described := (select obj_description(c.oid, 'pg_class') from pg_class c
                 where c.oid = source and pg_get_userbyid(c.relowner) = current_user);
  -- Dropping it would wait for a replay that reads it.
  if described = about || md5(query) then
    return;
  elsif starts_with(described, about) then
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
  'Makes the view of the calls that a version can replay, as the caller: its own calls, or all of a pgscore_deployer.';

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
