-- The arms of an experiment in the typed functions of bound tables: a CASE over versions, which the planner sees through.

create or replace function pgscore_data._key_expression(relation regclass, column_name text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  -- What JSON says of it: a text of a date goes by a setting of the session.
  select format(case when t.typcategory in ('D', 'T') then 'pg_catalog.to_jsonb($1.%I) operator(pg_catalog.#>>) ''{}''::pg_catalog.text[]'
                  else '$1.%I::pg_catalog.text' end, a.attname)
    from pg_attribute a join pg_type t on t.oid = pgscore._base_type(a.atttypid)
   where a.attrelid = relation and a.attname = column_name and a.attnum > 0 and not a.attisdropped
$$;
comment on function pgscore_data._key_expression(regclass, text) is
  'The SQL for the key of a row $1 of a table as bucket() takes it; NULL where the table has no such column.';

create or replace function pgscore_data._bucket_expression(relation regclass, experiment int) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select case when not bool_and(k is not null) then null
           else format(case count(*) when 1 then 'pgscore.bucket(%L, %s)' else 'pgscore.bucket(%L, array[%s])' end, e.salt,
                       string_agg(k, ', ' order by n)) end
    from pgscore_data.experiment e
   cross join unnest(e.split_by) with ordinality x (c, n)
   cross join lateral pgscore_data._key_expression(relation, c) k
   where e.experiment_id = experiment group by e.salt
$$;
comment on function pgscore_data._bucket_expression(regclass, int) is
  'The SQL for the bucket of a row $1 of a table; NULL where the table has no key.';

create or replace function pgscore_data._arms_call(route int[], base text, relation regclass) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with part (bound, call, version_id, n) as (
    select route[1 + 2 * n], format('pgscore_models.%I($1)', pgscore_data._version_function(base, v.number)), v.version_id, n
      from generate_series(1, cardinality(route) / 2 - 1) n
      join pgscore_data.version v on v.version_id = route[2 + 2 * n]
  ), champion (call) as (
    select format('pgscore_models.%I($1)', pgscore_data._version_function(base, v.number))
      from pgscore_data.version v where v.version_id = coalesce(route[2], route[1])
  )
  select case
      when bucket is null then champion.call
      else format('case pg_catalog.width_bucket(%s, %L::pg_catalog.int4[]) %s else %s end', bucket,
                  (select coalesce(array_agg(p.bound order by p.n), '{}') from part p where p.bound < 10000),
                  (select string_agg(format('when %s then %s', p.n - 1, p.call), ' ' order by p.n) from part p
                    where p.version_id <> route[2]),
                  champion.call)
    end
    from champion cross join pgscore_data._bucket_expression(relation, - route[1]) bucket
$$;
comment on function pgscore_data._arms_call(int[], text, regclass) is
  'The SQL that calls the typed functions of the arms of a route for a row $1 of a table, each for its buckets.';

create or replace function pgscore_data._arm_problem(route int[], relation regclass) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select pgscore_models._version_name(v.version_id) || ': ' || p
    from pgscore_data.version v cross join lateral pgscore._binding_problem(relation, v.signature) p
   where v.version_id = any (pgscore_models._arm_versions(- route[1])) and p is not null order by v.number limit 1
$$;
comment on function pgscore_data._arm_problem(int[], regclass) is 'Why a table does not fit an arm of a route; NULL where it fits all.';
