-- Binding a model to a table: typed functions over its rows, which the planner sees through.

create or replace view pgscore._binding_request as
select null::text as model, null::oid as relation, null::boolean as bound, null::text as outcome, null::name as requested_by where false;
comment on view pgscore._binding_request is 'Where bind() and unbind() hand their request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._binding_request alter column requested_by set default current_user;

create or replace function pgscore_data._compiled_call(this_version int, part text, columns jsonb) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select format('pgscore_models.%I(%s)', '_v' || this_version || part,
    string_agg(format(case part when '_real' then '$1.%I' else '($1.%I)::%s' end, c ->> 'name', pgscore_data._argument_type(c ->> 'tensor_type', (c ->> 'width')::int)), ', ' order by n))
  from jsonb_array_elements(columns) with ordinality as x (c, n)
$$;
comment on function pgscore_data._compiled_call(int, text, jsonb) is 'The SQL that calls a compiled function with the columns of a row $1: with casts, unless it takes real columns as they are.';

create or replace function pgscore_data._native_expression(this_version int, columns jsonb) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  -- The NULL row of an outer join has no score. The test of one column spares the other rows the test of all.
  select case
      when quick then format('coalesce(%s, case when %s then null else %s end)', pgscore_data._compiled_call(this_version, case when real then '_real' else '_quick' end, columns), missing, pgscore_data._compiled_call(this_version, '_checked', columns))
      else format('case when %s then null else %s end', missing, pgscore_data._compiled_call(this_version, case when real then '_real' else '' end, columns))
    end
    from (select exists (select from pg_proc p where p.pronamespace = 'pgscore_models'::regnamespace and p.proname = format('_v%s_quick', this_version)),
                 bool_and(c ->> 'sql_type' = 'real') and to_regprocedure(format('pgscore_models._v%s_real(%s)', this_version, string_agg(c ->> 'sql_type', ', '))) is not null,
                 format('($1.%I) is null and pg_catalog.num_nulls($1) = 1', columns -> 0 ->> 'name')
            from jsonb_array_elements(columns) c) x (quick, real, missing)
$$;
comment on function pgscore_data._native_expression(int, jsonb) is 'The SQL for the score of a row $1 by the compiled functions of a version that take its columns soonest.';

create or replace function pgscore_data._online_kind() returns text
language sql stable
set search_path = pg_catalog, pg_temp
-- Before PostgreSQL 17 a query with workers may not begin a subtransaction, and the service is asked in one.
as $$ select format('volatile parallel %s cost 100000', case when current_setting('server_version_num')::int < 170000 then 'unsafe' else 'restricted' end) $$;
comment on function pgscore_data._online_kind() is 'What PostgreSQL is told of a typed function that asks the service.';

