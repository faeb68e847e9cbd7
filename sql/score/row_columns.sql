-- What JSON does not say of the columns of a row: their types. A date is like a text there, and char(n) has a padding that no model sees.

create or replace function pgscore_models._is_row(type regtype) returns boolean
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$ begin return type = 'record'::regtype
  or (select t.typtype = 'c' or t.typtype = 'd' and pgscore_models._is_row(pgscore._base_type(type)) from pg_type t
       where t.oid = type); end $$;
comment on function pgscore_models._is_row(regtype) is 'Whether a value of a type is a row.';

create or replace function pgscore_models._sent_types(sent bytea) returns oid[]
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Past the header of array_send(), and the number of columns.
  at int := 28;
  types oid[] := '{}';
begin
  while at < length(sent) loop
    types := types || ('x' || encode(substring(sent from at + 1 for 4), 'hex'))::bit(32)::int::oid;
    at := at + 8 + greatest(('x' || encode(substring(sent from at + 5 for 4), 'hex'))::bit(32)::int, 0);
  end loop;
  return types;
end
$$;
comment on function pgscore_models._sent_types(bytea) is
  'The types of the columns of a row, in their order, out of what array_send() says of an array of it alone: of each its type, the length '
  'of its value, -1 for NULL, the value. Nothing else says them of a row of a subquery.';

create or replace function pgscore_models._columns_of(type regtype, out names text[], out types oid[])
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  select array_agg(c.attname), array_agg(c.atttypid) into names, types
    from (select a.attname::text, a.atttypid from pg_attribute a
           where a.attrelid = (select case t.typtype when 'd' then (select b.typrelid from pg_type b where b.oid = pgscore._base_type(type))
                                        else t.typrelid end from pg_type t where t.oid = type)
             and a.attnum > 0 and not a.attisdropped order by a.attnum) c;
end
$$;
comment on function pgscore_models._columns_of(regtype) is 'The columns of a row type, in their order.';

create or replace function pgscore_models._is_padded(type oid) returns boolean
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$ begin return case when type < 10000 then type else pgscore._base_type(type) end = 'bpchar'::regtype; end $$;
comment on function pgscore_models._is_padded(oid) is 'Whether a type is char(n), or a domain over it.';

create or replace view pgscore._feature_types as
select e.version_id, e.features, e.types from pgscore_data.execution e;
comment on view pgscore._feature_types is
  'The features of a version, and what they are; read by everybody who calls score(), to whom pgscore.models shows as much.';

create or replace function pgscore_models._text_features(version_id int) returns text[]
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if version_id < 0 then
    return (select array_agg(t)
              from unnest(pgscore_models._arm_versions(- version_id)) a cross join unnest(pgscore_models._text_features(a)) t);
  end if;
  return (select array_agg(lower(f.name)) from pgscore._feature_types v cross join lateral unnest(v.features, v.types) f (name, type)
           where v.version_id = _text_features.version_id and f.type = 'string');
end
$$;
comment on function pgscore_models._text_features(int) is
  'The features of a version, or of the arms of an experiment, that are texts, in lower case; NULL where there are none.';

create or replace function pgscore_models._is_feature_type(feature_type text, type oid) returns boolean
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  -- No type below 10000 is a domain.
  base constant oid := case when type < 10000 then type else pgscore._base_type(type) end;
begin
  return case
    when feature_type like 'string[%' then exists (
      select from pg_type t where t.oid = base and t.typcategory = 'A'
         and pgscore._base_type(t.typelem) = any ('{text,varchar,name}'::regtype[]))
    when feature_type like '%]' then coalesce(pgscore._wire_type(base) = 'vector', false) or exists (
      select from pg_type t where t.oid = base and t.typcategory = 'A'
         and pgscore._base_type(t.typelem) = any ('{boolean,smallint,integer,bigint,real,double precision,numeric}'::regtype[]))
    when feature_type = 'string' then base = any ('{text,varchar,bpchar,name,unknown}'::regtype[])
      or coalesce(pgscore._wire_type(base) = 'enum', false)
    when feature_type = 'bool' then base = 'boolean'::regtype
    else base = any ('{boolean,smallint,integer,bigint,real,double precision,numeric}'::regtype[])
  end;
end
$$;
comment on function pgscore_models._is_feature_type(text, oid) is
  'Whether a value of a type may be a feature. Wider than pgscore.feature_casts: of a number it is seen whether it is whole, and in what '
  'range.';

create or replace function pgscore_models._mistyped_column(version_id int, columns text[], column_types oid[], out feature text,
                                                           out feature_type text, out column_name text, out column_type oid)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  lowered constant text[] := array(select lower(c) from unnest(columns) c);
begin
  select f.name, f.type, c.name, c.type into feature, feature_type, column_name, column_type
    from pgscore._feature_types v
   cross join lateral unnest(v.features, v.types) with ordinality f (name, type, n)
    join (select u.name, u.type, k.key from unnest(columns, column_types) u (name, type)
           cross join lateral (select lower(u.name) union select lower(regexp_replace(u.name, '[^\w+]', '_', 'g'))) k (key)
          -- OFFSET 0 keeps this apart: the planner expects ten columns, and would read a thousand features for each of a thousand.
          offset 0) c
      on c.key = lower(f.name) and (c.name = f.name or f.name <> all (columns) and (c.key = lower(c.name) or c.key <> all (lowered)))
   where v.version_id = _mistyped_column.version_id and f.type is not null and not pgscore_models._is_feature_type(f.type, c.type)
   order by f.n limit 1;
  -- That a column is ambiguous is said first.
  if column_name <> feature and (select count(*) from unnest(columns) c where lower(feature)
    in (lower(c), case when lower(feature) <> all (lowered) then lower(regexp_replace(c, '[^\w+]', '_', 'g')) end)) > 1 then
    feature := null;
  end if;
