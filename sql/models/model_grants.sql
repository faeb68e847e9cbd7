-- Who may call a model: EXECUTE on the functions of its versions is the grant; the table keeps it for versions to come.

create or replace function pgscore_data._is_of_a_version(function name, model text) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select function ~ ('^' || regexp_replace(model, '([.])', '\\\1', 'g') || '_v[0-9]+$') $$;
comment on function pgscore_data._is_of_a_version(name, text) is 'Whether a name is that of the typed function of a version of a model.';

create or replace function pgscore_data._typed_functions(this_model int, base text) returns table (function regprocedure, name name)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  -- churn_v2 can be a version of churn, or the champion of a model of that name: of the model that is bound to the table.
  select p.oid::regprocedure, p.proname
    from pg_proc p
   where p.pronamespace = 'pgscore_models'::regnamespace and p.prokind = 'f' and not starts_with(base, '_')
     and (pgscore_data._is_of_a_version(p.proname, base)
       or p.proname = base and p.pronargs = 1 and exists (select from pg_type t where t.oid = p.proargtypes[0] and t.typtype = 'c'))
     and not exists (
       select from pgscore_data.binding b
         join pgscore_data.model m using (model_id)
         join pg_proc holder on holder.pronamespace = 'pgscore_data'::regnamespace
           and holder.proname = ('_binding_' || b.binding_id)::name and holder.proargtypes = p.proargtypes
        where b.model_id <> this_model and (p.proname = m.name or pgscore_data._is_of_a_version(p.proname, m.name)))
$$;
comment on function pgscore_data._typed_functions(int, text) is
'The typed functions of a model that is called so, or was when they were made.';

create or replace function pgscore_data._functions_of(this_model int) returns table (function regprocedure)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select p.oid::regprocedure
    from pg_proc p, pgscore_data.version v
   where p.pronamespace = 'pgscore_models'::regnamespace and v.model_id = this_model
     and (p.proname = '_v' || v.version_id or starts_with(p.proname, '_v' || v.version_id || '_'))
  union
  select f.function from pgscore_data.model m cross join lateral pgscore_data._typed_functions(m.model_id, m.name) f
    where m.model_id = this_model
  union
  select p.oid::regprocedure
    from pg_proc p, pgscore_data.binding b
   where p.pronamespace = 'pgscore_models'::regnamespace and b.model_id = this_model and p.proname = ('_fits_' || b.binding_id)::name
$$;
comment on function pgscore_data._functions_of(int) is 'Every generated function of a model.';

create or replace function pgscore_data._may_name(function oid) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select not exists (
    select from pg_proc p cross join unnest(p.proargtypes) a (type) join pg_type t on t.oid = a.type
     where p.oid = function and not has_schema_privilege('pgscore_owner', t.typnamespace, 'usage'))
$$;
comment on function pgscore_data._may_name(oid) is
'Whether a statement of pgscore can name a function: not where it takes rows of a table in a schema that was closed after it was made.';

create or replace function pgscore_data._version_function(model name, number int) returns name
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select (model || '_v' || number)::name $$;
comment on function pgscore_data._version_function(name, int) is 'Name of the typed function of a version, such as churn_v3.';

create or replace function pgscore_data._renew_grants(this_model int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '500ms'
as $$
declare
  wanted text[] := array(select 'pgscore_service' union select quote_ident(g.grantee) from pgscore_data.model_grant g
    join pg_roles r on r.rolname = g.grantee where g.model_id = this_model order by 1);
  present text[];
  this regprocedure;
begin
  for this in select f.function from pgscore_data._functions_of(this_model) f where pgscore_data._may_name(f.function) loop
    present := array(
      select distinct case a.grantee when 0 then 'public' else quote_ident(r.rolname) end
        from pg_proc p cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
          left join pg_roles r on r.oid = a.grantee
       where p.oid = this and a.grantee <> p.proowner order by 1);
    continue when present = wanted;
    begin
      if present <> '{}' then
        execute format('revoke all on function %s from %s', this, array_to_string(present, ', '));
      end if;
      execute format('grant execute on function %s to %s', this, array_to_string(wanted, ', '));
    exception when lock_not_available then
      -- Whoever is dropping a table stops nobody: its typed function is of no use without those that it calls.
      if (select starts_with(p.proname, '_') from pg_proc p where p.oid = this) then
        raise;
      end if;
    end;
  end loop;
end
$$;
comment on function pgscore_data._renew_grants(int) is
'Gives EXECUTE on a model''s functions to the roles that it is granted to, and to nobody else but the service.';

create or replace function pgscore_data._change_grant(this_model int, base text, role text, actor name, granted boolean) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if granted and not exists (select from pg_roles r where r.rolname = role) then
    raise exception 'role "%" does not exist', role using errcode = 'undefined_object',
      hint = 'select rolname from pg_roles; lists the roles.';
  end if;
  if granted then
    insert into pgscore_data.model_grant (model_id, grantee, granted_by) values (this_model, role, actor) on conflict do nothing;
    -- An analyst reads the accuracy of a model.
    if not pg_has_role(role, 'pgscore_user', 'usage') and not pg_has_role(role, 'pgscore_analyst', 'usage') then
      raise warning 'role "%" can call no model yet: it is not a member of pgscore_user', role
        using hint = format('grant pgscore_user to %I;', role);
    end if;
  else
    delete from pgscore_data.model_grant g where g.model_id = this_model and g.grantee = role;
    if not found then
      raise exception 'model "%" is not granted to "%"', base, role using errcode = 'undefined_object',
        hint = coalesce('It is granted to '
          || (select string_agg(g.grantee, ', ' order by g.grantee) from pgscore_data.model_grant g where g.model_id = this_model) || '.',
          'It is granted to nobody.');
    end if;
  end if;
  perform pgscore_data._renew_grants(this_model);
  if not granted and exists (
    select from pgscore_data.execution e join pgscore_data.version v using (version_id) where v.model_id = this_model and e.native)
  then
    raise notice 'whoever may connect can still read model "%", as the source of its compiled functions', base using
      hint = 'Deploy it again with native => false, and drop the versions that are native.';
  end if;
end
$$;
comment on function pgscore_data._change_grant(int, text, text, name, boolean) is 'Grants a model to a role, or takes the grant back.';

create or replace function pgscore.grant_model(model text, role name) returns text
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._run_command('grant_model', model, role::text) $$;
comment on function pgscore.grant_model(text, name) is
'Lets a role score with a model (score(), score_table() and schedules), or, of pgscore_analyst, read its accuracy.
A new model is granted to pgscore_user; to narrow that, revoke_model(model, ''pgscore_user'') and grant it to fewer. Returns the model.';

create or replace function pgscore.revoke_model(model text, role name) returns text
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._run_command('revoke_model', model, role::text) $$;
comment on function pgscore.revoke_model(text, name) is
'Takes a model back from a role that it was granted to: it may score with it no more.
The source of compiled functions stays readable (pg_proc). Returns the model.';
