-- What a typed function takes of a column: each of these is there for the types that the feature may have, and is inlined to the
-- column or its cast. A column that was given another type since comes to the one for anyelement, which raises: a cast would round it,
-- or read a text. Which one it is PostgreSQL decides when it plans a query, in 3 µs a column; bodies that are parsed ahead (RETURN) took 5.
-- The second argument is the binding and the column.

create or replace function pgscore_models._refuse_column(type regtype, place text, wanted text) returns void
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  bound record;
begin
  select m.name as model, pgscore_data._bound_relation(b) as relation into bound
    from pgscore_data.binding b join pgscore_data.model m using (model_id) where b.binding_id = split_part(place, ' ', 1)::int;
  raise exception 'column "%" of % is %, and model "%", to which it is bound, takes % there', substr(place, position(' ' in place) + 1),
    bound.relation, type, bound.model, wanted using
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

-- varchar, which the calls give, decides for one of these before that for anyelement: an enum fits both.
do $$
declare
  this record;
begin
  for this in
    select * from (values
      ('_number_column', 'real', 'real', '$1'),
      ('_number_column', 'double precision', 'double precision', '$1'),
      ('_number_column', 'numeric', 'double precision', '$1::double precision'),
      ('_number_column', 'smallint', 'double precision', '$1::double precision'),
      ('_number_column', 'integer', 'double precision', '$1::double precision'),
      ('_number_column', 'bigint', 'double precision', '$1::double precision'),
      ('_number_column', 'boolean', 'double precision', '$1::int::double precision'),
      ('_whole_column', 'smallint', 'bigint', '$1::bigint'),
      ('_whole_column', 'integer', 'bigint', '$1::bigint'),
      ('_whole_column', 'bigint', 'bigint', '$1'),
      ('_whole_column', 'boolean', 'bigint', '$1::int::bigint'),
      ('_small_whole_column', 'smallint', 'bigint', '$1::bigint'),
      ('_small_whole_column', 'integer', 'bigint', '$1::bigint'),
      ('_small_whole_column', 'boolean', 'bigint', '$1::int::bigint'),
      ('_flag_column', 'boolean', 'boolean', '$1'),
      ('_text_column', 'text', 'text', '$1'),
      ('_text_column', 'varchar', 'text', '$1::pg_catalog.text'),
      ('_text_column', 'bpchar', 'text', '$1::pg_catalog.text'),
      ('_text_column', 'name', 'text', '$1::pg_catalog.text'),
      ('_array_column', 'double precision[]', 'double precision[]', '$1'),
      ('_array_column', 'real[]', 'double precision[]', '$1::double precision[]'),
      ('_array_column', 'smallint[]', 'double precision[]', '$1::double precision[]'),
      ('_array_column', 'integer[]', 'double precision[]', '$1::double precision[]'),
      ('_array_column', 'bigint[]', 'double precision[]', '$1::double precision[]')
    ) x (name, type, result, value)
  loop
    execute format('create or replace function pgscore_models.%I(value %s, place varchar) returns %s language sql immutable parallel safe '
                   'as %L', this.name, this.type, this.result, 'select ' || this.value);
    execute format('comment on function pgscore_models.%I(%s, varchar) is %L', this.name, this.type,
                   'The value of a column of a bound table, as a compiled function takes it.');
  end loop;
  for this in
    select x.name, x.result, x.wanted, type from (values
      ('_number_column', 'double precision', 'a number', '{anyelement}'::text[]),
      ('_whole_column', 'bigint', 'a whole number', '{anyelement}'),
      ('_small_whole_column', 'bigint', 'a whole number of 32 bits', '{anyelement}'),
      ('_flag_column', 'boolean', 'a boolean', '{anyelement}'),
      ('_text_column', 'text', 'a text', '{anyelement}'),
      -- PostgreSQL could make several of those above of this array, and would not choose.
      ('_array_column', 'double precision[]', 'an array of numbers', '{anyelement,numeric[]}')
    ) x (name, result, wanted, types) cross join unnest(x.types) type
  loop
    execute format('create or replace function pgscore_models.%I(value %s, place %s) returns %s language plpgsql immutable parallel safe '
                   'set search_path = pg_catalog, pg_temp as %L',
      this.name, this.type, case this.type when 'anyelement' then 'text' else 'varchar' end, this.result,
      format('begin %s perform pgscore_models._refuse_column(pg_typeof(value), place, %L); end',
             case when this.name = '_text_column' then 'if pgscore_models._is_enum(pg_typeof(value)) then return value::text; end if;' end,
             this.wanted));
    execute format('comment on function pgscore_models.%I(%s, %s) is %L', this.name, this.type,
                   case this.type when 'anyelement' then 'text' else 'varchar' end,
                   'Raises that the column has a type that its feature cannot have.');
  end loop;
end
$$;

-- STABLE, as what PostgreSQL writes of an enum is: so it is inlined.
create or replace function pgscore_models._text_column(value anyenum, place varchar) returns text
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
