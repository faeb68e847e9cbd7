-- Native models on the nodes of Citus. The coordinator looks the version up when it plans, and the nodes compute it where the rows are:
-- they have the functions of versions, and one dispatch of their own. They read no table of pgscore, and ask no service.

create or replace function pgscore_data._node_sql(body text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select regexp_replace(body, '\mpgscore\.(_base_type|_cast_remedy|_wire_type)\M', 'pgscore_models.\1', 'g') $$;
comment on function pgscore_data._node_sql(text) is 'SQL as nodes run it: the helpers of schema pgscore are in pgscore_models there.';

create or replace function pgscore_data._node_functions() returns table (signature text, digest text, function oid, definition text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with ours as (
    select p.*, format('%s.%I(%s)', case p.proname when 'bucket' then 'pgscore' else 'pgscore_models' end, p.proname,
                       pg_get_function_identity_arguments(p.oid)) as signature,
           -- What reads tables, or asks the service, is for the coordinator.
           p.prosecdef or p.provolatile = 'v' or p.proname = any ('{_route,_features,_call}') as refused
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where p.prokind = 'f' and p.prorettype <> 'trigger'::regtype
       and (n.nspname = 'pgscore_models' and starts_with(p.proname, '_')
            or n.nspname = 'pgscore' and p.proname = any ('{_base_type,_cast_remedy,_wire_type,bucket}'))
       and p.proname !~ '^_v[0-9]+_online|^_fits_'
       and p.proname <> all ('{_score,_score_routed,_score_row,_score_json,_whole_row,_name_columns}')
       -- Functions of bound tables are inlined by the coordinator.
       and not exists (select from unnest(p.proargtypes) a join pg_type t on t.oid = a
                        where t.typtype = 'c' and t.typnamespace <> 'pgscore_models'::regnamespace)
  ), written (signature, result, source) as (
    select o.signature, pg_get_function_result(o.oid),
           case o.proname when '_features' then pgscore_data._node_features() else pgscore_data._refused_on_nodes('call') end
      from ours o where o.refused
    union all
    select * from pgscore_data._node_calls(
      (select coalesce(array_agg(x.id order by x.id), '{}')
         from (select substring(o.proname from '^_v([0-9]+)_row$')::int as id from ours o where o.proname ~ '^_v[0-9]+_row$'
                order by 1 desc limit 300) x))
  )
  -- Those of a version never change.
  select o.signature, case when o.proname !~ '^_v[0-9]' then md5(pgscore_data._node_sql(o.prosrc)) end, o.oid, null
    from ours o where not o.refused
  union all
  select w.signature, md5(w.source), null,
         format('create or replace function %s returns %s language %s volatile as %L', w.signature, w.result,
                case when starts_with(w.source, 'select') then 'sql' else 'plpgsql' end, w.source)
    from written w
$$;
comment on function pgscore_data._node_functions() is
  'The functions that each node of Citus has: those of native versions as they are here (function), and others (definition). What nodes '
  'cannot do is a refusal. digest: of the source; NULL of what never changes.';

create or replace function pgscore_data._node_types() returns table (definition text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select format(E'if to_regtype(%L) is null then create type pgscore_models.%I as (%s); end if;\n',
                format('pgscore_models.%I', c.relname), c.relname,
                (select string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum)
                   from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped))
    from pg_class c where c.relnamespace = 'pgscore_models'::regnamespace and c.relkind = 'c'
   order by c.oid
$$;
comment on function pgscore_data._node_types() is 'The PL/pgSQL by which a node creates the types of those functions.';

create or replace function pgscore_data._run_on_nodes(body text) returns table (node text, answer text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this record;
begin
  for this in execute 'select nodename || '':'' || nodeport as node, success, result from pg_catalog.run_command_on_workers($1) order by 1'
    using body
  loop
    if not this.success then
      raise exception 'node %: %', this.node, this.result using errcode = 'connection_failure',
        hint = 'Start it, or take it out with citus_remove_node(). If it is new, run: pgscore migrate';
    end if;
    node := this.node;
    answer := this.result;
    return next;
  end loop;
end
$$;
comment on function pgscore_data._run_on_nodes(text) is 'Has every node of Citus run a statement; raises which of them did not.';

create or replace function pgscore_data._define_on_nodes(missing text[], surplus text[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  lines constant text := (
    select string_agg(format(E'execute %L;\n', coalesce(f.definition, pgscore_data._node_sql(pg_get_functiondef(f.function)))), ''
                      order by f.function)
      from pgscore_data._node_functions() f where f.signature = any (missing));
begin
  perform pgscore_data._run_on_nodes(format('do %L', concat(
    E'begin\nset local role pgscore_service;\nset local citus.enable_ddl_propagation = off;\nset local check_function_bodies = off;\n',
    (select string_agg(t.definition, '') from pgscore_data._node_types() t), lines,
    (select string_agg(format(E'drop function if exists %s;\n', s), '') from unnest(surplus) s),
    E'revoke all on all functions in schema pgscore, pgscore_models from public;\n'
    'grant execute on all functions in schema pgscore, pgscore_models to pgscore_user;\nend')));
end
$$;
comment on function pgscore_data._define_on_nodes(text[], text[]) is
  'Creates functions on all nodes, by their signatures, and drops others: each node in a transaction of its own.';

create or replace function pgscore.sync_nodes() returns table (node text, changed int)
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  states jsonb;
  missing text[];
  surplus text[];
begin
  if to_regclass('pg_catalog.pg_dist_node') is null then
    return;
  end if;
  select jsonb_object_agg(n.node, n.answer::jsonb) into states from pgscore_data._run_on_nodes(
    'select coalesce(json_object_agg(format(''%s.%I(%s)'', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), '
    'md5(p.prosrc)), ''{}'') from pg_proc p join pg_namespace n on n.oid = p.pronamespace '
    'where n.nspname in (''pgscore'', ''pgscore_models'')') n;
  select coalesce(array_agg(f.signature), '{}') into missing from pgscore_data._node_functions() f
   where exists (select from jsonb_each(states) s
                  where not s.value ? f.signature or s.value ->> f.signature <> coalesce(f.digest, s.value ->> f.signature));
  select coalesce(array_agg(distinct k), '{}') into surplus from jsonb_each(states) s cross join jsonb_object_keys(s.value) k
   where k ~ '^pgscore_models\.(_v[0-9]|[^_])' and k not in (select f.signature from pgscore_data._node_functions() f);
  if missing <> '{}' or surplus <> '{}' then
    perform pgscore_data._define_on_nodes(missing, surplus);
  end if;
  return query select s.key, cardinality(missing) + cardinality(surplus) from jsonb_each(states) s;
end
$$;
comment on function pgscore.sync_nodes() is
'Brings the functions of native models to all nodes of Citus, and takes those of dropped versions off them: a row for each node, with
the number of functions that changed. The service calls it before a version becomes ready, and all along, as nodes may be added.
Raises which node does not answer. No rows where Citus is not installed.';
