-- What JSON does not say of the columns of a row: which are texts at all, and which are char(n), whose padding no model sees. As in a run.

create or replace function pgscore_models._is_row(type regtype) returns boolean
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select t.typtype = 'c' or t.oid = 'record'::regtype from pg_type t where t.oid = pgscore._base_type(type) $$;
comment on function pgscore_models._is_row(regtype) is 'Whether a value of a type is a row.';

create or replace function pgscore_models._int4_at(bytes bytea, at int) returns int
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select ('x' || encode(substring(bytes from at + 1 for 4), 'hex'))::bit(32)::int $$;
comment on function pgscore_models._int4_at(bytea, int) is 'Four bytes as an integer, the first the highest.';

create or replace function pgscore_models._column_types(sent bytea) returns oid[]
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  at int := 4;
  types oid[] := '{}';
begin
  for n in 1 .. pgscore_models._int4_at(sent, 0) loop
    types := types || pgscore_models._int4_at(sent, at)::oid;
    at := at + 8 + greatest(pgscore_models._int4_at(sent, at + 4), 0);
  end loop;
  return types;
end
$$;
comment on function pgscore_models._column_types(bytea) is 'The types of the columns of a row, in their order, out of what record_send() says of it: of each its type, the length of its value, -1 for NULL, the value.';

create or replace view pgscore._text_versions as
select e.version_id from pgscore_data.execution e where e.texts <> '{}';
comment on view pgscore._text_versions is 'The versions that take texts; read by everybody who calls score(), to whom pgscore.models shows as much.';

create or replace function pgscore_models._has_texts(version_id int) returns boolean
language plpgsql stable parallel safe
as $$ begin return exists (select from pgscore._text_versions v where v.version_id operator(pg_catalog.=) $1); end $$;
comment on function pgscore_models._has_texts(int) is 'Whether a version takes texts.';

create or replace function pgscore_models._mistyped_column(version_id int, columns text[], types oid[], out feature text, out column_name text, out type oid)
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select f.name, c.name, c.type
    from pgscore_data.execution e
   cross join lateral unnest(e.features) with ordinality f (name, n)
    join unnest(columns, types) c (name, type) on lower(c.name) = lower(f.name) and (c.name = f.name or f.name <> all (columns))
   where e.version_id = $1
     -- None of the types that PostgreSQL numbers by hand is an enum or a domain.
     and (f.name = any (e.texts)) <> case
           when c.type < 10000 then c.type = any ('{text,varchar,bpchar,name}'::regtype[])
           else coalesce(pgscore._wire_type(pgscore._base_type(c.type)) in ('text', 'enum'), false)
         end
   order by f.n limit 1
$$;
comment on function pgscore_models._mistyped_column(int, text[], oid[]) is 'The first feature of a version that is a text while its column is none, or the other way round: in JSON a date is like a text, and a text may be like a number that is none ("NaN"). All else that a feature cannot be is seen in its value.';

create or replace function pgscore_models._check_columns(version_id int, columns text[], types oid[]) returns void
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  mistyped record;
  wanted jsonb;
begin
  select * into mistyped from pgscore_models._mistyped_column(version_id, columns, types);
  if mistyped.feature is not null then
    select f into wanted from pgscore_data.version v cross join jsonb_array_elements(v.signature -> 'features') f where v.version_id = _check_columns.version_id and f ->> 'name' = mistyped.feature;
    raise exception 'column "%" of the row is %, and feature "%" is %', mistyped.column_name, format_type(mistyped.type, null), mistyped.feature, wanted ->> 'type' using
      errcode = 'datatype_mismatch', hint = pgscore._cast_remedy(mistyped.feature, mistyped.column_name, wanted ->> 'type', (wanted ->> 'width')::int, pgscore._base_type(mistyped.type));
  end if;
end
$$;
comment on function pgscore_models._check_columns(int, text[], oid[]) is 'Raises where a text of a version is no text in a row with these columns, or the other way round.';

create or replace function pgscore_models._taken_shape(version_id int, features anyelement) returns bigint
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select pgscore_models._shape($2)
    from (select array_agg(a.attname::text), array_agg(a.atttypid) from pg_type t join pg_attribute a on a.attrelid = t.typrelid
           where t.oid = pg_typeof($2) and t.typtype = 'c' and a.attnum > 0 and not a.attisdropped) x (columns, types)
   where (pgscore_models._mistyped_column($1, x.columns, x.types)).feature is null
$$;
comment on function pgscore_models._taken_shape(int, anyelement) is 'The shape of a row type of which each text of a version is a text; else NULL. IMMUTABLE for the same reason as _shape(): computed once in a session, and compared with what the query says.';

create or replace function pgscore_models._takes_row(version_id int, features anyelement) returns boolean
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select true from pgscore_models._check_columns($1, array(select json_object_keys(row_to_json($2))), pgscore_models._column_types(record_send($2)))
$$;
comment on function pgscore_models._takes_row(int, anyelement) is 'True; raises where a text of a version is no text in a row, or the other way round.';

create or replace function pgscore_models._padded_columns(features anyelement) returns text[]
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  -- Of a row of a subquery nothing else than record_send() says the types.
  select array_agg(c.name)
    from unnest(array(select json_object_keys(row_to_json(features))), pgscore_models._column_types(record_send(features))) c (name, type)
   where pgscore._base_type(c.type) = 'bpchar'::regtype
$$;
comment on function pgscore_models._padded_columns(anyelement) is 'The columns of a row that are char(n), domains over it too; NULL where there are none.';

create or replace function pgscore_models._trim_columns(given jsonb, columns text[]) returns jsonb
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select given || coalesce((select jsonb_object_agg(c, rtrim(given ->> c, ' ')) from unnest(columns) c where given ->> c is not null), '{}') $$;
comment on function pgscore_models._trim_columns(jsonb, text[]) is 'A row without the padding of these columns.';

create or replace function pgscore_models._as_typed(version_id int, features anyelement, given jsonb) returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select pgscore_models._trim_columns(given, array(select u.name from unnest(c.names, c.types) u (name, type) where pgscore._base_type(u.type) = 'bpchar'::regtype))
    from (select array(select json_object_keys(row_to_json(features))), pgscore_models._column_types(record_send(features))) c (names, types)
   cross join lateral pgscore_models._check_columns(version_id, c.names, c.types)
$$;
comment on function pgscore_models._as_typed(int, anyelement, jsonb) is 'What a row is as jsonb, by the types of its columns: char(n) without its padding; raises where a text is none.';

create or replace function pgscore_models._without_padding(features anyelement, given jsonb) returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select pgscore_models._trim_columns(given, pgscore_models._padded_columns(features)) $$;
comment on function pgscore_models._without_padding(anyelement, jsonb) is 'What a row is as jsonb, with char(n) without its padding.';

drop function if exists pgscore_models._without_padding(record, jsonb), pgscore_models._padded_columns(record), pgscore_models._column_types(record);
