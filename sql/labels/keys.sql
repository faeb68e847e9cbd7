-- How the key of an entity is spelled: in labels, in kept predictions, and as the code that blocks store.
--
-- The functions that run for each label have no SET clause, so that PostgreSQL inlines them into the query that calls them.

create or replace function pgscore_data._spelled(key_column text, family text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format(case family
    when 'numeric' then 'pg_catalog.concat(pg_catalog.trim_scale(%s))'
    when 'bpchar' then 'pg_catalog.rtrim(pg_catalog.concat(%s))'
    else 'pg_catalog.concat(%s)' end, key_column);
comment on function pgscore_data._spelled(text, text) is
  'The expression that spells a key column of a family of types: numeric without trailing zeros, char(n) without trailing blanks. '
  'So labels keyed by 1.00 are those of 1. concat() calls no function of a type''s owner; a cast would.';

create or replace function pgscore_data._key_expression(keys jsonb) returns text
language sql stable
set search_path = pg_catalog, pg_temp
return (select 'array[' || string_agg(pgscore_data._spelled(format('p.%I', k ->> 'name'),
                                                            pgscore._key_family(to_regtype(k ->> 'sql_type'))), ', ' order by n) || ']'
        from jsonb_array_elements(keys) with ordinality as x (k, n));
comment on function pgscore_data._key_expression(jsonb) is 'The expression of a prediction''s key, spelled as labels spell it.';

create or replace function pgscore_data._canonical_key(this_model int, base text, key text[]) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
  families constant text[] := (select m.key_types from pgscore_data.monitor m where m.model_id = this_model);
  canonical text[];
begin
  if families is null then
    return key;
  end if;
  if array_ndims(key) > 1 or array_lower(key, 1) <> 1 then
    raise exception 'the key of model "%" is a list that counts from 1', base using
      errcode = 'invalid_parameter_value', hint = 'Pass one value a column: array[''a'', ''b''].';
  elsif cardinality(key) is distinct from cardinality(families) or array_position(key, null) is not null then
    raise exception 'the key of model "%" has % (%), and %', base,
      case cardinality(families) when 1 then '1 column' else cardinality(families) || ' columns' end, array_to_string(families, ', '),
      case when cardinality(key) = cardinality(families) then 'none is NULL'
        when cardinality(key) = 1 then '1 value was given' else coalesce(cardinality(key), 0) || ' values were given' end
      using errcode = 'invalid_parameter_value',
        hint = 'Pass one value a column, in the order of the predictions'' key: array[''a'', ''b''].';
  end if;
  begin
    execute format('select array[%s]', (
      select string_agg(pgscore_data._spelled(format('%L::%s', key[n], families[n]), families[n]), ', ' order by n)
        from generate_subscripts(families, 1) n)) into canonical;
  exception
    when data_exception then
      raise exception 'the key of model "%" is (%), not (%)', base, array_to_string(families, ', '), array_to_string(key, ', ') using
        errcode = 'invalid_parameter_value', detail = sqlerrm, hint = 'Pass the values as they stand in the key of the predictions.';
  end;
  return canonical;
end
$$;
comment on function pgscore_data._canonical_key(int, text, text[]) is
  'A key, spelled as kept predictions spell it. Raises an error if the model can''t have such a key.';

create or replace function pgscore_data._has_key(t pgscore_data.target) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select count(a.attname) = jsonb_array_length(t.key_columns)
    from jsonb_array_elements(t.key_columns) k
    left join pg_attribute a on a.attrelid = to_regclass('pgscore_predictions.target_' || t.target_id)
     and a.attname = k.value ->> 'name' and not a.attisdropped;
end;
comment on function pgscore_data._has_key(pgscore_data.target) is
  'Whether the predictions of a target have their key: a user can drop the type of a key column with CASCADE, and with it the column.';

create or replace function pgscore_data._can_have_labels(t pgscore_data.target) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
return pgscore_data._can_have_labels(t.task, t.score_unit) and pgscore_data._has_key(t);
comment on function pgscore_data._can_have_labels(pgscore_data.target) is
  'Whether a label can judge the predictions of a target: by its task, and if they have their key.';

create or replace function pgscore_data._code_expression(keys jsonb) returns text
language sql stable
set search_path = pg_catalog, pg_temp
return case
  -- A cast gives the same text for these types, in a fourth of the time.
  when jsonb_array_length(keys) = 1 and pgscore._key_family(to_regtype(keys -> 0 ->> 'sql_type')) in ('bigint', 'text', 'uuid')
    then format('p.%I::text', keys -> 0 ->> 'name')
  else format('pgscore_data._key_code(%s)', pgscore_data._key_expression(keys)) end;
comment on function pgscore_data._code_expression(jsonb) is 'The expression of the key of a prediction p, as blocks store it.';

-- Stable: PostgreSQL does not inline an immutable function that calls a stable one, as casts of arrays are.

create or replace function pgscore_data._key_code(key text[]) returns text
language sql stable parallel safe
return case when cardinality(key) = 1 then key[1] else key::text end;
comment on function pgscore_data._key_code(text[]) is
  'A key as blocks store it: its value, or the text of the array if it has several columns.';

create or replace function pgscore_data._key_of(code text, n_columns int) returns text[]
language sql stable parallel safe
return case when n_columns = 1 then array[code] else code::text[] end;
comment on function pgscore_data._key_of(text, int) is 'The key that a block stores as code.';
