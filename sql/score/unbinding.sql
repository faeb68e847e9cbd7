-- Dropping and renaming the typed functions of a model.

create or replace function pgscore_data._drop_unless_used(function text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- A session that is dropping it with a table stops nobody.
set lock_timeout = '1ms'
as $$
begin
  execute format('drop function %s', function);
exception when others then
  -- A view that anybody made of it must not make a change of the model fail.
  null;
end
$$;
comment on function pgscore_data._drop_unless_used(text) is 'Drops a function, or leaves it where that cannot be.';

create or replace function pgscore_data._drop_leftovers() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  select pgscore_data._drop_unless_used(p.oid::regprocedure::text)
    from pg_proc p
   where p.pronamespace = 'pgscore_models'::regnamespace and pgscore_data._may_name(p.oid)
     and (p.proname ~ '^_fits_[0-9]+$' and not exists (select from pgscore_data.binding b where p.proname = '_fits_' || b.binding_id)
       or p.proname = '_score' and p.proargtypes[2] = 'name'::regtype and not exists (
         select from pg_proc holder where holder.pronamespace = 'pgscore_data'::regnamespace and holder.proname ~ '^_binding_[0-9]+$'
            and holder.proargtypes[0] = p.proargtypes[1]))
$$;
comment on function pgscore_data._drop_leftovers() is 'Drops what bindings left that are no more, as it was in use.';

create or replace function pgscore_data._forget_binding(this_binding int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- The functions may have gone with the table, which needs no notice.
set client_min_messages = warning
as $$
begin
  delete from pgscore_data.binding b where b.binding_id = this_binding;
  execute format('drop function if exists pgscore_data.%I', '_binding_' || this_binding);
  perform pgscore_data._drop_unless_used(format('pgscore_models.%I()', '_fits_' || this_binding));
end
$$;
comment on function pgscore_data._forget_binding(int) is
  'Deletes a binding and its own two functions, not those of the model. One that is in use stays for _drop_leftovers().';

create or replace function pgscore_data._drop_bound(this_model int, base text, number int default null) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this regprocedure;
begin
  for this in
    select f.function from pgscore_data._typed_functions(this_model, base) f
     where f.name = coalesce(pgscore_data._version_function(base, number), f.name) and pgscore_data._may_name(f.function)
  loop
    execute format('drop function %s', this);
  end loop;
end
$$;
comment on function pgscore_data._drop_bound(int, text, int) is
  'Drops the typed functions of a model, or of one version; refused while an index, a view or a column uses one.';

create or replace function pgscore_data._drop_unbound(relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this regprocedure;
begin
  for this in
    select p.oid::regprocedure from pg_proc p
     where p.pronamespace = 'pgscore_models'::regnamespace and p.prokind = 'f' and not starts_with(p.proname, '_')
       and p.proargtypes = (select c.reltype from pg_class c where c.oid = relation)::text::oidvector
       and not exists (
         select from pgscore_data.binding b join pgscore_data.model m using (model_id)
          where pgscore_data._bound_relation(b) = relation and (p.proname = m.name or pgscore_data._is_of_a_version(p.proname, m.name)))
  loop
    execute format('drop function %s', this);
  end loop;
end
$$;
comment on function pgscore_data._drop_unbound(regclass) is
  'Drops the typed functions for the rows of a table that belong to no model that is bound to it.';

create or replace function pgscore_data._rename_bound(this_model int, old_name text, new_name text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this record;
begin
  perform pgscore_data._refuse_taken_name(this_model, new_name);
  -- In an order in which none takes a name that another still has: churn_v2 becomes churn_v2_v2 before churn becomes churn_v2.
  for this in
    select f.function, f.name from pgscore_data._typed_functions(this_model, old_name) f where pgscore_data._may_name(f.function)
     order by length(f.name) * sign(length(old_name) - length(new_name))
  loop
    execute format('alter function %s rename to %I', this.function, new_name || substr(this.name, length(old_name) + 1));
  end loop;
end
$$;
comment on function pgscore_data._rename_bound(int, text, text) is
  'Renames the typed functions of a model: views, indexes and columns that use them go on.';

create or replace function pgscore_data._renew_scores(this_model int) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  -- In one order for all models, or two would wait for each other.
  select pgscore_data._renew_score(x.relation)
    from (select r as relation from pgscore_data.binding b cross join lateral pgscore_data._bound_relation(b) r
           where b.model_id = this_model order by r) x
$$;
comment on function pgscore_data._renew_scores(int) is 'Renews score() on rows of all tables to which a model is bound.';

create or replace function pgscore_data._refuse_index_build(b pgscore_data.binding, base text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  bound constant regclass := pgscore_data._bound_relation(b);
begin
  -- CREATE INDEX takes a SHARE lock. What the index depends on cannot be seen before it is committed.
  if exists (
    select from pg_locks l join pg_database d on d.oid = l.database
     where l.relation = bound and d.datname = current_database()
       and l.mode = 'ShareLock' and l.granted and l.pid is distinct from pg_backend_pid())
  then
    raise exception 'an index of % is being made, which may go by a function of model "%"', bound, base using
      errcode = 'object_in_use', hint = 'Ask again when its transaction has ended.';
  end if;
end
$$;
comment on function pgscore_data._refuse_index_build(pgscore_data.binding, text) is
  'Raises while an index is made of a bound table: PostgreSQL locks no function that it goes by, and would have it without one.';

create or replace function pgscore_data._unbind(b pgscore_data.binding, base text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  relation regclass := pgscore_data._bound_relation(b);
begin
  perform pgscore_data._refuse_index_build(b, base);
  perform pgscore_data._forget_binding(b.binding_id);
  if relation is not null then
    perform pgscore_data._renew_score(relation);
    perform pgscore_data._drop_unbound(relation);
  end if;
  if not exists (select from pgscore_data.binding x where x.model_id = b.model_id) then
    perform pgscore_data._drop_bound(b.model_id, base);
  end if;
end
$$;
comment on function pgscore_data._unbind(pgscore_data.binding, text) is
  'Unbinds a model from a table, with its typed functions; refused while an index, a view or a column uses one.';

create or replace function pgscore_data._unbind_all(this_model int, base name) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  b pgscore_data.binding;
begin
  for b in select x.* from pgscore_data.binding x where x.model_id = this_model order by pgscore_data._bound_relation(x) loop
    if pgscore_data._may_use_type(pgscore_data._bound_relation(b)) is false then
      -- Its functions cannot be named. They stay until the owner unbinds them.
      perform pgscore_data._renew_binding(b);
    else
      perform pgscore_data._unbind(b, base);
    end if;
  end loop;
end
$$;
comment on function pgscore_data._unbind_all(int, name) is 'Unbinds a model from every table.';
