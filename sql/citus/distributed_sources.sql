-- Sources that have their rows on the nodes of Citus. Where Citus is not installed there are none.

create or replace function pgscore._citus_tables(source regclass) returns setof regclass
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if to_regclass('pg_catalog.pg_dist_partition') is null then
    return;
  end if;
  -- A materialised view holds its rows itself.
  return query execute
    'with recursive read (relid) as (
       select $1::oid
       union
       select d.refobjid from read join pg_class c on c.oid = read.relid and c.relkind = ''v''
         join pg_rewrite r on r.ev_class = c.oid
         join pg_depend d on d.classid = ''pg_rewrite''::regclass and d.objid = r.oid and d.refclassid = ''pg_class''::regclass
     )
     select r.relid::regclass from read r join pg_catalog.pg_dist_partition p on p.logicalrelid = r.relid order by 1'
    using source::oid;
end
$$;
comment on function pgscore._citus_tables(regclass) is
  'The tables of Citus that a source reads: itself, or those below a view; none where Citus is not installed.';

create or replace function pgscore._is_on_citus(source regclass) returns boolean
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  return to_regclass('pg_catalog.pg_dist_partition') is not null and exists (select from pgscore._citus_tables(source));
end
$$;
comment on function pgscore._is_on_citus(regclass) is 'Whether a source reads tables of Citus.';

create or replace function pgscore._has_shards(source regclass) returns boolean
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  by_hash boolean;
begin
  execute 'select exists (select from pg_catalog.pg_dist_partition p where p.logicalrelid = $1 and p.partmethod = ''h'')' into by_hash
    using source;
  return by_hash;
end
$$;
comment on function pgscore._has_shards(regclass) is
  'Whether a source is itself a distributed table, of which each row is in one shard. For tables of Citus and views of them.';

create or replace function pgscore._is_of_coordinator(relation regclass) returns boolean
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  all_are boolean;
begin
  if not pgscore._is_on_citus(relation) then
    return false;
  end if;
  execute 'select bool_and(p.partmethod = ''n'') from pgscore._citus_tables($1) t join pg_catalog.pg_dist_partition p on p.logicalrelid = t'
    into all_are using relation;
  return all_are;
end
$$;
comment on function pgscore._is_of_coordinator(regclass) is
  'Whether a relation reads tables of Citus, all of them reference tables or tables of the coordinator.';

create or replace function pgscore._refuse_on_citus(source regclass, columns jsonb) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  explained constant text := coalesce(current_setting('citus.explain_distributed_queries', true), 'on');
  closed regclass;
begin
  select t into closed from pgscore._citus_tables(source) t where not has_any_column_privilege(t, 'select') limit 1;
  if closed is not null then
    raise exception 'permission denied for table %, which % reads', closed, source using errcode = 'insufficient_privilege',
      detail = 'Citus reads the tables below a view with the rights of the role that asks.',
      hint = format('grant select on %s to %I;', closed, current_user);
  end if;
  -- Plans on the coordinator and asks no other node.
  perform set_config('citus.explain_distributed_queries', 'off', true);
  execute format('explain select %s from %s t', pgscore._handle_columns(columns), source);
  perform set_config('citus.explain_distributed_queries', explained, true);
exception
  when feature_not_supported then
    raise exception 'Citus cannot read source % as a whole: %', source, sqlerrm using errcode = 'feature_not_supported',
      hint = format('Write the view so that this works: select * from %s;', source);
end
$$;
comment on function pgscore._refuse_on_citus(regclass, jsonb) is
  'Refuses a source that Citus could not read in one query, or whose tables the caller may not read.';

create or replace function pgscore._citus_body(plan jsonb, guard text, types_are text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  -- What a session has set, and the functions of pgscore, are on the coordinator only: the query that Citus sends to the nodes has neither.
  -- The types are compared after the read, which has locked the source by then.
  with key as (
    select n, format('pgscore_keys_%s', n) as given, format('(t.%I)::%s', c ->> 'name', c ->> 'sql_type') as value, c ->> 'sql_type' as type
      from jsonb_array_elements(plan -> 'columns') with ordinality as x (c, n)
     where c ->> 'role' = 'key' and (plan ->> 'by_key')::boolean
  )
  select format($body$
#variable_conflict use_column
%1$s
begin
  if %2$s then
    if hi operator(pg_catalog.=) '(0,0)'::pg_catalog.tid then
      perform from %4$I.%5$I t where false;
    else
      return query select %3$s from %4$I.%5$I t%6$s;
    end if;
    perform %7$s;
  end if;
end
$body$,
    'declare ' || string_agg(format('%s constant %s[] := nullif(current_setting(''pgscore.keys_%s'', true), '''')::%s[];',
                                    given, type, n, type), ' ' order by n),
    guard, pgscore._handle_columns(plan -> 'columns'), plan ->> 'schema', plan ->> 'name',
    ' where ' || coalesce(
      string_agg(format('%s = any (%s)', value, given), ' and ' order by n)
      || case when count(*) = 1 then ''
           else format(' and (%s) in (select * from unnest(%s))', string_agg(value, ', ' order by n),
                       string_agg(given, ', ' order by n)) end, 'true') || pgscore._handle_window(plan),
    types_are)
    from key
$$;
comment on function pgscore._citus_body(jsonb, text, text) is
'The body of a read handle in PL/pgSQL: it compares its guard on the coordinator, then reads by a query without functions of pgscore. Up to
(0,0) it reads nothing, and locks the source.';
