-- What a read handle selects: the columns of a plan, a hash of them, and the rows of given keys.

create or replace function pgscore._handle_type(col jsonb) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when col ->> 'role' = 'event_time' then 'timestamp with time zone'
    when col ->> 'role' in ('segment', 'split') then 'text'
    when col ->> 'role' = 'feature' and col ->> 'sql_type' = 'bpchar' then 'text'
    else col ->> 'sql_type'
  end
$$;
comment on function pgscore._handle_type(jsonb) is 'The type in which a handle gives a column of a plan.';

create or replace function pgscore._handle_expression(col jsonb) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    -- concat(), as a cast may be a function of the enum's owner.
    when col ->> 'role' = 'segment' and col ->> 'type' = 'enum'
      then format('case when (t.%1$I) is not null then concat(t.%1$I) end', col ->> 'name')
    when col ->> 'role' = 'split' and col ->> 'type' in ('enum', 'raw') and col ->> 'sql_type' <> 'uuid'
      then format('case when (t.%1$I) is not null then concat(t.%1$I) end', col ->> 'name')
    when col ->> 'role' = 'split' then format('(t.%I)::%s::text', col ->> 'name', col ->> 'sql_type')
    when col ->> 'role' = 'segment' then format('left((t.%I)::%s::text, 100)', col ->> 'name', col ->> 'sql_type')
    when col ? 'time_zone' then format('(t.%I)::timestamp without time zone at time zone %L', col ->> 'name', col ->> 'time_zone')
    else format('(t.%I)::%s', col ->> 'name', pgscore._handle_type(col))
  end
$$;
comment on function pgscore._handle_expression(jsonb) is 'What a handle selects for a column of a plan, of a source t.';

create or replace function pgscore._hash_expression(columns jsonb) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  -- Of their bytes: the hash of a number is the same for NULL and 0, and for NaN and infinity. A collation may call texts equal.
  select format('hash_record_extended(row(%s), 0)', string_agg(
      case
        when c ->> 'type' = 'enum' then format('case when (t.%1$I) is not null then concat(t.%1$I) end collate "C"', c ->> 'name')
        when pgscore._handle_type(c) in ('text', 'character varying', 'name') or c ->> 'type' = 'vector'
          then format('(%s)::text collate "C"', pgscore._handle_expression(c))
        when pgscore._handle_type(c) = 'real' then format('float4send(%s)', pgscore._handle_expression(c))
        when pgscore._handle_type(c) = 'double precision' then format('float8send(%s)', pgscore._handle_expression(c))
        when pgscore._handle_type(c) = 'numeric' then format('numeric_send(%s)', pgscore._handle_expression(c))
        when pgscore._handle_type(c) like '%[]' then format('array_send(%s)', pgscore._handle_expression(c))
        else pgscore._handle_expression(c)
      end, ', ' order by n))
    from jsonb_array_elements(columns) with ordinality as x (c, n)
$$;
comment on function pgscore._hash_expression(jsonb) is 'A hash of what a model reads of a row: of its features, event time and segments.';

create or replace function pgscore._handle_columns(columns jsonb) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(case when c ->> 'role' = 'hash' then pgscore._hash_expression(c -> 'of') else pgscore._handle_expression(c) end
                    || ' as c' || n, ', ' order by n)
  from jsonb_array_elements(columns) with ordinality as x (c, n)
$$;
comment on function pgscore._handle_columns(jsonb) is
  'The select list of a handle: c1, c2, … in the order of the plan, domains as their base types, segments as texts.';

create or replace function pgscore._handle_window(plan jsonb) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(string_agg(format(' and (%s) operator(pg_catalog.%s) %L::timestamptz', pgscore._handle_expression(c), b.comparison,
                                    b.bound), ''), '')
    from jsonb_array_elements(plan -> 'columns') c,
         (values ('>=', plan #>> '{window,from}'), ('<', plan #>> '{window,to}')) b (comparison, bound)
   where c ->> 'role' = 'event_time' and b.bound is not null
$$;
comment on function pgscore._handle_window(jsonb) is 'The conditions on the event time of a source t that the plan of a replay has.';

create or replace function pgscore._with_keys(reading text, columns jsonb) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  -- For few keys: a condition that moves into the groups of a view. For many: a join, which does not compare each row with each key.
  -- A nondeterministic collation calls different texts equal. No row is read by the key of another, which the target may have.
  with key as (
    select n, format('(t.%I)::%s', c ->> 'name', c ->> 'sql_type') as value,
           case when c ? 'nondeterministic' then ' collate "C"' else '' end as collated,
           format('nullif(current_setting(''pgscore.keys_%s'', true), '''')::%s[]', n, c ->> 'sql_type') as given
      from jsonb_array_elements(columns) with ordinality as x (c, n) where c ->> 'role' = 'key'
  )
  select format('%s and cardinality(%s) <= 100 and %s%s union all %1$s and cardinality(%2$s) > 100%4$s', reading,
    min(given) filter (where n = 1),
    string_agg(format('%s = any (%s)', value, given), ' and ' order by n),
    format(' and (%s) in (select * from unnest(%s))', string_agg(value || collated, ', ' order by n), string_agg(given, ', ' order by n)))
    from key
$$;
comment on function pgscore._with_keys(text, jsonb) is
  'The body of a handle that reads the rows of given keys: the settings pgscore.keys_1, … hold an array for each column of the key.';
