-- The functions of a version: compiled ones where it is native, and how they take a row as jsonb.

do $$
begin
  if to_regtype('pgscore_models._prediction') is null then
    create type pgscore_models._prediction as (score double precision, label text, probabilities double precision[]);
  end if;
end
$$;
comment on type pgscore_models._prediction is 'What a model says of one row; probabilities in the order of its class labels.';

create or replace function pgscore_models._null_feature(feature text) returns double precision
-- No cost: where it is called nothing else is, and a planner that reckons with it compiles queries (jit) that are over sooner.
language plpgsql immutable parallel safe cost 1
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'feature % has no value that the model can take', quote_ident(feature) using
    errcode = 'null_value_not_allowed', detail = 'It is NULL, NaN, or an array of another length.',
    hint = format('Leave such rows out (where %I is not null), give a value (coalesce), or deploy with null_values or nulls => ''nan''.', feature);
end
$$;
comment on function pgscore_models._null_feature(text) is 'Raises that a feature is missing where the model handles no missing value.';

create or replace function pgscore_models._past_float32(value double precision, feature text) returns double precision
language plpgsql immutable parallel safe cost 1
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'feature % is %, a number that float32 can not hold', quote_ident(feature), value using
    errcode = 'numeric_value_out_of_range', hint = format('Leave such rows out, or bound them: least(greatest(%1$I, -3.4e38), 3.4e38).', feature);
end
$$;
comment on function pgscore_models._past_float32(double precision, text) is 'Raises that a feature is past the range of float32, as a batch row fails.';

create or replace function pgscore_models._past_int32(value bigint, feature text) returns bigint
language plpgsql immutable parallel safe cost 1
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'feature % is %, a number that int32 can not hold', quote_ident(feature), value using
    errcode = 'numeric_value_out_of_range', hint = format('Leave such rows out, or bound them: least(greatest(%1$I, -2147483648), 2147483647).', feature);
end
$$;
comment on function pgscore_models._past_int32(bigint, text) is 'Raises that a feature is past the range of int32, as a batch row fails.';

create or replace function pgscore_models._number_remedy(feature text, value text) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  -- Of the type of the column only what it is as JSON is left; each of these casts takes a text too.
  select 'A text is never taken for a number: give ' || case
    when value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' then format('the part that the model was trained on, as in extract(month from %I::timestamp).', feature)
    when value ~ '^[0-9]{2}:[0-9]{2}:[0-9.]+$' or value ~ '^-?[0-9]+ (year|mon|day)' then format('seconds, as in extract(epoch from %I::interval).', feature)
    when value ~ '^\s*[-+]?[0-9.]+([eE][-+]?[0-9]+)?\s*$' then format('%I::double precision.', feature)
    else format('the number that the model was trained on; of money that is %I::money::numeric.', feature)
  end
$$;
comment on function pgscore_models._number_remedy(text, text) is 'How to make a number of a column whose value came as a text.';