end
$$;
comment on function pgscore_models._mistyped_column(int, text[], oid[]) is
  'The first feature of a version that a column cannot be, by its type.';

create or replace function pgscore_models._check_columns(version_id int, columns text[], types oid[]) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  mistyped record;
begin
  if version_id < 0 then
    perform pgscore_models._check_columns(a, columns, types) from unnest(pgscore_models._arm_versions(- version_id)) a;
    return;
  end if;
  select * into mistyped from pgscore_models._mistyped_column(version_id, columns, types);
  -- Whoever may not use the model gets that error instead.
  if mistyped.feature is not null and has_function_privilege(format('pgscore_models._v%s_online(jsonb, name)', version_id), 'execute') then
    raise exception 'column "%" of the row is %, and feature "%" is %', mistyped.column_name, format_type(mistyped.column_type, null),
      mistyped.feature, mistyped.feature_type using
      errcode = 'datatype_mismatch',
      hint = pgscore._cast_remedy(mistyped.feature, mistyped.column_name, split_part(mistyped.feature_type, '[', 1),
                                  case when mistyped.feature_type like '%]' then 2 else 1 end, pgscore._base_type(mistyped.column_type));
  end if;
end
$$;
comment on function pgscore_models._check_columns(int, text[], oid[]) is
  'Raises where a feature of a version cannot be the column of its name in a row with these columns.';

create or replace function pgscore_models._taken_shape(version_id int, features anyelement) returns bigint
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  columns record;
begin
  select * into columns from pgscore_models._columns_of(pg_typeof(features));
  -- An old snapshot may not see the version, or not as it is: then nothing is known.
  return case when exists (select from pgscore._feature_types v where v.version_id = _taken_shape.version_id and v.types <> '{}')
           and (pgscore_models._mistyped_column(version_id, columns.names, columns.types)).feature is null
    then pgscore_models._shape(features) end;
end
$$;
comment on function pgscore_models._taken_shape(int, anyelement) is
  'The shape of a row type whose columns may be the features of a version; else NULL. IMMUTABLE for the same reason as _shape(): computed '
  'once in a session, and compared with what the query says.';

create or replace function pgscore_models._takes_row(version_id int, features anyelement, relation regclass) returns boolean
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  columns record;
begin
  select * into columns from pgscore_models._columns_of(pg_typeof(features));
  perform pgscore_models._check_columns(version_id, columns.names, columns.types);
  return true;
end
$$;
comment on function pgscore_models._takes_row(int, anyelement, regclass) is
  'True; raises where a column of a row of a table cannot be the feature of its name. relation: its _relation(), by which expressions '
  'with this are made anew when the table is altered.';

create or replace function pgscore_models._trim_columns(given jsonb, columns text[]) returns jsonb
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select given || coalesce((select jsonb_object_agg(c, rtrim(given ->> c, ' ')) from unnest(columns) c where given ->> c is not null),
                               '{}') $$;
comment on function pgscore_models._trim_columns(jsonb, text[]) is 'A row without the padding of these columns.';

create or replace function pgscore_models._checked_row(version_id int, given jsonb, names text[], types oid[]) returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  texts constant text[] := pgscore_models._text_features(version_id);
begin
  -- Most rows have their texts in columns of plain text types.
  if exists (select from unnest(names, types) u (name, type)
              where u.type <> all ('{text,varchar,bpchar,name}'::regtype[])
                and (lower(u.name) = any (texts) or lower(regexp_replace(u.name, '[^\w+]', '_', 'g')) = any (texts))
                and jsonb_typeof(given -> u.name) = 'string' and not pgscore_models._is_feature_type('string', u.type))
    or given @? '$.* ? (@ like_regex "^NaN$|^-?Infinity$")' or 'bpchar[]'::regtype = any (types)
  then
    perform pgscore_models._check_columns(version_id, array_agg(u.name), array_agg(u.type)) from unnest(names, types) u (name, type)
      where (given -> u.name) @? '$ ? (@ starts with "")';
  end if;
  if given @? '$.* ? (@ like_regex " $")' then
    return pgscore_models._trim_columns(given, array(select u.name from unnest(names, types) u (name, type)
                                                      where pgscore_models._is_padded(u.type)));
  end if;
  return given;
end
$$;
comment on function pgscore_models._checked_row(int, jsonb, text[], oid[]) is
  'What a row is as jsonb, by the types of its columns: char(n) without its padding. Raises where what is written as a text is of a type '
  'that its feature cannot be.';

-- A subquery in _features() in its place costs every row of a subquery 2.8 of 28 µs.
create or replace function pgscore_models._checked_row(version_id int, given jsonb, type regtype) returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  columns record;
begin
  select * into columns from pgscore_models._columns_of(type);
  return pgscore_models._checked_row(version_id, given, columns.names, columns.types);
end
$$;
comment on function pgscore_models._checked_row(int, jsonb, regtype) is
  '_checked_row() for a row of a table, whose columns are those of its type.';

create or replace function pgscore_models._without_padding(features anyelement, given jsonb) returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select pgscore_models._trim_columns(given,
                                          array(select c.name from unnest(array(select json_object_keys(to_json($1))),
                                              pgscore_models._sent_types(array_send(array[$1]))) c (name, type)
                                        where pgscore_models._is_padded(c.type))) $$;
comment on function pgscore_models._without_padding(anyelement, jsonb) is 'What a row is as jsonb, with char(n) without its padding.';
