-- score() of rows of distributed tables. Citus sends a call to the nodes as the planner left it. By then the version must be a constant of
-- the plan, and the right to use the model must have been checked. Plans are made anew when an alias or a grant changes.

do $citus$
declare
  changed text;
  definition text;
begin
  if not exists (select from pg_extension where extname = 'citus') then
    return;
  end if;

  -- IMMUTABLE for the planner, which computes it once a plan.
  create or replace function pgscore_models._route_on_citus(model text) returns int[]
  language plpgsql immutable parallel safe cost 1
  set search_path = pg_catalog, pg_temp
  as $$
  declare
    route constant int[] := pgscore_models._route(model);
    -- In an experiment the champion.
    version constant int := case when route[1] < 0 then route[2] else route[1] end;
  begin
    if not has_function_privilege('pgscore_models._v' || version || '_online(jsonb, name)', 'execute') then
      perform pgscore_models._refuse_ungranted(pgscore_models._model_name(version));
    end if;
    return route;
  end
  $$;
  comment on function pgscore_models._route_on_citus(text) is
    'The version that a model means, as a constant of the plan. Raises where the caller may not use it.';

  -- Nodes do not know what a feature may be. Of a table of the coordinator, _score_row() sees to it.
  create or replace function pgscore_models._route_on_citus(model text, features anyelement) returns int[]
  language plpgsql immutable parallel safe cost 1
  set search_path = pg_catalog, pg_temp
  as $$
  declare
    route constant int[] := pgscore_models._route_on_citus(model);
  begin
    if pgscore_models._shape(features) <> 0 and not exists (
      select from pg_class c where c.oid = pgscore_models._relation(features) and c.relkind = 'r'
         and not exists (select from pg_dist_partition p where p.logicalrelid = c.oid))
    then
      perform pgscore_models._takes_row(route[1], features, null);
    end if;
    return route;
  end
  $$;
  comment on function pgscore_models._route_on_citus(text, anyelement) is
    'The version that a model means, for rows of a type. Raises where a column of a table cannot be the feature of its name.';

  -- Where Citus reads the distributed table of a join first, it reads the columns that the query names, and NULL for the others. A whole
  -- row names none. Inlined, this names all of them.
  create or replace function pgscore_models._name_columns(route int[], features anyelement) returns int[]
  language sql stable parallel safe
  as 'select case when pg_catalog.now() is null then array[pg_catalog.num_nulls(row(($2).*))] else $1 end';
  comment on function pgscore_models._name_columns(int[], anyelement) is 'The route; the query names each column of a row of a table.';

  -- The planner leaves out what CASE does not come to, and so does not ask for the columns of a record, which nobody knows.
  create or replace function pgscore_models._whole_row(route int[], features anyelement) returns int[]
  language sql stable parallel safe
  as 'select case when pgscore_models._shape(case when false then $2 end) operator(pg_catalog.<>) 0
        then pgscore_models._name_columns($1, $2) else $1 end';
  comment on function pgscore_models._whole_row(int[], anyelement) is 'The route; Citus reads every column of a row of a table.';

  create or replace function pgscore_models._exact_json(features anyelement) returns jsonb
  language sql stable parallel safe
  set search_path = pg_catalog, pg_temp
  set extra_float_digits = 1
  as 'select to_jsonb($1)';
  comment on function pgscore_models._exact_json(anyelement) is 'For nodes: a row, its numbers with all their digits.';

  for definition in
    select replace(pg_get_functiondef(p.oid), '_call(pgscore_models._route($1), $2)',
                   '_call(pgscore_models._whole_row(pgscore_models._route($1), $2), $2)')
      from pg_proc p
     where p.pronamespace = 'pgscore'::regnamespace and strpos(p.prosrc, '_call(pgscore_models._route($1), $2)') > 0
  loop
    execute definition;
  end loop;

  create or replace function pgscore_models._score(model text, features anyelement, choice text) returns double precision
  language sql volatile parallel restricted cost 10000
  as 'select pgscore_models._score_routed(
        pgscore_models._whole_row(pgscore_models._route_on_citus($1, case when false then $2 end), $2), $2)';
  create or replace function pgscore_models._score(model text, features jsonb, choice text) returns double precision
  language sql volatile parallel restricted cost 10000
  as 'select pgscore_models._score_json(pgscore_models._route_on_citus($1), $2)';

  create or replace function pgscore_data._renew_plans() returns trigger
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
  as $$
  declare
    this regprocedure;
  begin
    -- Without the lock, one of two sessions that alter a function at once would fail.
    perform from pgscore_data.turn t where t.work = 'calls' for update;
    for this in
      select p.oid::regprocedure from pg_proc p
       where p.proname = 'score' and p.pronamespace in ('pgscore'::regnamespace, 'public'::regnamespace)
         and p.proowner = 'pgscore_owner'::regrole
    loop
      execute format('alter function %s cost 10000', this);
    end loop;
    return null;
  end
  $$;
  comment on function pgscore_data._renew_plans() is 'Has plans with score() made anew, in every session.';

  foreach changed in array array['alias', 'model_grant'] loop
    execute format('create or replace trigger renew_plans after insert or update or delete on pgscore_data.%I for each statement '
                   'execute function pgscore_data._renew_plans()', changed);
  end loop;
end
$citus$;
