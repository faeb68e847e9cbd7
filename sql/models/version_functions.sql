-- The functions of a version: compiled ones where it is native, and when they are made and dropped.

create or replace function pgscore_data._has_score(e pgscore_data.execution) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
return e.task = 'regression' or e.task = 'binary' and (e.probabilities or e.score_unit is not null)
  or coalesce(e.score_unit in ('distance', 'share'), false);
comment on function pgscore_data._has_score(pgscore_data.execution) is
  'Whether a version gives one score a row, so that score() needs no class.';

create or replace function pgscore_data._argument_type(tensor_type text, width int) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when width <> 1 then 'double precision[]'
    when tensor_type in ('float32', 'float64') then 'double precision'
    when tensor_type in ('int32', 'int64') then 'bigint'
    when tensor_type = 'bool' then 'boolean'
    else 'text'
  end
$$;
comment on function pgscore_data._argument_type(text, int) is 'SQL type of the argument that takes a feature in a compiled function.';

create or replace function pgscore_data._features_of(features jsonb)
returns table (n bigint, name text, type text, width int, argument text, is_number boolean)
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select f.n, f.name, f.type, f.width, pgscore_data._argument_type(f.type, f.width),
         f.width = 1 and f.type in ('float32', 'float64', 'int32', 'int64')
    from rows from (jsonb_to_recordset(features) as (name text, type text, width int)) with ordinality
         as f (name, type, width, n)
$$;
comment on function pgscore_data._features_of(jsonb) is
  'The features of a signature, in order. argument: the SQL type that takes one in a compiled function.';

