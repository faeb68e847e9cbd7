-- What compiled functions read out of jsonb, and what they refuse of a feature.

create or replace function pgscore_models._null_feature(feature text, bad_values text) returns double precision
-- Cost 1: with more, the planner would compile (JIT) queries that take less time than that.
language plpgsql immutable parallel safe cost 1
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'feature % is %', quote_ident(feature), bad_values using
    errcode = 'null_value_not_allowed',
    hint = format('Leave such rows out (where %I is not null), have NULL for them (score_or_null), give a value (coalesce), '
      'or deploy with null_values%s.',
      feature, case when bad_values like '%NaN%' then ' or nulls => ''nan''' else '' end);
end
$$;
comment on function pgscore_models._null_feature(text, text) is
'Raises that a feature is missing where the model handles no missing value.
bad_values: what its type allows of that, such as NULL or NaN. Only floats have NaN, which nulls => nan is for.';

create or replace function pgscore_models._past_float32(value double precision, feature text) returns double precision
language plpgsql immutable parallel safe cost 1
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'feature % is %, a number that float32 can not hold', quote_ident(feature), value using
    errcode = 'numeric_value_out_of_range',
    hint = format('Leave such rows out, or bound them: least(greatest(%1$I, -3.4e38), 3.4e38).', feature);
end
$$;
comment on function pgscore_models._past_float32(double precision, text) is
'Raises that a feature is past the range of float32, as a batch row fails.';

create or replace function pgscore_models._past_int32(value bigint, feature text) returns bigint
language plpgsql immutable parallel safe cost 1
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'feature % is %, a number that int32 can not hold', quote_ident(feature), value using
    errcode = 'numeric_value_out_of_range',
    hint = format('Leave such rows out, or bound them: least(greatest(%1$I, -2147483648), 2147483647).', feature);
end
$$;
comment on function pgscore_models._past_int32(bigint, text) is 'Raises that a feature is past the range of int32, as a batch row fails.';