create or replace function pgscore_models._mistyped_feature(feature text, value jsonb, wanted text) returns void
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'feature % is %, not %', quote_ident(feature), left(value::text, 80), wanted using
    errcode = 'datatype_mismatch', hint = case
      when value in ('"NaN"', '"Infinity"', '"-Infinity"') then format('A whole number can not be it. Leave such rows out (where abs(%1$I) < ''Infinity''), or give a value.', feature)
      when jsonb_typeof(value) = 'string' and wanted in ('a number', 'a whole number') then pgscore_models._number_remedy(feature, value #>> '{}')
      when jsonb_typeof(value) = 'string' and wanted = 'a boolean' then format('A text is never taken for a boolean: cast it, as in %I::boolean.', feature)
      else 'Give the feature as the model was trained on it: select inputs from pgscore.models.'
    end;
end
$$;
comment on function pgscore_models._mistyped_feature(text, jsonb, text) is 'Raises that a feature has a value of another type.';

create or replace function pgscore_models._other_number(value jsonb, feature text) returns double precision
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  case
    when value is null or value = 'null' then return null;
    when value in ('true', 'false') then return value::boolean::int;
    when value in ('"NaN"', '"Infinity"', '"-Infinity"') then return (value #>> '{}')::double precision;
    else perform pgscore_models._mistyped_feature(feature, value, 'a number');
  end case;
end
$$;
comment on function pgscore_models._other_number(jsonb, text) is 'A numeric feature whose JSON value is no plain number: NULL, NaN, an infinity or a boolean; raises for others.';

create or replace function pgscore_models._other_integer(value jsonb, feature text) returns bigint
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  case
    when value is null or value = 'null' then return null;
    when value in ('true', 'false') then return value::boolean::int;
    else perform pgscore_models._mistyped_feature(feature, value, 'a whole number');
  end case;
end
$$;
comment on function pgscore_models._other_integer(jsonb, text) is 'An integer feature whose JSON value is no whole number: NULL or a boolean; raises for others.';

create or replace function pgscore_models._other_boolean(value jsonb, feature text) returns boolean
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  case
    when value is null or value = 'null' then return null;
    else perform pgscore_models._mistyped_feature(feature, value, 'a boolean');
  end case;
end
$$;
comment on function pgscore_models._other_boolean(jsonb, text) is 'A boolean feature whose JSON value is no boolean: NULL; raises for others.';

create or replace function pgscore_models._other_text(value jsonb, feature text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  case
    when value is null or value = 'null' then return null;
    else perform pgscore_models._mistyped_feature(feature, value, 'a text');
  end case;
end
$$;
comment on function pgscore_models._other_text(jsonb, text) is 'A text feature whose JSON value is no string: NULL; raises for others.';

create or replace function pgscore_models._numbers(value jsonb, feature text, width int) returns double precision[]
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if value is null or value = 'null' then
    return null;
  elsif jsonb_typeof(value) <> 'array' or jsonb_array_length(value) <> width then
    perform pgscore_models._mistyped_feature(feature, value, format('an array of %s numbers', width));
  end if;
  return (select array_agg(case jsonb_typeof(e) when 'number' then e::double precision else pgscore_models._other_number(e, feature) end order by n)
            from jsonb_array_elements(value) with ordinality as x (e, n));
end
$$;
comment on function pgscore_models._numbers(jsonb, text, int) is 'An array feature out of its JSON value; raises where it is no array of that many numbers.';

create or replace function pgscore_models._match_features(features text[], given jsonb) returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  feature text;
  found text[];
  renamed jsonb := '{}';
  unnamed boolean;
  naming constant text := 'ROW(...) names its columns f1, f2, ...: pass jsonb_build_object(''name'', value, ...), or a subquery''s row: select score(''model'', r) from (select ... as name) r.';
begin
  if jsonb_typeof(given) <> 'object' then
    raise exception 'the model takes a row, not %', left(given::text, 80) using errcode = 'datatype_mismatch',
      hint = 'Pass the whole row by its table''s name or alias: select score(''model'', c) from customers c. Where the alias is also the name of a column, SQL takes the column: choose another alias.';
  end if;
  unnamed := given ? 'f1' and not exists (select from jsonb_object_keys(given) k where k !~ '^f[0-9]+$');
  if unnamed and not features @> '{f1}' then
    raise exception 'the row has no column names' using errcode = 'undefined_column', hint = naming;
  end if;
  foreach feature in array features loop
    found := array(select k from jsonb_object_keys(given) k where k = feature);
    if found = '{}' then
      found := array(select k from jsonb_object_keys(given) k where lower(k) = lower(feature));
    end if;
    if cardinality(found) <> 1 then
      raise exception 'the row has % column "%", which the model needs', case cardinality(found) when 0 then 'no' else 'more than one' end, feature using
        errcode = case cardinality(found) when 0 then 'undefined_column' else 'ambiguous_column' end,
        detail = 'The row has: ' || coalesce((select string_agg(k, ', ') from (select k from jsonb_object_keys(given) k limit 50) x), 'nothing') || '.',
        hint = case when unnamed then naming else format('Name it so in a subquery: select score(''model'', r) from (select ... as %I) r.', feature) end;
    end if;
    renamed := renamed || jsonb_build_object(feature, given -> found[1]);
  end loop;
  return renamed;
end
$$;
comment on function pgscore_models._match_features(text[], jsonb) is 'A row with its keys as the model names its features: exact, else case-insensitive where unique; raises for what is missing.';

create or replace function pgscore_data._argument_type(tensor_type text, width int) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when width > 1 then 'double precision[]'
    when tensor_type in ('float32', 'float64') then 'double precision'
    when tensor_type in ('int32', 'int64') then 'bigint'
    when tensor_type = 'bool' then 'boolean'
    else 'text'
  end
$$;
comment on function pgscore_data._argument_type(text, int) is 'SQL type of the argument that takes a feature in a compiled function.';

create or replace function pgscore_data._create_function(name name, arguments text, result text, language text, volatility text, body text, comment text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('create or replace function pgscore_models.%I(%s) returns %s language %I %s as %L', name, arguments, result, language, volatility, body);
  execute format('comment on function pgscore_models.%I(%s) is %L', name, arguments, comment);
end
$$;
comment on function pgscore_data._create_function(name, text, text, text, text, text, text) is 'Creates a generated function in pgscore_models. The body is quoted: whatever it holds, it is one function.';

create or replace function pgscore_data._create_two_ways(this_version int, types text, few text, many text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  given text := (select string_agg('$' || n, ', ' order by n) from generate_series(1, cardinality(string_to_array(types, ', '))) n);
  name text := pgscore_models._version_name(this_version);
begin
  perform pgscore_data._create_function(format('_v%s_few', this_version)::name, types, 'double precision', 'plpgsql', 'immutable parallel safe cost 2000', few,
    format('The score of %s, compiled for few rows: its trees as arrays, which PostgreSQL walks through.', name));
  perform pgscore_data._create_function(format('_v%s_many', this_version)::name, types, 'double precision', 'plpgsql', 'immutable parallel safe cost 2000', many,
    format('The score of %s, compiled for many rows: its trees as one expression, which PostgreSQL makes ready in every transaction.', name));
  -- An expression of half a million characters takes a millisecond or two to be made ready, and then a tenth of the time for a row. A statement
  -- that is young may have one row; once it has run for as long as that takes, it is no loss. Both say the same to the last bit: it is immutable.
  perform pgscore_data._create_function(format('_v%s', this_version)::name, types, 'double precision', 'plpgsql', 'immutable parallel safe cost 2000',
    format(E'begin\n  if pg_catalog.clock_timestamp() operator(pg_catalog.<) (pg_catalog.statement_timestamp() operator(pg_catalog.+) interval %4$L) then\n    return pgscore_models.%1$I(%3$s);\n  end if;\n  return pgscore_models.%2$I(%3$s);\nend',
      format('_v%s_few', this_version), format('_v%s_many', this_version), given, format('%s us', greatest(1000, length(many) / 200))),
    format('The score of %s, compiled: takes its features in the order of pgscore.models.inputs.', name));
end
$$;
comment on function pgscore_data._create_two_ways(int, text, text, text) is 'Creates _v<id>_few and _v<id>_many, two forms of a compiled score, and _v<id>, which takes the first while its statement is young.';

create or replace function pgscore_data._create_native(this_version int, features jsonb, bodies jsonb) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  types text := (select string_agg(pgscore_data._argument_type(f ->> 'type', (f ->> 'width')::int), ', ' order by n) from jsonb_array_elements(features) with ordinality as x (f, n));
  part text;
begin
  for part in select k from jsonb_object_keys(bodies) k loop
    if bodies -> part ? 'few' then
      perform pgscore_data._create_two_ways(this_version, types, bodies -> part ->> 'few', bodies -> part ->> 'body');
      continue;
    end if;
    perform pgscore_data._create_function(pgscore_data._compiled_function(this_version, part), types, pgscore_data._part_result(part), bodies -> part ->> 'language',
      'immutable parallel safe cost ' || case bodies -> part ->> 'language' when 'sql' then 10 else 2000 end, bodies -> part ->> 'body',
      format('The %s of %s, compiled: takes its features in the order of pgscore.models.inputs.', part, pgscore_models._version_name(this_version)));
  end loop;
  perform pgscore_data._create_quick(this_version, types, bodies -> 'score' ->> 'quick');
  perform pgscore_data._create_native_forms(this_version, features, array(select k from jsonb_object_keys(bodies) k));
  perform pgscore_data._renew_grants((select v.model_id from pgscore_data.version v where v.version_id = this_version));
end
$$;
comment on function pgscore_data._create_native(int, jsonb, jsonb) is
'Creates the compiled functions of a version in check: _v<id> and, where bodies has them, _v<id>_label and _v<id>_probabilities, each by arguments and by jsonb. features: as in the signature to be. Used once the version is ready and native.';

create or replace function pgscore_data._compiled_function(this_version int, part text) returns name
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select ('_v' || this_version || case part when 'score' then '' else '_' || part end)::name $$;
comment on function pgscore_data._compiled_function(int, text) is 'Name of the compiled function that gives a part of a prediction: score, label or probabilities.';

create or replace function pgscore_data._part_result(part text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select case part when 'score' then 'double precision' when 'label' then 'int' else 'double precision[]' end $$;
comment on function pgscore_data._part_result(text) is 'SQL type of a part of a prediction.';

create or replace function pgscore_data._drop_functions(this_version int) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  this regprocedure;
begin
  for this in select p.oid::regprocedure from pg_proc p where p.pronamespace = 'pgscore_models'::regnamespace
      and (p.proname = '_v' || this_version or starts_with(p.proname, '_v' || this_version || '_')) loop
    execute format('drop function %s', this);
  end loop;
  execute format('drop type if exists pgscore_models.%I', '_v' || this_version || '_row');
end
$$;
comment on function pgscore_data._drop_functions(int) is 'Drops the generated functions of a version, but for those bound to tables.';

create or replace function pgscore_data._describe_execution(this_version int) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into pgscore_data.execution (version_id, task, class_labels, positive_class, threshold, probabilities, features, native, parts, reason, evidence)
  select v.version_id, v.signature ->> 'task', labels.all, array_position(labels.all, v.signature ->> 'positiveClass'), (v.signature ->> 'threshold')::double precision,
         v.signature -> 'outputs' ? 'probabilities',
         array(select f ->> 'name' from jsonb_array_elements(v.signature -> 'features') with ordinality as x (f, n) order by n),
         coalesce(v.facts -> 'native' ? 'parts', false),
         array(select jsonb_array_elements_text(v.facts -> 'native' -> 'parts')),
         case when v.facts ? 'native' then v.facts -> 'native' ->> 'reason' else 'it was deployed before pgscore compiled models: deploy it again' end,
         coalesce(v.facts -> 'native' -> 'evidence', '{}')
    from pgscore_data.version v
    cross join lateral (select array(select l from jsonb_array_elements_text(v.signature -> 'classLabels') with ordinality as x (l, n) order by n)) labels ("all")
   where v.version_id = this_version and v.state = 'ready'
  on conflict (version_id) do nothing
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
    -- The first champion of a model that was bound, dropped and deployed anew need not fit the table any more.
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
