-- Wrappers of a compiled function: for a row of any table, for jsonb, and for columns that are all real.

create or replace function pgscore_data._is_whole(number text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select format('mod(%1$s, ''1'') = ''0'' and %1$s >= ''-9223372036854775808'' and %1$s <= ''9223372036854775807''', number)
$$;
comment on function pgscore_data._is_whole(text) is 'The SQL that asks whether a numeric is a whole number of 64 bits.';

create or replace function pgscore_data._json_argument(feature text, tensor_type text, width int) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select format(case
      when width <> 1 then 'pgscore_models._numbers(f -> %1$L, %1$L, ' || width || ')'
      when tensor_type in ('float32', 'float64')
        then 'case jsonb_typeof(f -> %1$L) when ''number'' then (f -> %1$L)::double precision '
             'else pgscore_models._other_number(f -> %1$L, %1$L) end'
      when tensor_type in ('int32', 'int64')
        then 'case when jsonb_typeof(f -> %1$L) = ''number'' and ' || pgscore_data._is_whole('(f -> %1$L)::numeric')
               || ' then (f -> %1$L)::bigint else pgscore_models._other_integer(f -> %1$L, %1$L) end'
      when tensor_type = 'bool'
        then 'case jsonb_typeof(f -> %1$L) when ''boolean'' then (f -> %1$L)::boolean '
             'else pgscore_models._other_text(f -> %1$L, %1$L, ''a boolean'')::boolean end'
      else 'case jsonb_typeof(f -> %1$L) when ''string'' then f ->> %1$L else pgscore_models._other_text(f -> %1$L, %1$L, ''a text'') end'
    end, feature)
$$;
comment on function pgscore_data._json_argument(text, text, int) is
  'The SQL that takes a feature out of the jsonb f for a compiled function.';

create or replace function pgscore_data._create_numbers_type(this_version int, features jsonb) returns name
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  type_name name := '_v' || this_version || '_numbers';
  attributes text;
begin
  select string_agg(format('%I %s', f.name, case f.argument when 'bigint' then 'numeric' else f.argument end), ', ' order by f.n)
    into attributes from pgscore_data._features_of(features) f where f.is_number
  -- A longer name would be cut, and so be another key. A jsonpath of a thousand steps nests as deep.
  having count(*) between 1 and 500 and max(octet_length(f.name)) <= 63;
  if attributes is null then
    return null;
  end if;
  if to_regtype(format('pgscore_models.%I', type_name)) is null then
    execute format('create type pgscore_models.%I as (%s)', type_name, attributes);
    execute format('revoke usage on type pgscore_models.%I from public', type_name);
    execute format('comment on type pgscore_models.%I is %L', type_name,
                   format('The features of %s that are numbers.', pgscore_models._version_name(this_version)));
  end if;
  return type_name;
end
$$;
comment on function pgscore_data._create_numbers_type(int, jsonb) is
  'Makes the type _v<id>_numbers that takes the numbers out of a row in one pass; NULL where there can be none.';

create or replace function pgscore_data._plain_path(features jsonb) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  -- 1e400 is no double: != is true for every number and null, and unknown for all else and for a missing key.
  select 'strict ' || string_agg(format(case when f.is_number then '$.%s != 1e400' else 'exists($.%s)' end, to_json(f.name)),
                                 ' && ' order by f.n)
    from pgscore_data._features_of(features) f
$$;
comment on function pgscore_data._plain_path(jsonb) is
  'The jsonpath that holds for a row with all features by their exact names and a number or null in each that is one.';

create or replace function pgscore_data._create_json(this_version int, part text, features jsonb, numbers_type name) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  names text := (select string_agg(quote_literal(f.name), ', ' order by f.n) from pgscore_data._features_of(features) f);
  compiled name := pgscore_data._compiled_function(this_version, part);
  body text := format(E'  if not f ?& array[%1$s] then\n    f := pgscore_models._match_features(array[%1$s], f);\n  end if;\n%2$s',
                      names, pgscore_data._json_call(compiled, features, false));
begin
  if numbers_type is not null then
    body := format(E'  if f @@ %L::jsonpath then\n    r := jsonb_populate_record(null::pgscore_models.%I, f);\n%s  end if;\n',
                   pgscore_data._plain_path(features), numbers_type, pgscore_data._json_call(compiled, features, true)) || body;
  end if;
  perform pgscore_data._create_function(compiled || '_json', 'f jsonb', pgscore_data._part_result(part), 'plpgsql',
                                        'immutable parallel safe cost 5000 ' || pgscore_data._pinned(),
    case when numbers_type is null then '' else format(E'declare\n  r pgscore_models.%I;\n', numbers_type) end
      || E'begin\n' || body || 'end',
    format('The %s of %s for a row as jsonb.', part, pgscore_models._version_name(this_version)));
end
$$;
comment on function pgscore_data._create_json(int, text, jsonb, name) is
  'Creates the form of a compiled function that takes a row as jsonb. One whose numbers are numbers, the usual one, takes them in one '
  'pass; of any other, each key is looked at.';

create or replace function pgscore_data._json_call(compiled name, features jsonb, plain boolean) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  -- Variables, as an expression in place of an argument would be computed wherever the function uses it.
  select coalesce(E'  declare\n' || string_agg(format(E'    f%s %s := %s;\n', f.n, f.argument, w.value), '' order by f.n)
                                       filter (where not z.bare), '')
      || format(E'  begin\n    return pgscore_models.%I(%s);\n  end;\n', compiled,
                string_agg(case when z.bare then w.value else 'f' || f.n end, ', ' order by f.n))
    from pgscore_data._features_of(features) f
   cross join lateral (select plain and f.is_number and f.argument = 'double precision') z (bare)
   cross join lateral (
     select case
       when z.bare then format('r.%I', f.name)
       when plain and f.is_number
         then format('case when %1$s then r.%2$I::bigint else pgscore_models._other_integer(f -> %2$L, %2$L) end',
                     pgscore_data._is_whole(format('r.%I', f.name)), f.name)
       else pgscore_data._json_argument(f.name, f.type, f.width)
     end) w (value)
$$;
comment on function pgscore_data._json_call(name, jsonb, boolean) is
  'The PL/pgSQL that calls a compiled function with features out of the jsonb f, those that are numbers out of the record r where the row '
  'is plain.';

create or replace function pgscore_models._fitting_shape(wanted jsonb, features anyelement) returns bigint
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return case when not exists (
    select from jsonb_array_elements(wanted) f
     where not exists (
       select from pg_type t join pg_attribute a on a.attrelid = t.typrelid
        where t.oid = pg_typeof(features) and a.attnum > 0 and not a.attisdropped and a.attname::text = f ->> 'name'
          and (f ->> 'width')::int = 1
          and pgscore._base_type(a.atttypid) = any (case
            when f ->> 'type' = 'float32' then '{real,double precision,numeric,smallint,integer,bigint}'
            -- Not real, which has more digits as a double precision than as JSON.
            when f ->> 'type' = 'float64' then '{double precision,numeric,smallint,integer,bigint}'
            when f ->> 'type' in ('int32', 'int64') then '{smallint,integer,bigint}'
            when f ->> 'type' = 'bool' then '{boolean}'
            else '{text,character varying,character}'
          end::regtype[]))
  ) then pgscore_models._shape(features) end;
end
$$;
comment on function pgscore_models._fitting_shape(jsonb, anyelement) is
  'The shape of a row type that has every feature by its exact name and of a type that needs no look at its values; else NULL. IMMUTABLE '
  'for the same reason as _shape(): computed once in a session, and compared with what the query says.';

create or replace function pgscore_data._create_row(this_version int, features jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  columns text := (select string_agg(format('features.%I::%s', f.name, f.argument), ', ' order by f.n)
                     from pgscore_data._features_of(features) f);
  texts text[] := array(select quote_literal(f.name) from pgscore_data._features_of(features) f where f.type = 'string' order by f.n);
  -- The types of columns are looked at only where a text may be padded.
  unpadded text := case when texts <> '{}' then format(
    E'  if not f ?& array[%s]%s then\n    f := pgscore_models._without_padding(features, f);\n  end if;\n',
    array_to_string(texts, ', '), (select string_agg(format(' or right(f ->> %s, 1) = %L', t, ' '), '') from unnest(texts) t)) end;
begin
  perform pgscore_data._create_function(format('_v%s_row', this_version)::name, 'features anyelement, shape bigint', 'double precision',
                                        'plpgsql', 'immutable parallel safe cost 5000 ' || pgscore_data._pinned(),
    format(E'declare\n  f jsonb;\nbegin\n  if shape = pgscore_models._fitting_shape(%L, case when false then features end) then\n'
           '    return pgscore_models.%I(%s);\n  end if;\n  f := to_jsonb(features);\n%s  return pgscore_models.%I(f);\nend',
      features, '_v' || this_version, columns, unpadded, format('_v%s_json', this_version)),
    format('The score of %s for a row of any table. Columns of the very names and of fitting types are taken as they are; of any other '
           'row, by way of jsonb.', pgscore_models._version_name(this_version)));
end
$$;
comment on function pgscore_data._create_row(int, jsonb) is
  'Creates the form of a compiled score that takes a row. PL/pgSQL makes one of it for each row type of a session.';

create or replace function pgscore_data._create_quick(this_version int, types text, quick text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if quick is not null then
    perform pgscore_data._create_function(format('_v%s_quick', this_version)::name, types, 'double precision', 'sql',
                                          'immutable parallel safe cost 10', quick,
      format('The score of %s where no feature is missing and none past its range, else NULL.',
             pgscore_models._version_name(this_version)));
    -- PL/pgSQL keeps the checks of the features out of the query, which would take three times as long to plan. Cost 1, as few rows come
    -- here.
    perform pgscore_data._create_function(format('_v%s_checked', this_version)::name, types, 'double precision', 'plpgsql',
                                          'immutable parallel safe cost 1',
      format(E'begin\n  return pgscore_models.%I(%s);\nend', '_v' || this_version,
             (select string_agg('$' || n, ', ' order by n) from generate_series(1, cardinality(string_to_array(types, ', '))) n)),
      format('The score of %s for a row that _quick leaves open.', pgscore_models._version_name(this_version)));
  end if;
end
$$;
comment on function pgscore_data._create_quick(int, text, text) is
  'Creates _v<id>_quick and, for the rows that it leaves open, _v<id>_checked: what is bound to a table calls these.';

create or replace function pgscore_data._create_real(this_version int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  compiled record;
  type text;
begin
  select p.prosrc, p.pronargs into compiled
    from pg_proc p join pg_language l on l.oid = p.prolang
   where p.pronamespace = 'pgscore_models'::regnamespace and p.proname in ('_v' || this_version, '_v' || this_version || '_quick')
     and l.lanname = 'sql'
     and 'double precision'::regtype = all (p.proargtypes)
   order by length(p.proname) desc limit 1;
  if regexp_replace(compiled.prosrc, '\$[0-9]+ ([-+*/]|[<>]=?) -?''([-+.0-9e]+|Infinity)''::double precision|\$[0-9]+ is null|then '
                                     '\$[0-9]+ when |then \(?pgscore_models\._past_float32\(\$[0-9]+, |then \$[0-9]+ else '
                                     '\(|(nullif|coalesce)\(\$[0-9]+, ''[-+.0-9eNa]+''::double precision\)', '', 'g') !~ '\$[0-9]' then
    -- The second is for a bound table of which a column is given another type: PostgreSQL then chooses it.
    foreach type in array '{real,double precision}'::text[] loop
      perform pgscore_data._create_function(format('_v%s_real', this_version)::name,
                                            array_to_string(array_fill(type, array[compiled.pronargs]), ', '), 'double precision', 'sql',
        'immutable parallel safe cost 10', compiled.prosrc,
        format('The score of %s for features that are all %s, by _quick where there is one.', pgscore_models._version_name(this_version),
               type));
    end loop;
  end if;
end
$$;
comment on function pgscore_data._create_real(int) is
  'Creates _v<id>_real, the compiled score without a cast of each feature, where features meet nothing but constants in double precision: '
  'what PostgreSQL computes of a real and a double precision, it computes in double precision.';

create or replace function pgscore_data._create_native_forms(this_version int, features jsonb, parts text[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  numbers_type name := pgscore_data._create_numbers_type(this_version, features);
  part text;
begin
  foreach part in array parts loop
    perform pgscore_data._create_json(this_version, part, features, numbers_type);
  end loop;
  if 'score' = any (parts) then
    perform pgscore_data._create_row(this_version, features);
    perform pgscore_data._create_real(this_version);
  end if;
end
$$;
comment on function pgscore_data._create_native_forms(int, jsonb, text[]) is 'Creates what compiled functions take beside their arguments.';

-- Versions and bindings of earlier releases get the forms of this one.
select pgscore_data._create_native_forms(e.version_id, v.signature -> 'features', e.parts), pgscore_data._renew_grants(v.model_id)
  from pgscore_data.execution e join pgscore_data.version v using (version_id) where e.native;

do $$
declare
  this pgscore_data.model;
begin
  for this in select m.* from pgscore_data.model m loop
    begin
      perform pgscore_data._renew_bindings(this.model_id);
    exception when others then
      raise warning 'the typed functions of model % are as they were: %', this.name, sqlerrm;
    end;
  end loop;
end
$$;