create or replace function pgscore_data._create_function(name name, arguments text, result text, language text, volatility text, body text,
                                                         comment text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('create or replace function pgscore_models.%I(%s) returns %s language %I %s as %L', name, arguments, result, language,
                 volatility, body);
  execute format('comment on function pgscore_models.%I(%s) is %L', name, arguments, comment);
end
$$;
comment on function pgscore_data._create_function(name, text, text, text, text, text, text) is
  'Creates a generated function in pgscore_models. The body is quoted: whatever it holds, it is one function.';

create or replace function pgscore_data._pinned() returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select 'set search_path = pg_catalog, pg_temp' $$;
comment on function pgscore_data._pinned() is
  'The clause of a compiled function in PL/pgSQL. Its plans are of one search_path: called under two in turns, they would be made anew '
  'each time, for a large model in 24 ms. To set it takes 0.1 µs.';

create or replace function pgscore_data._create_few_and_many(this_version int, types text, few text, many text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  given text := (select string_agg('$' || n, ', ' order by n) from generate_series(1, cardinality(string_to_array(types, ', '))) n);
  name text := pgscore_models._version_name(this_version);
begin
  perform pgscore_data._create_function(format('_v%s_few', this_version)::name, types, 'double precision', 'plpgsql',
                                        'immutable parallel safe cost 2000', few,
    format('The score of %s, compiled for few rows: its trees as arrays, which PostgreSQL walks through.', name));
  perform pgscore_data._create_function(format('_v%s_many', this_version)::name, types, 'double precision', 'plpgsql',
                                        'immutable parallel safe cost 2000', many,
    format('The score of %s, compiled for many rows: its trees as one expression, which PostgreSQL makes ready in every transaction.',
           name));
  -- PostgreSQL prepares an expression of half a million characters in 1 to 2 ms, and then takes a tenth of the time a row. So the first
  -- rows of a statement take the other form, for about as long. Both give the same to the last bit, so the function is immutable.
  perform pgscore_data._create_function(format('_v%s', this_version)::name, types, 'double precision', 'plpgsql',
                                        'immutable parallel safe cost 2000 ' || pgscore_data._pinned(),
    format(E'begin\n  if clock_timestamp() < statement_timestamp() + interval %4$L then\n    return pgscore_models.%1$I(%3$s);\n'
           '  end if;\n  return pgscore_models.%2$I(%3$s);\nend',
      format('_v%s_few', this_version), format('_v%s_many', this_version), given, format('%s us', greatest(1000, length(many) / 200))),
    format('The score of %s, compiled: takes its features in the order of pgscore.models.inputs.', name));
end
$$;
comment on function pgscore_data._create_few_and_many(int, text, text, text) is
  'Creates _v<id>_few and _v<id>_many, two forms of a compiled score, and _v<id>, which takes the first while its statement is young.';

create or replace function pgscore_data._create_native(this_version int, features jsonb, bodies jsonb) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  types text := (select string_agg(f.argument, ', ' order by f.n) from pgscore_data._features_of(features) f);
  part text;
begin
  for part in select k from jsonb_object_keys(bodies) k loop
    if bodies -> part ? 'few' then
      perform pgscore_data._create_few_and_many(this_version, types, bodies -> part ->> 'few', bodies -> part ->> 'body');
      continue;
    end if;
    perform pgscore_data._create_function(pgscore_data._compiled_function(this_version, part), types, pgscore_data._part_result(part),
                                          bodies -> part ->> 'language',
      'immutable parallel safe cost ' || case bodies -> part ->> 'language' when 'sql' then '10' else '2000 ' || pgscore_data._pinned() end,
      bodies -> part ->> 'body',
      format('The %s of %s, compiled: takes its features in the order of pgscore.models.inputs.', part,
             pgscore_models._version_name(this_version)));
  end loop;
  perform pgscore_data._create_quick(this_version, types, bodies -> 'score' ->> 'quick');
  perform pgscore_data._create_native_forms(this_version, features, array(select k from jsonb_object_keys(bodies) k));
  perform pgscore_data._renew_grants((select v.model_id from pgscore_data.version v where v.version_id = this_version));
end
$$;
comment on function pgscore_data._create_native(int, jsonb, jsonb) is
'Creates the compiled functions of a version in check: _v<id> and, where bodies has them, _v<id>_label and _v<id>_probabilities, each by '
'arguments and by jsonb. features: as in the signature to be. Used once the version is ready and native.';

create or replace function pgscore_data._compiled_function(this_version int, part text) returns name
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select ('_v' || this_version || case part when 'score' then '' else '_' || part end)::name $$;
comment on function pgscore_data._compiled_function(int, text) is
  'Name of the compiled function that gives a part of a prediction: score, label or probabilities.';

create or replace function pgscore_data._part_result(part text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select case part when 'score' then 'double precision' when 'label' then 'int' else 'double precision[]' end $$;
comment on function pgscore_data._part_result(text) is 'SQL type of a part of a prediction.';

create or replace function pgscore_data._drop_functions(this_version int) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- A version that is not native has no type.
set client_min_messages = warning
as $$
declare
  this regprocedure;
begin
  for this in select p.oid::regprocedure from pg_proc p where p.pronamespace = 'pgscore_models'::regnamespace
      and (p.proname = '_v' || this_version or starts_with(p.proname, '_v' || this_version || '_')) loop
    execute format('drop function %s', this);
  end loop;
  execute format('drop type if exists pgscore_models.%I', '_v' || this_version || '_numbers');
end
$$;
comment on function pgscore_data._drop_functions(int) is 'Drops the generated functions of a version, but for those bound to tables.';

create or replace function pgscore_data._describe_execution(this_version int) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into pgscore_data.execution (version_id, task, class_labels, positive_class, threshold, probabilities, features, types, native,
                                      parts, reason, evidence, score_unit)
  select v.version_id, case v.signature ->> 'task' when 'quantiles' then 'regression' else v.signature ->> 'task' end, labels.all,
         array_position(labels.all, v.signature ->> 'positiveClass'),
         (v.signature ->> 'threshold')::double precision,
         v.signature -> 'outputs' ?| array['probabilities', 'values'],
         array(select f ->> 'name' from jsonb_array_elements(v.signature -> 'features') with ordinality as x (f, n) order by n),
         array(select coalesce(f ->> 'element', f ->> 'type') || case (f ->> 'width')::int when 1 then '' when 0 then '[]'
                   else '[' || (f ->> 'width') || ']' end
                 from jsonb_array_elements(v.signature -> 'features') with ordinality as x (f, n) order by n),
         coalesce(v.facts -> 'native' ? 'parts', false),
         array(select jsonb_array_elements_text(v.facts -> 'native' -> 'parts')),
         v.facts -> 'native' ->> 'reason',
         coalesce(v.facts -> 'native' -> 'evidence', '{}'), v.signature -> 'outputs' -> 'margins' ->> 'unit'
    from pgscore_data.version v
    cross join lateral pgscore._output_names(v.signature) as labels ("all")
   where v.version_id = this_version and v.state = 'ready'
  on conflict (version_id) do nothing;
  insert into pgscore_data.version_value (version_id, position, name, task, probabilities, threshold, quantile, is_score)
  select v.version_id, x.position, x.name, case v.signature ->> 'task' when 'multilabel' then 'binary' else 'regression' end,
         v.signature ->> 'task' = 'multilabel' and v.signature -> 'outputs' ? 'values', (v.signature ->> 'threshold')::double precision,
         case when v.signature ->> 'task' = 'quantiles' then ('0.' || substring(x.name from '^q0?_(\d+)$'))::double precision end,
         coalesce(x.position - 1 = (v.signature ->> 'scoreValue')::int, false)
    from pgscore_data.version v
    cross join lateral unnest(pgscore._output_names(v.signature)) with ordinality as x (name, position)
   where v.version_id = this_version and v.state = 'ready' and v.signature ->> 'task' in ('quantiles', 'multi_target', 'multilabel')
  on conflict (version_id, position) do nothing
$$;
comment on function pgscore_data._describe_execution(int) is 'Notes of a ready version what score() must know at every call.';

create or replace function pgscore_data._version_ready() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgscore_data._describe_execution(new.version_id);
  perform pgscore_data._create_online(new.version_id);
  begin
    perform pgscore_data._renew_bindings(new.model_id);
  exception when others then
    -- The first champion of a model that was bound, dropped and deployed again need not fit the table.
    raise warning 'the typed functions of version % were not made: %', new.version_id, sqlerrm;
    perform pgscore_data._renew_grants(new.model_id);
  end;
  perform pgscore_data._renew_score_calls();
  return null;
end
$$;
comment on function pgscore_data._version_ready() is 'Makes a version that passed its check callable from SQL.';

create or replace trigger ready after update of state on pgscore_data.version
for each row when (new.state = 'ready' and old.state = 'checking') execute function pgscore_data._version_ready();

create or replace function pgscore_data._version_dropped() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  dropped constant int[] := array(
    select distinct v.version_id from pg_proc p
      join pgscore_data.version v on v.version_id = substring(p.proname from '^_v([0-9]+)(?:_|$)')::int and v.state = 'dropped'
     where p.pronamespace = 'pgscore_models'::regnamespace);
begin
  if dropped <> '{}' then
    perform pgscore_data._renew_score_calls();
    perform pgscore_data._drop_functions(d) from unnest(dropped) d;
  end if;
  return null;
end
$$;
comment on function pgscore_data._version_dropped() is
  'Takes the versions that a transaction dropped out of score(), and drops their functions.';

do $$
begin
  if not exists (select from pg_trigger t where t.tgrelid = 'pgscore_data.version'::regclass and t.tgname = 'dropped') then
    -- At the end of the transaction, as nobody else can write score() until then.
    create constraint trigger dropped after update of state on pgscore_data.version deferrable initially deferred
    for each row when (new.state = 'dropped') execute function pgscore_data._version_dropped();
  end if;
end
$$;
