-- Plans that are known: a small table that is scored again and again is planned once.

create or replace view pgscore._known_plan with (security_barrier) as
select k.plan_id, k.plan_digest, k.version_id, k.target_id, k.handle_id, k.plan ->> 'schema' as source_schema,
       k.plan ->> 'name' as source_name, k.plan ->> 'kind' as source_kind,
       h.name as handle_name, t.view_schema, t.view_name, k.owner
  from pgscore_data.known_plan k
  cross join lateral (select x.name from pgscore_data.handle x where x.handle_id = k.handle_id offset 0) h
  cross join lateral (select x.view_schema, x.view_name from pgscore_data.target x where x.target_id = k.target_id offset 0) t
 where k.owner = current_user;
comment on view pgscore._known_plan is 'What the caller''s earlier requests came to.';

create or replace function pgscore._plan_digest(
  source regclass, version_id int, target_schema name, target name, key text[], event_time text, column_map jsonb, segments text[],
  experiment int,
  out plan_digest text, out pages bigint, out rows bigint
)
language sql stable security invoker
begin atomic
  -- Handles name schemas and types, and others can take over these names, but not those of built-in types.
  select md5(row(c.oid, c.relam, c.relname, n.nspname, version_id, target_schema, target, key, event_time,
                 case when event_time is not null then current_setting('TimeZone') end, column_map, segments, experiment,
           (select row(i.indkey::text, i.indnkeyatts)::text from pg_index i where i.indrelid = c.oid and i.indisprimary),
           array(select row(a.attname, a.atttypid, a.attnum,
                            case when a.atttypid >= 16384 then format_type(pgscore._base_type(a.atttypid), -1) end)
             from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum)::text)::text),
         s.pages, case when c.reltuples >= 0 then c.reltuples::bigint end
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    cross join lateral (select pg_relation_size(c.oid) / current_setting('block_size')::int as pages) s
   where c.oid = source and c.relkind in ('r', 'm') and c.relpersistence <> 't' and not c.relrowsecurity and not c.relhassubclass
     and s.pages <= 128 and not pgscore._is_on_citus(c.oid)
     and has_table_privilege(c.oid, 'select')
     and (pg_get_userbyid(c.relowner) = current_user or not exists (select from pg_roles r where r.rolname = current_user and r.rolsuper));
end;
comment on function pgscore._plan_digest(regclass, int, name, name, text[], text, jsonb, text[], int) is
'A digest of all that a plan depends on, with the size of the source: what is asked for, and what the catalogue says of the source. NULL '
'where the plan is to be made anew: of large tables, partitions, views and row-level security, and where the caller may read some columns '
'only.';
