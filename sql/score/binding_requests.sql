-- Binding a model to a table: who may, and what is asked.

create or replace view pgscore._binding_request as
select null::text as model, null::oid as relation, null::boolean as bound, null::text as outcome, null::name as requested_by where false;
comment on view pgscore._binding_request is
  'Where bind() and unbind() hand their request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._binding_request alter column requested_by set default current_user;

create or replace function pgscore_data._refuse_relation(relation regclass, owned boolean, bound boolean) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  found record;
begin
  select c.relkind, c.relpersistence, n.nspname, n.oid as schema_id into found from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.oid = relation;
  if not owned and bound then
    raise exception 'only the owner of % may bind a model to it', relation using errcode = 'insufficient_privilege',
      hint = 'score() works on its rows without binding, by matching names at every call.';
  elsif not owned then
    raise exception 'only the owner of % may unbind a model from it, or a pgscore_deployer', relation
      using errcode = 'insufficient_privilege',
      hint = 'select * from pgscore.bindings; lists what is bound.';
  elsif found.relkind not in ('r', 'p', 'v', 'm', 'f') or found.relpersistence = 't' then
    raise exception '% is not a table, view, materialised or foreign table that lasts', relation using errcode = 'wrong_object_type';
  elsif bound and pgscore._is_of_coordinator(relation) then
    raise exception 'Citus gives rows of % another type, which typed functions do not take', relation using
      errcode = 'feature_not_supported', hint = 'score() works on its rows without binding, by matching names at every call.';
  elsif not has_schema_privilege('pgscore_owner', found.schema_id, 'usage') then
    raise exception 'pgscore may not use the types of schema "%"', found.nspname using errcode = 'insufficient_privilege',
      hint = format('grant usage on schema %I to pgscore_owner;', found.nspname);
  end if;
end
$$;
comment on function pgscore_data._refuse_relation(regclass, boolean, boolean) is
  'Raises where no model may be bound to a table, or unbound from it.';

