-- What PostgreSQL keeps of the champion's scores: an index, a stored column. It is let in since PostgreSQL looks at functions after it has put
-- them into the expression, and would be of two versions once the champion changes.

create or replace function pgscore_data._keeps_champion(b pgscore_data.binding) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with bound as (
    select c.oid, c.reltype, m.name from pg_class c, pgscore_data.model m where c.oid = pgscore_data._bound_relation(b) and m.model_id = b.model_id
  ), champion as (
    select p.oid from pg_proc p, bound x where p.pronamespace = 'pgscore_models'::regnamespace and p.proname = x.name and p.pronargs = 1 and p.proargtypes[0] = x.reltype
  ), score as (
    select p.oid from pg_proc p where p.proname = 'score' and p.proowner = 'pgscore_owner'::regrole
  ), kept as (
    select 'index ' || i.indexrelid::regclass as name, pg_get_indexdef(i.indexrelid) as definition, concat(i.indexprs, i.indpred) as tree, d.refobjid as function, i.indrelid as relation
      from pg_depend d join pg_index i on i.indexrelid = d.objid
     where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_proc'::regclass and d.refobjid in (select oid from champion union all select oid from score)
    union all
    select format('column %I of %s', a.attname, a.attrelid::regclass), pg_get_expr(f.adbin, f.adrelid), f.adbin::text, d.refobjid, f.adrelid
      from pg_depend d join pg_attrdef f on f.oid = d.objid join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum and a.attgenerated = 's'
     where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_proc'::regclass and d.refobjid in (select oid from champion union all select oid from score)
  )
  -- A model that is no constant as it is written, 'chu' || 'rn', became one when PostgreSQL looked, and can be any that is bound.
  select min(k.name || case when computed then ' (by a score() whose model is computed)' else '' end)
    from kept k cross join bound x
   cross join lateral (select k.relation = x.oid and k.tree ~ format('{FUNCEXPR :funcid %s [^{]*:args \((?!({NAMEDARGEXPR :arg )?{CONST )', k.function) and k.function in (select oid from score)) c (computed)
   where k.function in (select oid from champion) or k.relation = x.oid and position(quote_literal(x.name) || '::text' in k.definition) > 0 or computed
$$;
comment on function pgscore_data._keeps_champion(pgscore_data.binding) is 'An index or a stored column that goes by the champion on the rows of a bound table; NULL: none does.';

create or replace function pgscore_data._is_being_indexed(b pgscore_data.binding) returns boolean
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  -- SHARE is what CREATE INDEX takes. What it keeps is not to be seen before it is committed.
  select exists (
    select from pg_locks l
     where l.relation = pgscore_data._bound_relation(b) and l.database = (select d.oid from pg_database d where d.datname = current_database())
       and l.mode = 'ShareLock' and l.granted and l.pid is distinct from pg_backend_pid())
$$;
comment on function pgscore_data._is_being_indexed(pgscore_data.binding) is 'Whether somebody else makes an index of a bound table, which may go by the champion.';

create or replace function pgscore_data._refuse_index_build(b pgscore_data.binding, base text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if pgscore_data._is_being_indexed(b) then
    raise exception 'an index of % is being made, which may go by the champion of model "%"', pgscore_data._bound_relation(b), base using
      errcode = 'object_in_use',
      hint = format('Ask again when its transaction has ended; a deployer need not wait, and unbinds the table: select pgscore.unbind(%L, %L);', base, pgscore_data._bound_relation(b));
  end if;
end
$$;
comment on function pgscore_data._refuse_index_build(pgscore_data.binding, text) is 'Raises while an index is made of a bound table: another champion could leave it with scores of the present one, and unbinding without its function.';

create or replace function pgscore_data._refuse_kept_champion(this_model int, this_version int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  victim record;
begin
  -- First, so that an index is seen either here or there.
  perform pgscore_data._refuse_index_build(b, m.name)
    from pgscore_data.binding b
    join pgscore_data.model m using (model_id)
    join pgscore_data.alias a on a.model_id = b.model_id and a.alias = 'champion' and a.version_id is distinct from this_version
   where b.model_id = this_model and not b.released;
  select x.kept, pgscore_data._bound_relation(b) as relation, m.name, v.number into victim
    from pgscore_data.binding b
    join pgscore_data.model m using (model_id)
    join pgscore_data.alias a on a.model_id = b.model_id and a.alias = 'champion' and a.version_id is distinct from this_version
    join pgscore_data.version v on v.version_id = a.version_id
   cross join lateral pgscore_data._keeps_champion(b) as x (kept)
   where b.model_id = this_model and not b.released and x.kept is not null order by b.binding_id limit 1;
  if found then
    raise exception '% goes by the champion of model "%", and would be of two versions', victim.kept, victim.name using
      errcode = 'dependent_objects_still_exist',
      hint = format('Its owner makes it anew by the function of a version, which never changes, such as pgscore_models.%I(%s); or you unbind %s.',
        pgscore_data._version_function(victim.name, victim.number), victim.relation, victim.relation);
  end if;
end
$$;
comment on function pgscore_data._refuse_kept_champion(int, int) is 'Raises where another champion would leave an index or a stored column with scores of the present one.';
