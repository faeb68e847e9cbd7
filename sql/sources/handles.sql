-- Read handles: how the service reads a source with the requester's rights and nobody else's.

create or replace view pgscore._handle_request with (security_barrier) as
select h.digest, h.kind, h.name, encode(sha256(convert_to(h.guard_key, 'UTF8')), 'hex') as guard_hash, h.handle_id, h.owner as requested_by
from pgscore_data.handle h where h.owner = current_user;
comment on view pgscore._handle_request is
  'The caller''s own read handles; inserting one reserves its name and guard. requested_by is the caller, and nobody can write it.';
alter view pgscore._handle_request alter column requested_by set default current_user;

create or replace function pgscore_data._reserve_handle() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  key text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
begin
  -- Checked here, as the error of a constraint would show the row with its key.
  if new.kind is null or new.kind not in ('view', 'function') or new.digest is null then
    raise exception 'a read handle is a view or a function with a digest'
      using errcode = 'invalid_parameter_value', hint = 'Submit runs with pgscore.score_table().';
  end if;
  insert into pgscore_data.handle (owner, name, kind, digest, guard_key)
  values (new.requested_by, 'h_' || replace(gen_random_uuid()::text, '-', ''), new.kind, new.digest, key)
  returning handle_id, name into new.handle_id, new.name;
  new.guard_hash := encode(sha256(convert_to(key, 'UTF8')), 'hex');
  return new;
end
$$;
comment on function pgscore_data._reserve_handle() is
  'Gives a new handle a name that cannot be guessed and a guard key that only the service can read.';

create or replace trigger reserve instead of insert on pgscore._handle_request
for each row execute function pgscore_data._reserve_handle();

create or replace function pgscore._columns_are(relation text, names text[], types text[]) returns boolean
language plpgsql stable security invoker parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  changed record;
begin
  select x.name, x.type as was, format_type(pgscore._base_type(a.atttypid), -1) as is into changed
    from unnest(names, types) as x (name, type)
    join pg_attribute a on a.attrelid = relation::regclass and a.attname = x.name and a.attnum > 0 and not a.attisdropped
   where format_type(a.atttypid, -1) <> x.type and format_type(pgscore._base_type(a.atttypid), -1) <> x.type limit 1;
  if found then
    raise exception 'column "%" was % and is %', changed.name, changed.was, changed.is
      using errcode = 'invalid_function_definition', hint = 'Submit the run again.';
  end if;
  return true;
end
$$;
comment on function pgscore._columns_are(text, text[], text[]) is
'Raises where a column of a source has another type than a handle was made for, which the casts of the handle would hide. The handle asks '
'as it reads, when it holds its lock.';