create or replace function pgscore_data._refuse_taken_name(this_model int, base text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if starts_with(base, '_') then
    raise exception 'model "%" cannot be bound: names with a leading _ are pgscore''s own there', base using errcode = 'reserved_name',
      hint = format('select pgscore.rename_model(%L, ...);', base);
  elsif exists (
    select from pgscore_data.binding b join pgscore_data.model m using (model_id)
     where m.model_id <> this_model
       and (pgscore_data._is_of_a_version(m.name::name, base) or pgscore_data._is_of_a_version(base::name, m.name))
  ) then
    raise exception 'another model''s function has a name that model "%" needs', base using errcode = 'duplicate_function',
      hint = format('select pgscore.rename_model(%L, ...);', base);
  end if;
end
$$;
comment on function pgscore_data._refuse_taken_name(int, text) is 'Raises where the typed functions of a model would have names of others.';

create or replace function pgscore_data._refuse_unfitting_table(relation regclass, base text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  said text;
  details text;
begin
  perform pgscore._feature_columns(relation, (pgscore._find_version(base)).signature, null);
exception when undefined_column or ambiguous_column then
  get stacked diagnostics said = message_text, details = pg_exception_detail;
  raise exception '%', said using errcode = sqlstate, detail = details,
    hint = 'bind() goes by the names of columns: bind a view that gives them those of the features. select inputs from pgscore.models; '
           'has these.';
end
$$;
comment on function pgscore_data._refuse_unfitting_table(regclass, text) is
  'Raises, to the owner of a table, what it lacks of the champion of a model.';

create or replace function pgscore_data._bind(this_model int, base text, relation regclass, actor name) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this pgscore_data.binding;
begin
  perform pgscore_data._refuse_taken_name(this_model, base);
  perform pgscore_data._refuse_unfitting_table(relation, base);
  update pgscore_data.binding b set released = false where b.model_id = this_model and pgscore_data._bound_relation(b) = relation
    returning b.* into this;
  if not found then
    insert into pgscore_data.binding (model_id, bound_by) values (this_model, actor) returning * into this;
    execute format('create function pgscore_data.%I(%s) returns void language sql set search_path = pg_catalog, pg_temp as %L', '_binding_'
                   || this.binding_id, relation, '');
    execute format('comment on function pgscore_data.%I is %L', '_binding_' || this.binding_id,
                   'Never called. What it takes is the table of a binding.');
  end if;
  perform pgscore_data._renew_binding(this);
  select b.* into this from pgscore_data.binding b where b.binding_id = this.binding_id;
  if this.set_aside is not null then
    raise exception 'model "%" cannot be bound to %: %', base, relation, this.set_aside using errcode = 'object_not_in_prerequisite_state',
      hint = format('Drop what uses its functions, if anything does; then select pgscore.bind(%L, %L);', base, relation);
  end if;
  perform pgscore_data._renew_score(relation);
  perform pgscore_data._renew_grants(this_model);
end
$$;
comment on function pgscore_data._bind(int, text, regclass, name) is
  'Binds a model to a table, or makes a binding that was set aside good again.';

create or replace function pgscore_data._unbind_or_release(this pgscore_data.binding, base text, owned boolean) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  relation regclass := pgscore_data._bound_relation(this);
  details text;
  remedy text;
begin
  perform pgscore_data._unbind(this, base);
exception when insufficient_privilege or dependent_objects_still_exist or object_in_use or lock_not_available then
  if owned then
    get stacked diagnostics details = pg_exception_detail, remedy = pg_exception_hint;
    -- PostgreSQL's own hint is about DROP ... CASCADE, which the caller did not write.
    raise exception '%', sqlerrm
      using errcode = sqlstate, detail = details, hint = case when remedy like '%CASCADE%' then 'Drop these first.' else remedy end;
  end if;
  -- What others build on their tables neither stops a deployer nor is broken.
  update pgscore_data.binding b set released = true where b.binding_id = this.binding_id;
  raise warning '% stays bound to model "%", but holds up no promotion any more: %', relation, base, sqlerrm using
    hint = 'select * from pgscore.bindings; lists what is bound.';
end
$$;
comment on function pgscore_data._unbind_or_release(pgscore_data.binding, text, boolean) is
  'Unbinds; where the functions are in use, a deployer who does not own the table only takes its say in promotions.';

create or replace function pgscore_data._accept_binding() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  this_model record;
  table_owner oid;
  relation regclass := new.relation::regclass;
  owned boolean;
  this pgscore_data.binding;
begin
  if new.model is null or new.relation is null then
    raise exception 'the % is NULL', case when new.model is null then 'model' else 'table' end using errcode = 'null_value_not_allowed',
      hint = format('select pgscore.%s(''model'', ''schema.table'');', case when new.bound then 'bind' else 'unbind' end);
  end if;
  select f.model_id, f.name as model_name into this_model from pgscore_data.model f where f.name = new.model for no key update;
  if not found or new.bound then
    select f.model_id, f.model_name into this_model from pgscore._find_version(new.model) f;
  end if;
  if new.model <> this_model.model_name then
    raise exception 'a whole model is bound, not version %', new.model using errcode = 'invalid_parameter_value',
      hint = format('Bind %L: each of its versions gets a function of its own.', this_model.model_name);
  end if;
  perform pgscore_data._outdate_snapshots(this_model.model_id);
  select c.relowner into table_owner from pg_class c where c.oid = relation;
  if not found then
    raise exception 'table % does not exist', relation
      using errcode = 'undefined_table', hint = 'Pass a table or view that is there: ''schema.table''.';
  end if;
  owned := pg_has_role(new.requested_by, table_owner, 'usage');
  if new.bound or owned or not pg_has_role(new.requested_by, 'pgscore_deployer', 'usage') then
    perform pgscore_data._refuse_relation(relation, owned, new.bound);
  end if;
  if new.bound then
    perform pgscore_data._bind(this_model.model_id, this_model.model_name, relation, new.requested_by);
    new.outcome := format('pgscore_models.%I(%s)', this_model.model_name, relation);
  else
    select b.* into this from pgscore_data.binding b where b.model_id = this_model.model_id and pgscore_data._bound_relation(b) = relation;
    if not found then
      raise exception 'model "%" is not bound to %', this_model.model_name, relation
        using errcode = 'undefined_object', hint = 'select * from pgscore.bindings; lists what is bound.';
    end if;
    perform pgscore_data._unbind_or_release(this, this_model.model_name, owned);
    new.outcome := this_model.model_name;
  end if;
  insert into pgscore_data.audit (actor, action, model, detail)
  values (new.requested_by, case when new.bound then 'bind' else 'unbind' end, this_model.model_name,
          jsonb_build_object('argument', relation::text));
  return new;
end
$$;
comment on function pgscore_data._accept_binding() is
  'Binds a model to a table of the requester, or unbinds it. The model is locked, so that no promotion misses a binding.';

create or replace trigger accept instead of insert on pgscore._binding_request
for each row execute function pgscore_data._accept_binding();

create or replace function pgscore.bind(model text, relation regclass) returns text
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._binding_request (model, relation, bound) values ($1, $2, true) returning outcome $$;
comment on function pgscore.bind(text, regclass) is
'Makes typed functions of a model for the rows of a table of yours: pgscore_models.churn(customers) follows the champion, '
'churn_v3(customers) and churn_v3(features…) are of one version and never change. score(''churn'', c) then costs no more than the model, '
'and the version functions serve in index expressions and generated columns.
The binding goes with the table through ALTER TABLE. The table cannot be dropped while it is bound: pgscore.unbind(model, table). Binding '
'again repairs a binding that pgscore.bindings shows with a problem. Returns the function of the champion.';

create or replace function pgscore.unbind(model text, relation regclass) returns text
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._binding_request (model, relation, bound) values ($1, $2, false) returning outcome $$;
comment on function pgscore.unbind(text, regclass) is
'Drops the typed functions of a model for a table; refused while an index, a view or a column uses one. For the owner of the table and '
'for a pgscore_deployer, to whom functions in use are left, without a say in promotions. Returns the model.';

create or replace function pgscore_data._bound_relation(b pgscore_data.binding) returns regclass
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select t.typrelid::regclass from pg_proc p join pg_type t on t.oid = p.proargtypes[0]
   where p.pronamespace = 'pgscore_data'::regnamespace and p.proname = ('_binding_' || b.binding_id)::name
$$;
comment on function pgscore_data._bound_relation(pgscore_data.binding) is
'The table of a binding; NULL where it is gone. It is what the function _binding_<id> takes: PostgreSQL has that follow the table '
'wherever it goes, through a dump and an upgrade of the server too, and drops it with the table.';

create or replace function pgscore_data._may_use_type(relation regclass) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select has_schema_privilege('pgscore_owner', c.relnamespace, 'usage') and has_type_privilege('pgscore_owner', c.reltype, 'usage')
    from pg_class c where c.oid = relation
$$;
comment on function pgscore_data._may_use_type(regclass) is 'Whether pgscore may make functions of the rows of a table.';

create or replace function pgscore._binding_problem(relation regclass, signature jsonb) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  -- Read by everybody: it tells of the features, which all know, and nothing of other columns.
  select case
      when not has_schema_privilege('pgscore_owner', c.relnamespace, 'usage')
        then format('pgscore may not use the types of schema %I: grant usage on schema %I to pgscore_owner', n.nspname, n.nspname)
      when not has_type_privilege('pgscore_owner', c.reltype, 'usage')
        then format('pgscore may not use its row type: grant usage on type %s to pgscore_owner', relation)
      else (select string_agg(x.problem, ', ' order by x.n) from (
        select m.n, case
            when m.candidates > 1 then format('it has more than one column for "%s"', m.feature)
            when m.column_name is null then format('it has no column for "%s"', m.feature)
            when not coalesce(pgscore._cast_allowed(pgscore._wire_type(pgscore._base_type(m.type)), m.tensor_type, m.width), false)
              then format('its column for "%s" has a type that the feature cannot be', m.feature)
          end as problem
          from pgscore._matched_features(relation, signature, null) m) x where x.problem is not null)
    end
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = relation
$$;
comment on function pgscore._binding_problem(regclass, jsonb) is
  'Why a table, as it is now, has no typed function of a version with this signature; NULL where it has one.';

create or replace function pgscore_models._refuse_binding(binding int) returns text
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  found record;
begin
  select m.name as model, pgscore_data._bound_relation(b) as relation, b.set_aside as problem into found
    from pgscore_data.binding b join pgscore_data.model m using (model_id) where b.binding_id = binding;
  raise exception '% no longer fits model "%", to which it is bound: %', found.relation, found.model, found.problem using
    errcode = 'object_not_in_prerequisite_state',
    hint = format('Once it fits, bind it again: select pgscore.bind(%L, %L); or be rid of the functions: select pgscore.unbind(%L, %L);',
                  found.model, found.relation, found.model, found.relation);
end
$$;
comment on function pgscore_models._refuse_binding(int) is 'Raises that a binding was set aside, and why.';
