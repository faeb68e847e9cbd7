-- The rows that a statement wrote, as the functions of triggers read them: by the names of columns, whatever became of these.

create or replace function pgscore_data._captured_rows(transition text, columns text[], aliases text[], substitutes text[]) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  -- A name that the row has no more is found one level further out. So no statement of a writer fails for a column that was altered.
  select format('(select named.* from (select %s) missing cross join %s t cross join lateral (select %s from (select t.*) present) named)',
    (select string_agg(y.text, ', ') from (select distinct on (s.name) format('%s as %I', s.substitute, s.name) as text
                                             from unnest(columns, substitutes) as s (name, substitute)) y), transition,
    string_agg(format('%I as %s', x.name, x.alias), ', ' order by x.n))
    from unnest(columns, aliases, substitutes) with ordinality as x (name, alias, substitute, n)
$$;
comment on function pgscore_data._captured_rows(text, text[], text[], text[]) is
  'A subquery that reads columns of a transition table by their names, with a substitute for each that was renamed or dropped.';

create or replace function pgscore_data._row_images(transition text, key_columns text[], compared text[], is_whole boolean) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  -- The row is made where it is read: what carries many columns from step to step takes most of the time of a statement.
  select format('(select named.*%s from (select %s) missing cross join %s pgscore_row '
                'cross join lateral (select %s%s from (select pgscore_row.*) present) named)',
    case when is_whole then ', pgscore_row as image' else '' end,
    (select string_agg(format('%s as %I', s.substitute, s.name), ', ')
       from (select distinct k as name, 'null::tid' as substitute from unnest(key_columns) k
             union all
             select c, (transition = 'fresh')::text from unnest(compared) c where not is_whole) s),
    transition, (select string_agg(format('%I as k%s', k, n), ', ' order by n) from unnest(key_columns) with ordinality as x (k, n)),
    case when is_whole then ''
      else format(', row(%s)::record as image', (select string_agg(quote_ident(c), ', ') from unnest(key_columns || compared) c)) end)
$$;
comment on function pgscore_data._row_images(text, text[], text[], boolean) is
  'The rows of a transition table as k1, k2 and so on for the key, and as one value: what is compared.';

create or replace function pgscore_data._column_aliases(prefix text, columns text[]) returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select coalesce(array_agg(prefix || n order by n), '{}') from generate_series(1, cardinality(columns)) n $$;
comment on function pgscore_data._column_aliases(text, text[]) is 'Names for columns inside the statements of a trigger: k1, k2 and so on.';

create or replace function pgscore_data._capture_settings(relation regclass, columns text[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select case when exists (
      select from pg_attribute a
       where a.attrelid = relation and a.attname = any (columns) and not a.attisdropped
         and pgscore._base_type(a.atttypid) <> all ('{int2,int4,int8,text,varchar,bpchar,uuid,numeric,bool}'::regtype[]))
    then ' set timezone = ''UTC'' set datestyle = ''ISO'' set extra_float_digits = 1' else '' end
$$;
comment on function pgscore_data._capture_settings(regclass, text[]) is
  'Settings of a trigger function, so that texts of values do not depend on the session that writes. Each takes time; few types need any.';