create or replace function pgscore._guard(guard_hash text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.current_setting(''pgscore.guard'', true), '
                '''UTF8'')), ''hex'') operator(pg_catalog.=) %L', guard_hash)
$$;
comment on function pgscore._guard(text) is 'The condition of a read handle: the service has set the key of this hash in its session.';

create or replace function pgscore._create_handle(plan jsonb, kind text, digest text) returns bigint
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  reserved record;
  guard text;
  relation text := format('%I.%I', plan ->> 'schema', plan ->> 'name');
  columns text := pgscore._handle_columns(plan -> 'columns');
  shape record;
  by_block boolean := plan ->> 'kind' = 'ctid';
  on_citus constant boolean := coalesce((plan ->> 'on_citus')::boolean, false);
  types_are text;
  reading text;
begin
  insert into pgscore._handle_request (kind, digest) values (_create_handle.kind, _create_handle.digest)
  returning handle_id, name, guard_hash into reserved;
  guard := pgscore._guard(reserved.guard_hash);
  if _create_handle.kind = 'view' then
    -- No condition moves into a barrier with OFFSET. Otherwise the planner would show values of a column, to the function of an operator or
    -- in its estimates. So the range of a shard is a setting. The types of columns that a view reads cannot change.
    execute format(
      'create view pgscore_sources.%I with (security_barrier = true) as select %s from %s t
        where %s and t.ctid >= nullif(current_setting(''pgscore.block_from'', true), '''')::tid and t.ctid < '
'nullif(current_setting(''pgscore.block_to'', true), '''')::tid offset 0',
      reserved.name, columns, relation, guard);
    execute format('grant select on pgscore_sources.%I to pgscore_reader', reserved.name);
  else
    select string_agg(format('c%s %s', n, pgscore._handle_type(c)), ', ' order by n) as result, array_agg(c ->> 'name' order by n) as names,
           array_agg(c ->> 'sql_type' order by n) as types into shape
      from jsonb_array_elements(plan -> 'columns') with ordinality as x (c, n);
    types_are := format('pgscore._columns_are(%L, %L, %L)', relation, shape.names, shape.types);
    reading := format('select %s from %s t where %s and %s%s', columns, relation, guard, types_are, pgscore._handle_window(plan));
    execute format(
      'create function pgscore_sources.%I(lo tid, hi tid) returns table (%s) language %s stable security definer set search_path = '
      'pg_catalog, pg_temp as %L',
      reserved.name, shape.result, case when on_citus then 'plpgsql' else 'sql' end,
      case when on_citus then pgscore._citus_body(plan, guard, types_are)
        when by_block then reading || ' and t.ctid operator(pg_catalog.>=) lo and t.ctid operator(pg_catalog.<) hi'
        when (plan ->> 'by_key')::boolean then pgscore._with_keys(reading, plan -> 'columns') else reading end);
    execute format('revoke execute on function pgscore_sources.%I(tid, tid) from public', reserved.name);
    execute format('grant execute on function pgscore_sources.%I(tid, tid) to pgscore_reader', reserved.name);
    perform pgscore._create_shard_handle(plan, reserved.name, reserved.guard_hash);
  end if;
  return reserved.handle_id;
end
$$;
comment on function pgscore._create_handle(jsonb, text, text) is
'Creates a read handle as the caller. A view for a plain table, which the planner sees through; a function where policies or a view''s '
'own functions would run, because those must run as the requester.';

create or replace function pgscore._handle_is_sole(handle name) returns boolean
language sql stable security invoker
begin atomic
  select count(*) = 1 and bool_and(oidvectortypes(p.proargtypes) = 'tid, tid' and pg_get_userbyid(p.proowner) = current_user) from pg_proc p
   where p.proname = handle and p.pronamespace = 'pgscore_sources'::regnamespace;
end;
comment on function pgscore._handle_is_sole(name) is
'Whether the function of a handle is the caller''s, as it is not where a role of that name was there before, and stands alone under its '
'name. One that was overloaded since may no longer be called: the other function can fit the call as well.';

create or replace function pgscore._runs_code_when_planned(source regclass) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
begin atomic
  -- pg_depend has no rows for PostgreSQL's own functions.
  with recursive tree (relid) as (
    select source::oid union select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.relid
  ), part (classid, objid) as (
    select 'pg_class'::regclass::oid, t.relid from tree t
    union all
    select 'pg_class'::regclass, i.indexrelid from tree t join pg_index i on i.indrelid = t.relid
    union all
    select 'pg_constraint'::regclass, c.oid from tree t join pg_constraint c on c.conrelid = t.relid
    union all
    select 'pg_statistic_ext'::regclass, s.oid from tree t join pg_statistic_ext s on s.stxrelid = t.relid
  )
  select exists (
    select from part join pg_depend d using (classid, objid) where d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass));
end;
comment on function pgscore._runs_code_when_planned(regclass) is
'Whether an index, check, statistics object or partition key of a table calls a function that is not PostgreSQL''s own.
The planner computes such a call where it is constant, as whoever reads the table.';

create or replace function pgscore_data._reads_source(handle name, source_schema name, source_name name) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  -- The parsed query of a view is text with escaped names: an unescaped brace or colon belongs to the tree.
  with read as materialized (
    select c.oid, r.ev_action::text as tree from pg_class c join pg_rewrite r on r.ev_class = c.oid
     where c.relnamespace = 'pgscore_sources'::regnamespace and c.relname = handle and c.relkind = 'v'
       and c.reloptions = '{security_barrier=true}'
  ), source as (
    select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = source_schema and c.relname = source_name
  ), token as materialized (
    select m[1] as node, m[2] as field, m[3]::oid as id, m[4] is not null as is_conversion
      from read, regexp_matches(tree, '[( ]\{([A-Z]+)| :(funcid|opfuncid|relid|rtekind|resulttype) ([0-9]+)( :resultcollid)?', 'g') m
  )
  select (select count(*) = 1 from read) and (select count(*) = 1 from source) and (select count(*) = 1 from token t where t.node = 'QUERY')
     and not exists (
       select from token t
        where case
          when t.node is not null then t.node not in (
            'QUERY', 'RANGETBLENTRY', 'RTEPERMISSIONINFO', 'ALIAS', 'RANGETBLREF', 'FROMEXPR', 'TARGETENTRY', 'VAR', 'CONST', 'FUNCEXPR',
            'OPEXPR', 'NULLIFEXPR', 'BOOLEXPR', 'NULLTEST', 'CASEEXPR', 'CASEWHEN', 'RELABELTYPE', 'COERCEVIAIO')
          when t.field in ('funcid', 'opfuncid') then t.id not in ('encode(bytea, text)'::regprocedure, 'sha256(bytea)'::regprocedure,
            'convert_to(text, name)'::regprocedure, 'current_setting(text, boolean)'::regprocedure, 'texteq(text, text)'::regprocedure,
            'tidge(tid, tid)'::regprocedure, 'tidlt(tid, tid)'::regprocedure, 'timezone(text, timestamp)'::regprocedure,
            'left(text, int)'::regprocedure, 'concat("any")'::regprocedure)
            -- Up to 16383 they are PostgreSQL's own.
            and not exists (select from pg_cast k where k.castfunc = t.id and t.id < 16384)
          when t.field = 'relid' then t.id not in (select s.oid from source s union all select r.oid from read r)
          when t.field = 'rtekind' then t.id <> 0
          else t.is_conversion and t.id >= 16384
        end);
end;
comment on function pgscore_data._reads_source(name, name, name) is
'Whether a view handle is of the kind that pgscore makes: it reads the table of that name and nothing else.
It calls only functions that pgscore writes there, and casts of PostgreSQL. Anything else would run as pgscore_reader.';

create or replace function pgscore._ensure_handle(plan jsonb) returns bigint
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  -- A view is faster to read, but depends on the table, so it lives for one run of a large table. A function is kept.
  kind text := case when (plan ->> 'plain')::boolean and plan ->> 'kind' = 'ctid' and (plan ->> 'pages')::bigint > 128
    and not plan ? 'window'
    and not pgscore._runs_code_when_planned(format('%I.%I', plan ->> 'schema', plan ->> 'name')::regclass) then 'view' else 'function' end;
  shape text := md5(jsonb_build_array(plan -> 'schema', plan -> 'name', plan -> 'kind', plan -> 'columns', plan -> 'by_key',
                                      plan -> 'on_citus', plan -> 'window')::text);
  kept record;
begin
  if kind = 'function' then
    select h.handle_id, h.name, h.guard_hash into kept from pgscore._handle_request h
     where h.digest = shape and h.kind = 'function' order by h.handle_id desc limit 1;
    if pgscore._handle_is_sole(kept.name) then
      perform pgscore._create_shard_handle(plan, kept.name, kept.guard_hash);
      return kept.handle_id;
    end if;
  end if;
  return pgscore._create_handle(plan, kind, shape);
end
$$;
comment on function pgscore._ensure_handle(jsonb) is
  'A read handle for a plan: the caller''s own of the same shape where there is one that is not overloaded, else a new one.';

create or replace function pgscore_data._drop_handle(this_handle bigint) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
declare
  h pgscore_data.handle;
begin
  select * into h from pgscore_data.handle x where x.handle_id = this_handle for update;
  if not found or exists (select from pgscore_data.run r where r.handle_id = this_handle and r.state in ('queued', 'running'))
    or exists (select from pgscore_data.label_source s where s.handle_id = this_handle) or pgscore_data._is_of_watch(this_handle)
  then
    return false;
  end if;
  if h.kind = 'view' then
    execute format('drop view if exists pgscore_sources.%I', h.name);
  else
    execute format('drop function if exists pgscore_sources.%I(tid, tid)', h.name);
  end if;
  delete from pgscore_data.handle x where x.handle_id = this_handle;
  return true;
exception
  when lock_not_available or object_in_use or wrong_object_type or dependent_objects_still_exist then
    return false;
end
$$;
comment on function pgscore_data._drop_handle(bigint) is
  'Drops a handle that no open run needs; false where it is in use just now, to be tried again.';
