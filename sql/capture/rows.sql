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
