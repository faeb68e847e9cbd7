-- What score(), predict() and classify() are given: a row of any kind as jsonb, and all else refused with the way to write it.

create or replace function pgscore_models._apart(columns json, given jsonb) returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  twins text[];
begin
  if (select count(*) from json_object_keys(columns)) = (select count(*) from jsonb_object_keys(given)) then
    return given;
  end if;
  twins := array(select c.key from json_each(columns) c group by c.key having count(distinct c.value::text) > 1);
  return (given - twins) || coalesce((select jsonb_object_agg(t || n, null)
                                        from unnest(twins) t, unnest('{" (1 of 2)"," (2 of 2)"}'::text[]) n), '{}');
end
$$;
comment on function pgscore_models._apart(json, jsonb) is
  'A row of a subquery in which columns of one name that differ are kept apart, as (1 of 2) and (2 of 2): jsonb would take the last for '
  'all of them.';

do $$
begin
  -- In SQL: PL/pgSQL takes what the query calls a record to be of the type of the first in a session. A row of nothing but NULL IS NULL as
  -- well, and is a row.
  execute format($create$create
                 or replace function pgscore_models._features(version_id int, texts text[], features anyelement) returns jsonb
    language sql stable parallel safe set search_path = pg_catalog, pg_temp set extra_float_digits = 1 as %L$create$, format($body$
  select case
      when x.given @? '$.* ? (@ starts with "")' and pg_typeof($3) <> 'jsonb'::regtype
        and (x.given @? '$.* ? (@ like_regex " $|^NaN$|^-?Infinity$")' or $2 is not null)
        then case pg_typeof($3)
            when 'record'::regtype then pgscore_models._as_typed($1, $2, x.given, array(select json_object_keys(to_json($3))),
                                                                 pgscore_models._sent_types(array_send(array[$3])))
            else pgscore_models._as_typed($1, $2, x.given, pg_typeof($3))
          end
      else x.given
    end
    from (select case
              when num_nulls($3) = 1 then null
              when pg_typeof($3) <> 'record'::regtype%s then to_jsonb($3)
              else pgscore_models._apart(to_json($3), to_jsonb($3))
            end offset 0) x (given)$body$,
    -- Before PostgreSQL 16 it takes 10 µs a row to know.
    case when current_setting('server_version_num')::int >= 160000 then ' or to_json($3) is json object with unique keys' else '' end));
end
$$;
comment on function pgscore_models._features(int, text[], anyelement) is
  'A row as jsonb, for a version and its _texts(), the same whatever the session has set; NULL for the row that an outer join did not '
  'find. Raises where what is a text there is of a type that its feature cannot be.';

-- What was bound to a table in a schema that was closed to us since can't be made anew, and calls this.
create or replace function pgscore_models._features(features anyelement) returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select pgscore_models._features(null, null, $1) $$;
comment on function pgscore_models._features(anyelement) is 'A row as jsonb, for functions of the release before.';

create or replace function pgscore_models._shape(features anyelement) returns bigint
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_typeof(features) = 'record'::regtype then
    return 0;
  end if;
  -- None of the types that PostgreSQL numbers by hand is a domain, and to look under one takes as long as all else of a column ten times
  -- over.
  return (select bit_xor(hashtextextended(a.attname::text, a.attnum::bigint << 32 | a.atttypid::bigint)) & -2
                 | max((case when a.atttypid < 10000 then a.atttypid else pgscore._base_type(a.atttypid) end = 'bpchar'::regtype)::int)
            from pg_type t join pg_attribute a on a.attrelid = t.typrelid
           where t.oid = pg_typeof(features) and t.typtype = 'c' and a.attnum > 0 and not a.attisdropped);
end
$$;
comment on function pgscore_models._shape(anyelement) is
  'A number that stands for the columns of a row type and their types, odd where one of them is char(n), whose padding no model sees; 0 '
  'for a row of a subquery, whose columns nothing says before it is there; NULL for what is no row. Called IMMUTABLE so that the planner '
  'computes it: ALTER TABLE makes plans that read the table anew, and those with its _relation().';