create or replace function pgscore_data._typed_result(e pgscore_data.execution, call text, label_call text, otherwise text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when not e.native and e.task = 'multiclass' then format('(pgscore_models.%I(%s)).label', format('_v%s_online', e.version_id), otherwise)
    when not e.native then format('(pgscore_models.%I(%s)).score', format('_v%s_online', e.version_id), otherwise)
    when e.task = 'multiclass' then format('(%L::text[])[1 + %s]', e.class_labels, label_call)
    else call
  end
$$;
comment on function pgscore_data._typed_result(pgscore_data.execution, text, text, text) is 'What a typed function of a version computes: by the compiled function or through the service.';

create or replace function pgscore_data._bind_version(e pgscore_data.execution, name name, relation regclass, columns jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  result text := case e.task when 'multiclass' then 'text' else 'double precision' end;
  -- A version reads nothing and never changes: it may be indexed, generated and computed by workers. The cost, that of reading five
  -- pages, has other conditions tried first and makes workers worth while.
  kind text := case when e.native then 'immutable parallel safe cost 2000' else pgscore_data._online_kind() end;
  body text := case
    when e.native and e.task <> 'multiclass' then pgscore_data._native_expression(e.version_id, columns)
    else format('case when ($1.%I) is null and pg_catalog.num_nulls($1) = 1 then null else %s end', columns -> 0 ->> 'name',
      pgscore_data._typed_result(e, null, pgscore_data._compiled_call(e.version_id, '_label', columns), 'pgscore_models._features($1)'))
  end;
begin
  perform pgscore_data._create_function(name, relation::text, result, 'sql', kind, 'select ' || body,
    format('%s of a row of %s. Never changes.', case e.task when 'multiclass' then 'The label' when 'regression' then 'The value' else 'The probability of the positive class' end, relation));
end
$$;
comment on function pgscore_data._bind_version(pgscore_data.execution, name, regclass, jsonb) is 'Creates the typed function of a version for the rows of a table.';

create or replace function pgscore_data._bind_scalars(e pgscore_data.execution, name name, features jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  types text := (select string_agg(pgscore_data._argument_type(f ->> 'type', (f ->> 'width')::int), ', ' order by n) from jsonb_array_elements(features) with ordinality as x (f, n));
  arguments text := (select string_agg('$' || n, ', ' order by n) from jsonb_array_elements(features) with ordinality as x (f, n));
begin
  if e.native and jsonb_array_length(features) <= 100 then
    perform pgscore_data._create_function(name, types, case e.task when 'multiclass' then 'text' else 'double precision' end, 'sql', 'immutable parallel safe cost 2000',
      'select ' || pgscore_data._typed_result(e, format('pgscore_models.%I(%s)', '_v' || e.version_id, arguments), format('pgscore_models.%I(%s)', '_v' || e.version_id || '_label', arguments), null),
      'By its features, in the order of pgscore.models.inputs: for generated columns, which take no rows. Never changes.');
  end if;
end
$$;
comment on function pgscore_data._bind_scalars(pgscore_data.execution, name, jsonb) is 'Creates the typed function of a compiled version that takes its features one by one.';

create or replace function pgscore_data._bound_relation(b pgscore_data.binding) returns regclass
language sql stable
set search_path = pg_catalog, pg_temp
as $$ select to_regclass(format('%I.%I', b.relation_schema, b.relation_name)) $$;
comment on function pgscore_data._bound_relation(pgscore_data.binding) is 'The table of a binding; NULL where it is gone.';

create or replace function pgscore_data._renew_binding(b pgscore_data.binding) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  relation regclass := pgscore_data._bound_relation(b);
  model text := (select m.name from pgscore_data.model m where m.model_id = b.model_id);
  version record;
  columns jsonb;
  result text;
begin
  for version in
    select v.number, v.signature, e as execution, exists (select from pgscore_data.alias a where a.version_id = v.version_id and a.alias = 'champion') as champion
      from pgscore_data.version v join pgscore_data.execution e using (version_id) where v.model_id = b.model_id and v.state = 'ready' order by v.number
  loop
    begin
      select jsonb_agg(c || jsonb_build_object('tensor_type', f ->> 'type') order by n) into columns
        from jsonb_array_elements(pgscore._feature_columns(relation, version.signature, null)) with ordinality as x (c, n)
        join jsonb_array_elements(version.signature -> 'features') with ordinality as y (f, m) on m = n;
    exception
      -- A version that takes other columns has no typed function for this table; the champion must have one.
      when undefined_column or ambiguous_column or datatype_mismatch then
        if version.champion then
          raise;
        end if;
        continue;
    end;
    perform pgscore_data._bind_version(version.execution, pgscore_data._version_function(model, version.number), relation, columns);
    perform pgscore_data._bind_scalars(version.execution, pgscore_data._version_function(model, version.number), version.signature -> 'features');
    if version.champion then
      -- STABLE: a promotion makes it call another version, and no statement sees both.
      result := case (version.execution).task when 'multiclass' then 'text' else 'double precision' end;
      perform pgscore_data._create_function(model, relation::text, result, 'sql', case when (version.execution).native then 'stable parallel safe cost 2000' else pgscore_data._online_kind() end,
        format('select pgscore_models.%I($1)', pgscore_data._version_function(model, version.number)),
        format('The champion of %s on a row of %s, since %s.', model, relation, model || '@' || version.number));
    end if;
  end loop;
end
$$;
comment on function pgscore_data._renew_binding(pgscore_data.binding) is 'Creates the typed functions of a model for the rows of one table, and points that of the champion at it.';

create or replace function pgscore_data._renew_score(relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  branches text;
  outdated text;
begin
  select string_agg(format('when %L then pgscore_models.%I($3)', x.notation, x.function), ' ') into branches
    from pgscore_data.binding b
    join pgscore_data.model m using (model_id)
    join pgscore_data.version v using (model_id)
    join pgscore_data.execution e using (version_id)
    cross join lateral (
      select m.name || '@' || v.number as notation, pgscore_data._version_function(m.name, v.number) as function
      union all
      select m.name, m.name from pgscore_data.alias a where a.version_id = v.version_id and a.alias = 'champion'
    ) x (notation, function)
   where b.relation_schema = (select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = relation)
     and b.relation_name = (select c.relname from pg_class c where c.oid = relation)
     and v.state = 'ready' and e.native and e.task <> 'multiclass'
     and exists (select from pg_proc p where p.pronamespace = 'pgscore_models'::regnamespace and p.proname = x.function and p.proargtypes = (select c.reltype from pg_class c where c.oid = relation)::text::oidvector);
  foreach outdated in array case when branches is null then '{text,name}' else '{text}' end::text[] loop
    if to_regprocedure(format('pgscore_models._score(pgscore_models._routing, %s, %s)', outdated, relation)) is not null then
      execute format('drop function pgscore_models._score(pgscore_models._routing, %s, %s)', outdated, relation);
    end if;
  end loop;
  if branches is not null then
    -- Not text, which the general one takes: the row of a partition can stand for that of its parent, and would fit both as well.
    execute format('create or replace function pgscore_models._score(route pgscore_models._routing, model name, features %s) returns double precision language sql volatile parallel restricted cost 10000 as %L',
      relation, format('select case $2::text %s else pgscore_models._score($1, $2::text, pgscore_models._features($3)) end', branches));
    execute format('comment on function pgscore_models._score(pgscore_models._routing, name, %s) is %L', relation, 'score() on a row of a bound table: a constant model leaves nothing of it in the plan but the model.');
    execute format('revoke all on function pgscore_models._score(pgscore_models._routing, name, %s) from public', relation);
    execute format('grant execute on function pgscore_models._score(pgscore_models._routing, name, %s) to pgscore_user', relation);
  end if;
end
$$;
comment on function pgscore_data._renew_score(regclass) is 'Makes score() on rows of a table go to the typed functions of the models that are bound to it.';

create or replace function pgscore_data._renew_bindings(this_model int) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  b pgscore_data.binding;
begin
  delete from pgscore_data.binding x where x.model_id = this_model and pgscore_data._bound_relation(x) is null;
  for b in select x.* from pgscore_data.binding x where x.model_id = this_model loop
    perform pgscore_data._renew_binding(b);
    perform pgscore_data._renew_score(pgscore_data._bound_relation(b));
  end loop;
  perform pgscore_data._renew_grants(this_model);
end
$$;
comment on function pgscore_data._renew_bindings(int) is 'Brings the typed functions of a model up to its versions and its champion.';

create or replace function pgscore_data._drop_bound(base name, relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this regprocedure;
begin
  for this in
    select p.oid::regprocedure from pg_proc p
     where p.pronamespace = 'pgscore_models'::regnamespace and p.prokind = 'f'
       and (p.proname = base or p.proname ~ ('^' || regexp_replace(base, '([.])', '\\\1', 'g') || '_v[0-9]+$'))
       and (relation is null or p.proargtypes = (select c.reltype from pg_class c where c.oid = relation)::text::oidvector)
  loop
    execute format('drop function %s', this);
  end loop;
end
$$;
comment on function pgscore_data._drop_bound(name, regclass) is 'Drops the typed functions of a model for one table, or for all with relation NULL.';

create or replace function pgscore_data._drop_bound_version(base name, number int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this regprocedure;
  b pgscore_data.binding;
begin
  for this in select p.oid::regprocedure from pg_proc p where p.pronamespace = 'pgscore_models'::regnamespace and p.proname = pgscore_data._version_function(base, number) loop
    execute format('drop function %s', this);
  end loop;
  for b in select x.* from pgscore_data.binding x join pgscore_data.model m using (model_id) where m.name = base loop
    perform pgscore_data._renew_score(pgscore_data._bound_relation(b));
  end loop;
end
$$;
comment on function pgscore_data._drop_bound_version(name, int) is 'Drops the typed functions of a version; refused while an index, a view or a column uses one.';

create or replace function pgscore_data._unbind_all(this_model int, base name) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  b pgscore_data.binding;
begin
  for b in delete from pgscore_data.binding x where x.model_id = this_model returning x.* loop
    perform pgscore_data._renew_score(pgscore_data._bound_relation(b));
    perform pgscore_data._drop_bound(base, pgscore_data._bound_relation(b));
  end loop;
end
$$;
comment on function pgscore_data._unbind_all(int, name) is 'Unbinds a model from every table.';

create or replace function pgscore_data._accept_binding() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  this_model record;
  relation record;
begin
  select f.model_id, f.model_name into this_model from pgscore._find_version(new.model) f;
  select c.relname, c.relowner, c.relkind, c.relpersistence, c.oid::regclass as id, n.nspname, n.oid as schema_id into relation
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = new.relation;
  if new.model <> this_model.model_name then
    raise exception 'a whole model is bound, not version %', new.model using errcode = 'invalid_parameter_value',
      hint = format('Bind %L: each of its versions gets a function of its own.', this_model.model_name);
  elsif not pg_has_role(new.requested_by, relation.relowner, 'usage') then
    raise exception 'only the owner of % may bind a model to it', relation.id using errcode = 'insufficient_privilege',
      hint = 'score() works on its rows without binding, by matching names at every call.';
  elsif relation.relkind not in ('r', 'p', 'v', 'm', 'f') or relation.relpersistence = 't' then
    raise exception '% is not a table, view, materialised or foreign table that lasts', relation.id using errcode = 'wrong_object_type';
  elsif not has_schema_privilege('pgscore_owner', relation.schema_id, 'usage') then
    raise exception 'pgscore may not use the types of schema "%"', relation.nspname using errcode = 'insufficient_privilege',
      hint = format('grant usage on schema %I to pgscore_owner;', relation.nspname);
  elsif starts_with(this_model.model_name, '_') then
    raise exception 'model "%" cannot be bound: names with a leading _ are pgscore''s own there', this_model.model_name using errcode = 'reserved_name',
      hint = format('select pgscore.rename_model(%L, ...);', this_model.model_name);
  end if;
  if new.bound then
    if exists (select from pg_proc p where p.pronamespace = 'pgscore_models'::regnamespace and (p.proname = this_model.model_name or p.proname ~ ('^' || regexp_replace(this_model.model_name, '([.])', '\\\1', 'g') || '_v[0-9]+$'))
        and not exists (select from pgscore_data.binding b where b.model_id = this_model.model_id)) then
      raise exception 'another model''s function has a name that model "%" needs', this_model.model_name using errcode = 'duplicate_function',
        hint = format('select pgscore.rename_model(%L, ...);', this_model.model_name);
    end if;
    insert into pgscore_data.binding (model_id, relation_schema, relation_name, bound_by)
    values (this_model.model_id, relation.nspname, relation.relname, new.requested_by) on conflict do nothing;
    perform pgscore_data._renew_bindings(this_model.model_id);
    new.outcome := format('pgscore_models.%I(%s)', this_model.model_name, relation.id);
  else
    delete from pgscore_data.binding b where b.model_id = this_model.model_id and b.relation_schema = relation.nspname and b.relation_name = relation.relname;
    if not found then
      raise exception 'model "%" is not bound to %', this_model.model_name, relation.id using errcode = 'undefined_object', hint = 'select * from pgscore.bindings; lists what is bound.';
    end if;
    perform pgscore_data._renew_score(relation.id);
    perform pgscore_data._drop_bound(this_model.model_name, case when exists (select from pgscore_data.binding b where b.model_id = this_model.model_id) then relation.id end);
    new.outcome := this_model.model_name;
  end if;
  insert into pgscore_data.audit (actor, action, model, detail)
  values (new.requested_by, case when new.bound then 'bind' else 'unbind' end, this_model.model_name, jsonb_build_object('argument', relation.id::text));
  return new;
end
$$;
comment on function pgscore_data._accept_binding() is 'Binds a model to a table of the requester, or unbinds it.';

create or replace trigger accept instead of insert on pgscore._binding_request
for each row execute function pgscore_data._accept_binding();

create or replace function pgscore.bind(model text, relation regclass) returns text
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._binding_request (model, relation, bound) values ($1, $2, true) returning outcome $$;
comment on function pgscore.bind(text, regclass) is
'Makes typed functions of a model for the rows of a table of yours: pgscore_models.churn(customers) follows the champion, churn_v3(customers) and churn_v3(features…) are of one version and never change. score(''churn'', c) then costs no more than the model, and the version functions serve in index expressions and generated columns.
The table cannot be dropped while it is bound: pgscore.unbind(model, table). Returns the function of the champion.';

create or replace function pgscore.unbind(model text, relation regclass) returns text
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._binding_request (model, relation, bound) values ($1, $2, false) returning outcome $$;
comment on function pgscore.unbind(text, regclass) is 'Drops the typed functions of a model for a table; refused while an index, a view or a column uses one. Returns the model.';

create or replace view pgscore.bindings with (security_barrier) as
select m.name as model, b.relation_schema, b.relation_name, b.bound_by, b.bound_at from pgscore_data.binding b join pgscore_data.model m using (model_id);
comment on view pgscore.bindings is 'Which models are bound to which tables.';
comment on column pgscore.bindings.model is 'Name of the model.';
comment on column pgscore.bindings.relation_schema is 'Schema of the table.';
comment on column pgscore.bindings.relation_name is 'Name of the table.';
comment on column pgscore.bindings.bound_by is 'The role that bound it.';
comment on column pgscore.bindings.bound_at is 'When it was bound.';
