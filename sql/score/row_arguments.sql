-- What score(), predict() and classify() are given: a row of any kind as jsonb, and all else refused with the way to write it.

create or replace function pgscore_models._separate_duplicates(columns json, given jsonb) returns jsonb
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
comment on function pgscore_models._separate_duplicates(json, jsonb) is
  'A row of a subquery in which columns of one name that differ are kept apart, as (1 of 2) and (2 of 2): jsonb would take the last for '
  'all of them.';

do $$
begin
  -- SQL, as PL/pgSQL takes all records of a session to have the type of the first. num_nulls(), as a row of nothing but NULL IS NULL, too.
  execute format($create$create
                 or replace function pgscore_models._features(version_id int, features anyelement) returns jsonb
    language sql stable parallel safe set search_path = pg_catalog, pg_temp set extra_float_digits = 1 as %L$create$, format($body$
  select case
      -- Of JSON, which may hold anything, the version refuses it.
      when jsonb_typeof(x.given) <> 'object' then case
        when pg_typeof($2) in ('json'::regtype, 'jsonb'::regtype) or x.given = 'null' then x.given
        else to_jsonb(pgscore_models._refuse_value(x.given))
      end
      when x.given @? '$.* ? (@ starts with "")' and pg_typeof($2) <> 'jsonb'::regtype
        and (x.given @? '$.* ? (@ like_regex " $|^NaN$|^-?Infinity$")' or pgscore_models._text_features($1) is not null)
        then case pg_typeof($2)
            when 'record'::regtype then pgscore_models._checked_row($1, x.given, array(select json_object_keys(to_json($2))),
                                                                 pgscore_models._sent_types(array_send(array[$2])))
            else pgscore_models._checked_row($1, x.given, pg_typeof($2))
          end
      else x.given
    end
    from (select case
              when num_nulls($2) = 1 then null
              when pg_typeof($2) <> 'record'::regtype%s then to_jsonb($2)
              else pgscore_models._separate_duplicates(to_json($2), to_jsonb($2))
            end offset 0) x (given)$body$,
    -- PostgreSQL 15 has no such test: there every row is looked at, in 10 µs.
    case when current_setting('server_version_num')::int >= 160000 then ' or to_json($2) is json object with unique keys' else '' end));
end
$$;
comment on function pgscore_models._features(int, anyelement) is
  'A row as jsonb, for a version, the same whatever the session has set; NULL for the row that an outer join did not find. Raises where '
  'what is a text there is of a type that its feature cannot be.';

create or replace function pgscore_models._shape(features anyelement) returns bigint
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_typeof(features) = 'record'::regtype then
    return 0;
  end if;
  -- No type below 10000 is a domain, and to look under one takes ten times as long as all else of a column.
  return (select bit_xor(hashtextextended(a.attname::text, a.attnum::bigint << 32 | a.atttypid::bigint)) & -2
                 | max((case when a.atttypid < 10000 then a.atttypid else pgscore._base_type(a.atttypid) end = 'bpchar'::regtype)::int)
            from pg_type t join pg_attribute a on a.attrelid = t.typrelid
           where t.oid = pg_typeof(features) and t.typtype = 'c' and a.attnum > 0 and not a.attisdropped);
end
$$;
comment on function pgscore_models._shape(anyelement) is
  'A number that stands for the columns of a row type and their types. It is odd where one of them is char(n), whose padding no model '
  'sees, 0 for a row of a subquery, whose columns nothing says before it is there, and NULL for what is no row. Called IMMUTABLE so that '
  'the planner computes it: ALTER TABLE makes plans that read the table anew, and those with its _relation().';

create or replace function pgscore_models._relation(features anyelement) returns regclass
language plpgsql immutable parallel safe
as $$ begin return (select t.typrelid from pg_catalog.pg_type t
                     where t.oid operator(pg_catalog.=) pg_catalog.pg_typeof(features) and t.typrelid operator(pg_catalog.<>) 0); end $$;
comment on function pgscore_models._relation(anyelement) is
  'The table or type of a row. A plan with it in it is made anew when that is altered: so is that of a function that takes the row and '
  'reads no table, which PostgreSQL keeps from 18 on.';

create or replace function pgscore_models._refuse_value(value jsonb) returns double precision
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(value) = 'array' then
    raise exception 'the model takes a row, not the array %', left(value::text, 80) using errcode = 'datatype_mismatch',
      hint = 'pgscore.score_rows(''model'', array(select c from customers c)) scores many rows; score(''model'', c) from customers c, each '
             'of them.';
  end if;
  raise exception 'the model takes a row, not the value %', quote_literal(left(value #>> '{}', 80)) using errcode = 'datatype_mismatch',
    hint = 'Pass the whole row by its table''s name or alias: select score(''model'', c) from customers c. Where the alias is also the '
           'name of a column, SQL takes the column: choose another alias.';
end
$$;
comment on function pgscore_models._refuse_value(jsonb) is 'Raises that a value is no row, and how to write the row.';

create or replace function pgscore_models._call(route int[], features anyelement) returns pgscore_models._call
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select row(v, pgscore_models._features(v.version_id, $2))::pgscore_models._call
    from pgscore_models._version(case when ($1)[1] > 0 then $1
                                   else pgscore_models._arm($1, pgscore_models._features(($1)[1], $2)) end) v
$$;
comment on function pgscore_models._call(int[], anyelement) is 'The version of a route, and a row for it.';

create or replace function pgscore_models._json_row(value text) returns jsonb
language plpgsql stable parallel restricted
set search_path = pg_catalog, pg_temp
as $$
declare
  detail text;
begin
  if value !~ '^\s*(\{|null\s*$)' then
    perform pgscore_models._refuse_value(to_jsonb(value));
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