create or replace function pgscore_models._relation(features anyelement) returns regclass
language plpgsql immutable parallel safe
as $$ begin return (select t.typrelid from pg_catalog.pg_type t
                     where t.oid operator(pg_catalog.=) pg_catalog.pg_typeof(features) and t.typrelid operator(pg_catalog.<>) 0); end $$;
comment on function pgscore_models._relation(anyelement) is
  'The table or type of a row. A plan with it in it is made anew when that is altered: so is that of a function that takes the row and '
  'reads no table, which PostgreSQL keeps from 18 on.';

create or replace function pgscore_models._refuse_scalar(value text) returns double precision
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the model takes a row, not the value %', quote_literal(left(value, 80)) using errcode = 'datatype_mismatch',
    hint = 'Pass the whole row by its table''s name or alias: select score(''model'', c) from customers c. Where the alias is also the '
           'name of a column, SQL takes the column: choose another alias.';
end
$$;
comment on function pgscore_models._refuse_scalar(text) is
  'Raises that score() was given a value instead of a row, and how to write the row.';

create or replace function pgscore_models._refuse_array(value text) returns double precision
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the model takes a row, not the array %', left(value, 80) using errcode = 'datatype_mismatch',
    hint = 'pgscore.score_rows(''model'', array(select c from customers c)) scores many rows; score(''model'', c) from customers c, each '
           'of them.';
end
$$;
comment on function pgscore_models._refuse_array(text) is 'Raises that score() was given an array instead of a row, and what takes one.';

-- To an array of records without a type PL/pgSQL says that it takes none: both of these are inlined before it is called. varchar,
-- which score() gives, decides between this and the one for anyelement.
create or replace function pgscore_models._score(version_id int, model varchar, features anyarray) returns double precision
language sql stable
as $$ select pgscore_models._refuse_array(pg_catalog.to_json($3)::pg_catalog.text) $$;
comment on function pgscore_models._score(int, varchar, anyarray) is 'Raises: score() takes a row, not an array.';

create or replace function pgscore_models._question(route pgscore_models._routing, features anyelement) returns pgscore_models._question
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select row($1, case when pg_typeof($2) = 'record[]'::regtype then to_jsonb(pgscore_models._refuse_array(to_json($2)::text))
                   else pgscore_models._features(($1).version_id, ($1).texts, $2) end)::pgscore_models._question
$$;
comment on function pgscore_models._question(pgscore_models._routing, anyelement) is
  'A row for a version; raises for an array of records without a type.';

create or replace function pgscore_models._json_row(value text) returns jsonb
language plpgsql stable parallel restricted
set search_path = pg_catalog, pg_temp
as $$
declare
  detail text;
begin
  if value !~ '^\s*(\{|null\s*$)' then
    perform pgscore_models._refuse_scalar(value);
  end if;
  return value::jsonb;
exception
  when invalid_text_representation then
    get stacked diagnostics detail = pg_exception_detail;
    raise exception 'the row is not JSON: %', left(value, 80) using errcode = 'invalid_text_representation', detail = detail,
      hint = 'Write it as {"feature": value, …}, its names in double quotes; jsonb_build_object(''feature'', value, …) writes it so.';
end
$$;
comment on function pgscore_models._json_row(text) is
  'A row that was written as JSON in a text; raises where it is no object. Not for workers, which begin no subtransaction before '
  'PostgreSQL 17.';

do $$
declare
  scalar text;
begin
  foreach scalar in array '{boolean,double precision,date,timestamp with time zone,uuid}'::text[] loop
    execute format('create or replace function pgscore_models._score(version_id int, model text, features %s) returns double precision '
                   'language sql stable set search_path = pg_catalog, pg_temp as %L',
      scalar, 'select pgscore_models._refuse_scalar($3::text)');
    execute format('comment on function pgscore_models._score(int, text, %s) is %L', scalar, 'Raises: score() takes a row, not a value.');
  end loop;
end
$$;
