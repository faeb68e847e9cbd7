-- What a typed function takes of a column. Each of these exists for the types that the feature may have, and is inlined to the column or
-- its cast. A column that was given another type since gets the one for anyelement, which raises: a cast would round it, or read a text.
-- PostgreSQL chooses when it plans a query, in 3 µs a column; bodies that are parsed ahead (RETURN) took 5.
-- The second argument is the binding and the column.

create or replace function pgscore_models._refuse_column(type regtype, bound_column text, wanted text) returns void
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  bound record;
begin
  select m.name as model, pgscore_data._bound_relation(b) as relation into bound
    from pgscore_data.binding b join pgscore_data.model m using (model_id) where b.binding_id = split_part(bound_column, ' ', 1)::int;
  raise exception 'column "%" of % is %, and model "%", to which it is bound, takes % there',
    substr(bound_column, position(' ' in bound_column) + 1), bound.relation, type, bound.model, wanted using
    errcode = 'datatype_mismatch',
    hint = format('Give it a type that the model takes: select * from pgscore.feature_casts; lists these. Or be rid of the functions: '
                  'select pgscore.unbind(%L, %L);', bound.model, bound.relation);
end
$$;
comment on function pgscore_models._refuse_column(regtype, text, text) is
  'Raises that a column of a bound table has a type that its feature cannot have.';

create or replace function pgscore_models._is_enum(type regtype) returns boolean
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select exists (select from pg_type t where t.oid = pgscore._base_type(type) and t.typtype = 'e') $$;
comment on function pgscore_models._is_enum(regtype) is
  'Whether a type is an enum, or a domain over one, which no function for enums takes.';

-- Calls pass varchar, which prefers one of these to that for anyelement: an enum fits both.
do $$
declare
  f record;
  type text;
begin
  for f in
    select * from (values
      ('_number_column', 'double precision', 'a number', '{real,double precision,numeric,smallint,integer,bigint,boolean}'::text[],
       '{anyelement}'::text[]),
      ('_whole_column', 'bigint', 'a whole number', '{smallint,integer,bigint,boolean}', '{anyelement}'),
      ('_small_whole_column', 'bigint', 'a whole number of 32 bits', '{smallint,integer,boolean}', '{anyelement}'),
      ('_flag_column', 'boolean', 'a boolean', '{boolean}', '{anyelement}'),
      ('_text_column', 'pg_catalog.text', 'a text', '{text,varchar,bpchar,name}', '{anyelement}'),
      -- PostgreSQL could make several of these of numeric[], and would not choose.
      ('_array_column', 'double precision[]', 'an array of numbers', '{double precision[],real[],smallint[],integer[],bigint[]}',
       '{anyelement,numeric[]}')
    ) x (name, result, wanted, taken, refused)
  loop
    foreach type in array f.taken loop
      execute format('create or replace function pgscore_models.%I(value %s, bound_column varchar) returns %s language sql immutable '
                     'parallel safe as %L', f.name, type, case type when 'real' then type else f.result end,
        'select $1' || case type when f.result then '' when 'real' then '' when 'text' then '' when 'boolean' then '::int::' || f.result
                         else '::' || f.result end);
      execute format('comment on function pgscore_models.%I(%s, varchar) is %L', f.name, type,
                     'The value of a column of a bound table, as a compiled function takes it.');
    end loop;
    foreach type in array f.refused loop
      execute format('create or replace function pgscore_models.%I(value %s, bound_column %s) returns %s language plpgsql immutable '
                     'parallel safe set search_path = pg_catalog, pg_temp as %L',
        f.name, type, case type when 'anyelement' then 'text' else 'varchar' end, f.result,
        format('begin %s perform pgscore_models._refuse_column(pg_typeof(value), bound_column, %L); end',
               case f.name when '_text_column' then 'if pgscore_models._is_enum(pg_typeof(value)) then return value::text; end if;' end,
               f.wanted));
      execute format('comment on function pgscore_models.%I(%s, %s) is %L', f.name, type,
                     case type when 'anyelement' then 'text' else 'varchar' end,
                     'Raises that the column has a type that its feature cannot have.');
    end loop;
  end loop;
end
$$;

-- STABLE, as what PostgreSQL writes of an enum is: so it is inlined.
create or replace function pgscore_models._text_column(value anyenum, bound_column varchar) returns text
language sql stable parallel safe
as $$ select $1::pg_catalog.text $$;
comment on function pgscore_models._text_column(anyenum, varchar) is
  'The value of a column of a bound table, as a compiled function takes it.';

create or replace function pgscore_data._column_function(tensor_type text, width int) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when width <> 1 then '_array_column'
    when tensor_type in ('float32', 'float64') then '_number_column'
    when tensor_type = 'int64' then '_whole_column'
    when tensor_type = 'int32' then '_small_whole_column'
    when tensor_type = 'bool' then '_flag_column'
    else '_text_column'
  end
$$;
comment on function pgscore_data._column_function(text, int) is 'The function that takes a column for a feature.';
