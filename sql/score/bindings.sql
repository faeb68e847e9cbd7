-- Bindings: which tables have typed functions of a model, and whether these fit. A binding is set aside where its table does not
-- fit the champion: it holds up nobody, and its functions say so.

create or replace function pgscore_data._bind_versions(b pgscore_data.binding, base text, relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  version record;
  columns jsonb;
begin
  for version in
    select v.number, v.signature, e as execution from pgscore_data.version v join pgscore_data.execution e using (version_id)
     where v.model_id = b.model_id and v.state = 'ready' and pgscore._binding_problem(relation, v.signature) is null order by v.number
  loop
    select jsonb_agg(c || jsonb_build_object('tensor_type', f ->> 'type', 'binding', b.binding_id) order by n) into columns
      from jsonb_array_elements(pgscore._feature_columns(relation, version.signature, null)) with ordinality as x (c, n)
      join jsonb_array_elements(version.signature -> 'features') with ordinality as y (f, m) on m = n;
    perform pgscore_data._bind_version(version.execution, pgscore_data._version_function(base, version.number), relation, columns);
    perform pgscore_data._bind_scalars(version.execution, pgscore_data._version_function(base, version.number),
                                       version.signature -> 'features');
  end loop;
end
$$;
comment on function pgscore_data._bind_versions(pgscore_data.binding, text, regclass) is
  'Creates the typed functions of the versions that a table fits.';

create or replace function pgscore_data._bind_champion(b pgscore_data.binding, base text, relation regclass, problem text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  champion record;
  result text;
  present regprocedure := to_regprocedure(format('pgscore_models.%I(%s)', base, relation));
  was text := (select format_type(p.prorettype, null) from pg_proc p where p.oid = present);
begin
  select v.version_id, v.number, e.task, coalesce(a.route, array[v.version_id]) as route, (
           select bool_and(x.native) from pgscore_data.execution x
            where x.version_id = any (case when a.route is null then array[v.version_id]
                                        else pgscore_models._arm_versions(- a.route[1]) end)) as native
    into champion from pgscore_data.alias a join pgscore_data.version v using (version_id) join pgscore_data.execution e using (version_id)
   where a.model_id = b.model_id and a.alias = 'champion';
  result := pgscore_data._typed_result_type(champion.task);
  if was <> result and problem is null then
    execute format('drop function %s', present);
  elsif was <> result then
    result := was;
  end if;
  -- STABLE, as a promotion replaces it. _fits_<id>() is inlined away.
  perform pgscore_data._create_function(base, relation::text, result, 'sql',
                                        case when problem is not null or champion.native then 'stable parallel safe cost 2000'
                                          else pgscore_data._online_attributes() end,
    format('select case when pgscore_models._fits_%1$s() then %2$s else pgscore_models._refuse_binding(%1$s)::%3$s end', b.binding_id,
      case when problem is null
        then pgscore_data._unindexable(pgscore_data._arms_call(champion.route, base, relation), result)
        else 'null' end, result),
    format('The champion of %s on a row of %s%s. Indexes and generated columns take the function of a version, which never changes.', base,
           relation, case when problem is null then ', since ' || base || '@' || champion.number else ': set aside' end));
end
$$;
comment on function pgscore_data._bind_champion(pgscore_data.binding, text, regclass, text) is
  'Points the typed function of the champion at its version, or, with a problem, at nothing.';

create or replace function pgscore_data._renew_binding(b pgscore_data.binding) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- To check a body would open the table, and wait for its locks. Whoever drops the table has its functions locked.
set check_function_bodies = off
set lock_timeout = '500ms'
as $$
declare
  relation regclass := pgscore_data._bound_relation(b);
  base text := (select m.name from pgscore_data.model m where m.model_id = b.model_id);
  problem text := coalesce(
    (select coalesce(pgscore._binding_problem(relation, v.signature), pgscore_data._arm_problem(a.route, relation), '')
       from pgscore_data.alias a join pgscore_data.version v using (version_id)
      where a.model_id = b.model_id and a.alias = 'champion'), 'the model has no champion');
begin
  problem := nullif(problem, '');
  if pgscore_data._may_use_type(relation) then
    begin
      perform pgscore_data._bind_versions(b, base, relation);
      perform pgscore_data._bind_champion(b, base, relation, problem);
    exception
      when insufficient_privilege or undefined_object or undefined_column or invalid_function_definition
        or dependent_objects_still_exist then
        problem := coalesce(problem, sqlerrm);
      -- PostgreSQL raises internal_error where a function was dropped meanwhile.
      when lock_not_available or internal_error then
        problem := coalesce(problem, 'another transaction was changing it or its functions');
    end;
  end if;
  -- It takes no row, so it can be replaced even where pgscore may no longer use the table's type.
  perform pgscore_data._create_function(('_fits_' || b.binding_id)::name, '', 'boolean', 'sql', 'stable parallel safe',
    format('select %L::boolean', problem is null), 'Whether a table fits the champion of a model that is bound to it.');
  update pgscore_data.binding x set set_aside = problem where x.binding_id = b.binding_id and x.set_aside is distinct from problem;
  if problem is not null and b.set_aside is null then
    raise warning '% no longer fits model "%", to which it is bound, and is set aside: %', relation, base, problem using
      hint = 'select * from pgscore.bindings; lists what is bound.';
  end if;
end
$$;
comment on function pgscore_data._renew_binding(pgscore_data.binding) is
  'Creates the typed functions of a model for the rows of a table, or sets the binding aside where the table does not fit the champion.';

create or replace function pgscore_data._lock_bound(relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '500ms'
as $$
begin
  -- An update, so that a transaction with an older snapshot fails: it would not see all that is bound.
  insert into pgscore_data.bound_relation as b (relation)
    values (_lock_bound.relation) on conflict on constraint bound_relation_pkey do update set relation = excluded.relation;
exception
  when lock_not_available then
    raise exception 'another transaction is changing the functions of the rows of %', relation
      using errcode = 'lock_not_available', hint = 'Ask again when it has ended; pg_stat_activity lists who has one open.';
end
$$;
comment on function pgscore_data._lock_bound(regclass) is
  'To be called before the function of all models for the rows of a table is replaced: of two that replace one at once, one fails.';

create or replace function pgscore_data._typed_branches(relation regclass) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  -- The champion has a function, which each promotion replaces. Other aliases are looked up, as this may not be renewed with them.
  select string_agg(format('when %s then %s', x.condition, x.call), ' ' order by v.version_id, x.condition)
    from pgscore_data.binding b
    join pgscore_data.model m using (model_id)
    join pgscore_data.version v using (model_id)
    join pgscore_data.execution e using (version_id)
    cross join lateral (select pgscore_data._version_function(m.name, v.number)) f (name)
    cross join lateral (
      select format('$1 operator(pg_catalog.=) %L', m.name || '@' || v.number),
             pgscore_data._unindexable(format('pgscore_models.%I($2)', f.name), 'double precision')
      union all
      select format('$1 operator(pg_catalog.=) any (array[%L, %L]) and pgscore_models._fits_%s()', m.name, m.name || '@champion',
                    b.binding_id), format('pgscore_models.%I($2)', m.name)
       where b.set_aside is null
         and exists (select from pgscore_data.alias a where a.version_id = v.version_id and a.alias = 'champion')) x (condition, call)
   where pgscore_data._bound_relation(b) = relation
     and v.state = 'ready' and e.native and pgscore_data._typed_result_type(e.task) = 'double precision'
     and pgscore._binding_problem(relation, v.signature) is null
     and exists (select from pg_proc p
                  where p.pronamespace = 'pgscore_models'::regnamespace and p.proname = f.name
                    and p.proargtypes = (select c.reltype from pg_class c where c.oid = relation)::text::oidvector)
$$;
comment on function pgscore_data._typed_branches(regclass) is
  'The branches of score() on rows of a table: of each model and version with a typed function for it. NULL where none has.';

create or replace function pgscore_data._renew_score(relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set check_function_bodies = off
set lock_timeout = '500ms'
as $$
declare
  function text;
  general text := case
    when to_regprocedure('pgscore_models._whole_row(int[], anyelement)') is null
    then 'pgscore_models._score_routed(pgscore_models._route($1), $2)'
    else 'pgscore_models._score_routed('
         'pgscore_models._whole_row(pgscore_models._route_on_citus($1, case when false then $2 end), $2), $2)'
  end;
  branches text;
begin
  if pgscore_data._may_use_type(relation) is not true then
    return;
  end if;
  perform pgscore_data._lock_bound(relation);
  -- It may have been dropped meanwhile.
  if not exists (select from pg_class c where c.oid = relation) then
    return;
  end if;
  function := format('pgscore_models._score(text, %s, name)', relation);
  branches := pgscore_data._typed_branches(relation);
  if branches is null then
    perform pgscore_data._drop_unless_used(function);
    if to_regprocedure(function) is null then
      return;
    end if;
  end if;
  execute format('create or replace function pgscore_models._score(model text, features %s, choice name) returns double precision '
                 'language sql volatile parallel restricted cost 10000 as %L',
    relation, 'select ' || coalesce('case ' || branches || ' else ' || general || ' end', general));
  execute format('comment on function %s is %L', function,
                 'score() on a row of a bound table: a constant model leaves nothing of it in the plan but the model.');
  execute format('revoke all on function %s from public', function);
  execute format('grant execute on function %s to pgscore_user', function);
end
$$;
comment on function pgscore_data._renew_score(regclass) is
  'Makes score() on rows of a table go to the typed functions of the models that are bound to it and that it fits.';

create or replace function pgscore_data._renew_bindings(this_model int) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  b pgscore_data.binding;
  relation regclass;
begin
  -- In one order for all models, or two would wait for each other.
  for b in select x.* from pgscore_data.binding x where x.model_id = this_model order by pgscore_data._bound_relation(x) loop
    relation := pgscore_data._bound_relation(b);
    if relation is null then
      perform pgscore_data._forget_binding(b.binding_id);
      continue;
    end if;
    perform pgscore_data._renew_binding(b);
    begin
      perform pgscore_data._renew_score(relation);
    exception
      when lock_not_available or serialization_failure or internal_error then
        -- As it is, it sends a version that it does not know the general way.
        raise warning 'score() of rows of % may take longer: another transaction was changing its functions', relation using
          hint = format('When that has ended, bind the model again: select pgscore.bind(''model'', %L);', relation);
    end;
  end loop;
  perform pgscore_data._drop_leftovers();
  perform pgscore_data._renew_grants(this_model);
end
$$;
comment on function pgscore_data._renew_bindings(int) is
  'Brings the typed functions of a model up to its versions and its champion. No table that is bound can make it fail, nor what uses a '
  'function.';

create or replace function pgscore_data._refuse_unfitting(this_model int, this_version int, notation text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  victim record;
begin
  select pgscore_data._bound_relation(b) as relation, c.relname, n.nspname, m.name,
         pgscore._binding_problem(c.oid, chosen.signature) as problem into victim
    from pgscore_data.binding b
    join pgscore_data.model m using (model_id)
    join pg_class c on c.oid = pgscore_data._bound_relation(b)
    join pg_namespace n on n.oid = c.relnamespace
    join pgscore_data.alias a on a.model_id = b.model_id and a.alias = 'champion'
    join pgscore_data.version present on present.version_id = a.version_id
    join pgscore_data.version chosen on chosen.version_id = this_version
   where b.model_id = this_model and not b.released and b.set_aside is null
     and pgscore._binding_problem(c.oid, present.signature) is null and pgscore._binding_problem(c.oid, chosen.signature) is not null
   order by b.binding_id limit 1;
  if found then
    raise exception 'version "%" does not fit %, to which the model is bound: %', notation, victim.relation, victim.problem using
      errcode = 'dependent_objects_still_exist',
      hint = format('Its owner makes it fit, or you unbind it: select pgscore.unbind(model, relation) from pgscore.bindings where model = '
                    '%L and relation_schema = %L and relation_name = %L;',
        victim.name, victim.nspname, victim.relname);
  end if;
end
$$;
comment on function pgscore_data._refuse_unfitting(int, int, text) is
  'Raises where a table that is bound and fits the champion would not fit another version in its place.';

create or replace view pgscore.bindings with (security_barrier) as
select m.name as model, n.nspname as relation_schema, c.relname as relation_name, b.bound_by, b.bound_at,
  coalesce(pgscore._binding_problem(c.oid, v.signature), 'set aside; bind it again. The reason was: ' || b.set_aside) as problem,
  c.oid::regclass as relation
from pgscore_data.binding b
join pgscore_data.model m using (model_id)
join pg_catalog.pg_proc p on p.pronamespace = 'pgscore_data'::regnamespace and p.proname = ('_binding_' || b.binding_id)::name
join pg_catalog.pg_type t on t.oid = p.proargtypes[0]
join pg_catalog.pg_class c on c.oid = t.typrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pgscore_data.alias a on a.model_id = b.model_id and a.alias = 'champion'
left join pgscore_data.version v on v.version_id = a.version_id;
comment on view pgscore.bindings is 'Which models are bound to which tables, and whether these fit.';
comment on column pgscore.bindings.model is 'Name of the model.';
comment on column pgscore.bindings.relation_schema is 'Schema of the table.';
comment on column pgscore.bindings.relation_name is 'Name of the table.';
comment on column pgscore.bindings.bound_by is 'The role that bound it.';
comment on column pgscore.bindings.bound_at is 'When it was bound.';
comment on column pgscore.bindings.problem is
  'Why the functions of the champion do not work on its rows, as the table is now; NULL where they do.';
comment on column pgscore.bindings.relation is 'The table, for pgscore.unbind(model, relation).';
