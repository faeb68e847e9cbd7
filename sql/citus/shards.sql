-- Read handles on the nodes of Citus: by them the service reads the shards of a distributed table where they are, as the requester.

create or replace function pgscore._shard_handle(plan jsonb, handle name, guard_hash text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with source as (
    select format('%I.%I', plan ->> 'schema', plan ->> 'name') as name,
           -- shard_name() leaves the schema public out.
           case when plan ->> 'schema' = 'public' then 'public.' else '' end as prefix
  ), body as (
    select format($body$
declare
  reading constant text := %L;
begin
  if %s then
    return query execute pg_catalog.format(reading, pg_catalog.shard_name(%L::pg_catalog.regclass, shard));
  end if;
end
$body$, format('select %s from %s%%s t where true%s', replace(pgscore._handle_columns(plan -> 'columns'), '%', '%%'), prefix,
               replace(pgscore._handle_window(plan), '%', '%%')),
        pgscore._guard(guard_hash), name) as source
      from source
  ), shape as (
    select string_agg(format('c%s %s', n, pgscore._handle_type(c)), ', ' order by n) as result
      from jsonb_array_elements(plan -> 'columns') with ordinality as x (c, n)
  )
  select format('do %L', format($do$
begin
  perform set_config('citus.enable_ddl_propagation', 'off', true);
  create or replace function pgscore_sources.%1$I(shard bigint) returns table (%2$s) language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp as %3$L;
  revoke execute on function pgscore_sources.%1$I(bigint) from public;
  grant execute on function pgscore_sources.%1$I(bigint) to pgscore_reader;
end
$do$, handle, shape.result, body.source))
    from body cross join shape
$$;
comment on function pgscore._shard_handle(jsonb, name, text) is
  'The statement by which a node creates the read handle of a plan: a function that returns the rows of one shard.';

create or replace function pgscore._create_shard_handle(plan jsonb, handle name, guard_hash text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if plan ->> 'kind' = 'distributed' and not coalesce((plan ->> 'by_key')::boolean, false) then
    -- The service finds out where it failed, and reads through the coordinator then.
    execute 'select count(*) from pg_catalog.run_command_on_workers($1)' using pgscore._shard_handle(plan, handle, guard_hash);
  end if;
end
$$;
comment on function pgscore._create_shard_handle(jsonb, name, text) is
'Creates the read handle of a distributed table on all nodes, as the caller. On every request, since a node may be new
or have been down.';

create or replace function pgscore_data._drop_shard_handles() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if to_regclass('pg_catalog.pg_dist_node') is null then
    return;
  end if;
  -- A request that has not committed is not seen here, and may lose its handle on a node: the coordinator reads for it then.
  perform pgscore_data._run_on_nodes(format('do %L', format($do$
declare
  this name;
begin
  set local role pgscore_service;
  set local citus.enable_ddl_propagation = off;
  set local lock_timeout = '200ms';
  -- Users of a node may create functions in pgscore_sources: only those with name and argument of a read handle are dropped.
  for this in
    select p.proname from pg_proc p
     where p.pronamespace = 'pgscore_sources'::regnamespace and p.prokind = 'f' and p.proname ~ '^h_[0-9a-f]{32}$'
       and p.proargtypes = '20'::oidvector and p.proname <> all (%L::text[])
  loop
    begin
      execute format('drop function pgscore_sources.%%I(bigint)', this);
    exception
      when others then null;
    end;
  end loop;
end
$do$, (select coalesce(array_agg(h.name), '{}') from pgscore_data.handle h))));
end
$$;
comment on function pgscore_data._drop_shard_handles() is
  'Drops on all nodes of Citus the read handles that the coordinator has no more, but for those that are in use.';
