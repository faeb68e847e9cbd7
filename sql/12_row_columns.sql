-- char(n) without its padding in a row that becomes JSON, as in a run. Only a row with a text that ends in a space is looked at.

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

create or replace function pgscore_models._without_padding(features anyelement, given jsonb) returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select pgscore_models._trim_columns(given, pgscore_models._padded_columns(features)) $$;
comment on function pgscore_models._without_padding(anyelement, jsonb) is 'What a row is as jsonb, with char(n) without its padding.';

drop function if exists pgscore_models._without_padding(record, jsonb), pgscore_models._padded_columns(record), pgscore_models._column_types(record);