create or replace function pgscore_models._number_remedy(feature text, value text) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  -- Only the JSON of the value is known here, not the type of its column. Each of these casts takes a text, too.
  select 'A text is never taken for a number: give ' || case
    when value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' then
      format('the part that the model was trained on, as in extract(month from %I::timestamp).', feature)
    when value ~ '^[0-9]{2}:[0-9]{2}:[0-9.]+$' or value ~ '^-?[0-9]+ (year|mon|day)' then
      format('seconds, as in extract(epoch from %I::interval).', feature)
    -- By way of text, as not every type has a cast to a number.
    when value ~ '^\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*$' then format('%I::text::double precision.', feature)
    when value ~ '^-?[^-+.0-9A-Za-z\s]{1,3}[0-9.,]+$' then format('%I::money::numeric.', feature)
    else 'the number that the model was trained on, computed of it.'
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
      when value in ('"NaN"', '"Infinity"', '"-Infinity"') then
        format('A whole number can not be it. Leave such rows out (where abs(%1$I) < ''Infinity''), or give a value.', feature)
      when jsonb_typeof(value) = 'string' and wanted in ('a number', 'a whole number') then
        pgscore_models._number_remedy(feature, value #>> '{}')
      when jsonb_typeof(value) = 'string' and wanted = 'a boolean' then
        format('A text is never taken for a boolean: cast it, as in %I::text::boolean.', feature)
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
comment on function pgscore_models._other_number(jsonb, text) is
'A numeric feature whose JSON value is no plain number: NULL, NaN, an infinity or a boolean; raises for others.';

create or replace function pgscore_models._other_integer(value jsonb, feature text) returns bigint
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  case
    when value is null or value = 'null' then return null;
    when value in ('true', 'false') then return value::boolean::int;
    when jsonb_typeof(value) = 'number' and mod(value::numeric, 1) = 0 then
      raise exception 'feature % is %, a number that int64 can not hold', quote_ident(feature), left(value::text, 40)
        using errcode = 'numeric_value_out_of_range', hint = 'Leave such rows out, or bound them.';
    else perform pgscore_models._mistyped_feature(feature, value, 'a whole number');
  end case;
end
$$;
comment on function pgscore_models._other_integer(jsonb, text) is
'An integer feature whose JSON value is no whole number: NULL or a boolean; raises for others.';

create or replace function pgscore_models._other_text(value jsonb, feature text, wanted text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if value is not null and value <> 'null' then
    perform pgscore_models._mistyped_feature(feature, value, wanted);
  end if;
  return null;
end
$$;
comment on function pgscore_models._other_text(jsonb, text, text) is
'A feature whose JSON value is not the text or boolean that is wanted: NULL; raises for others.';

create or replace function pgscore_models._vector_array(value jsonb) returns jsonb
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case
    when jsonb_typeof(value) = 'string'
      and value #>> '{}' ~ '^\[(-?(0|[1-9]\d*)(\.\d+)?(e[-+]?\d+)?(,(?!\])|(?=\]$)))+\]$' then (value #>> '{}')::jsonb
    else value
  end
$$;
comment on function pgscore_models._vector_array(jsonb) is
'A vector of pgvector, which to_jsonb() writes as a text, as an array; any other value as it is.';

create or replace function pgscore_models._numbers(value jsonb, feature text, width int) returns double precision[]
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  given constant jsonb := pgscore_models._vector_array(value);
begin
  if given is null or given = 'null' then
    return null;
  elsif jsonb_typeof(given) <> 'array' or jsonb_array_length(given) <> width then
    perform pgscore_models._mistyped_feature(feature, given, format('an array of %s numbers', width));
  end if;
  return (
    select array_agg(
        case jsonb_typeof(e) when 'number' then e::double precision else pgscore_models._other_number(e, feature) end order by n)
      from jsonb_array_elements(given) with ordinality as x (e, n));
end
$$;
comment on function pgscore_models._numbers(jsonb, text, int) is
'An array feature out of its JSON value; raises where it is no array of that many numbers.';

create or replace function pgscore_models._match_features(features text[], given jsonb) returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  feature text;
  found text[];
  renamed jsonb := '{}';
  unnamed boolean;
  naming constant text := 'ROW(...) names its columns f1, f2, ...: pass jsonb_build_object(''name'', value, ...), '
    'or a subquery''s row: select score(''model'', r) from (select ... as name) r.';
begin
  if jsonb_typeof(given) <> 'object' then
    perform pgscore_models._refuse_value(given);
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
    -- As skl2onnx rewrites names: Weight in (lbs) becomes Weight_in__lbs_.
    if found = '{}' then
      found := array(select k from jsonb_object_keys(given) k
                      where length(k) = length(feature) and k <> all (features)
                        and lower(regexp_replace(k, '[^\w+]', '_', 'g')) = lower(feature));
    end if;
    -- As _separate_duplicates() names two columns of one name; one such name alone is of a column of its own.
    if found = '{}' and (select count(*) from jsonb_object_keys(given) k
      where lower(k) in (lower(feature) || ' (1 of 2)', lower(feature) || ' (2 of 2)')) > 1 then
      found := array[feature, feature];
    end if;
    if cardinality(found) <> 1 then
      raise exception 'the row has % column "%", which the model needs',
        case cardinality(found) when 0 then 'no' else 'more than one' end, feature using
        errcode = case cardinality(found) when 0 then 'undefined_column' else 'ambiguous_column' end,
        detail = 'The row has: '
          || coalesce((select string_agg(k, ', ') from (select k from jsonb_object_keys(given) k limit 50) x), 'nothing') || '.',
        hint = case when unnamed then naming
          else format('Name it so in a subquery: select score(''model'', r) from (select ... as %I) r.', feature) end;
    end if;
    renamed := renamed || jsonb_build_object(feature, given -> found[1]);
  end loop;
  return renamed;
end
$$;
comment on function pgscore_models._match_features(text[], jsonb) is
'A row with its keys as the model names its features: exact, else case-insensitive, else as skl2onnx rewrites them, where unique; raises '
'for what is missing.';
