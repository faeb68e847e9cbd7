-- A binding follows its table: which it is says a function that takes its rows, not a name.

alter table pgscore_data.binding
  add column set_aside text,
  add column released boolean not null default false;
comment on column pgscore_data.binding.set_aside is 'Why the functions of the champion raise, as it was when they were last made; NULL where they work.';
comment on column pgscore_data.binding.released is 'A deployer unbound it while its functions were in use: it keeps no version from being promoted.';

-- The typed functions know which tables are bound, also those that were renamed since.
do $$
declare
  bound record;
  this int;
begin
  for bound in
    select distinct on (m.model_id, c.oid) m.model_id, m.name, c.oid::regclass as relation, n.nspname, c.relname, c.relowner
      from pgscore_data.model m
      join pg_catalog.pg_proc p on p.pronamespace = 'pgscore_models'::regnamespace and p.proname = m.name and p.pronargs = 1
      join pg_catalog.pg_type t on t.oid = p.proargtypes[0]
      join pg_catalog.pg_class c on c.oid = t.typrelid and c.relkind <> 'c'
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where exists (select from pgscore_data.binding b where b.model_id = m.model_id)
  loop
    select b.binding_id into this from pgscore_data.binding b where b.model_id = bound.model_id and b.relation_schema = bound.nspname and b.relation_name = bound.relname;
    if not found then
      insert into pgscore_data.binding (model_id, relation_schema, relation_name, bound_by)
      values (bound.model_id, bound.nspname, bound.relname, pg_get_userbyid(bound.relowner)) returning binding_id into this;
    end if;
    begin
      execute format('create function pgscore_data.%I(%s) returns void language sql set search_path = pg_catalog, pg_temp as %L', '_binding_' || this, bound.relation, '');
      execute format('comment on function pgscore_data.%I is %L', '_binding_' || this, 'Never called. What it takes is the table of a binding.');
    exception when insufficient_privilege then
      raise warning 'model % is no longer bound to %, whose rows pgscore may not use: bind it again', bound.name, bound.relation;
    end;
  end loop;
  delete from pgscore_data.binding b where not exists (select from pg_catalog.pg_proc p where p.pronamespace = 'pgscore_data'::regnamespace and p.proname = ('_binding_' || b.binding_id)::name);
end
$$;

do $$
begin
  if to_regclass('pgscore.bindings') is not null then
    create or replace view pgscore.bindings with (security_barrier) as
    select m.name as model, n.nspname as relation_schema, c.relname as relation_name, b.bound_by, b.bound_at
      from pgscore_data.binding b
      join pgscore_data.model m using (model_id)
      join pg_catalog.pg_proc p on p.pronamespace = 'pgscore_data'::regnamespace and p.proname = ('_binding_' || b.binding_id)::name
      join pg_catalog.pg_type t on t.oid = p.proargtypes[0]
      join pg_catalog.pg_class c on c.oid = t.typrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace;
  end if;
end
$$;

alter table pgscore_data.binding drop column relation_schema, drop column relation_name;
