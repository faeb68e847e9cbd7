-- Which version answers a call, and how it is executed.
--
-- score() and its like are inlined into the caller's statement, and _route() with them. As it is STABLE, it sees what the statement sees:
-- all calls of a statement have one version. In a VOLATILE function, READ COMMITTED would show each call what was committed since.

-- The cost, that of a comparison, lets PostgreSQL inline a function that mentions it in several branches.
create or replace function pgscore_models._route(model text) returns int[]
language plpgsql stable security definer parallel safe cost 1
set search_path = pg_catalog, pg_temp
as $$
declare
  base constant text := split_part(model, '@', 1);
  wanted constant text := case when model = base then 'champion' else substr(model, length(base) + 2) end;
  meant int;
  arms int[];
begin
  if wanted ~ '^[0-9]{1,9}$' then
    select v.version_id into meant from pgscore_data.model m join pgscore_data.version v using (model_id)
      where m.name = base and v.number = wanted::int and v.state = 'ready';
  else
    select a.version_id, a.route into meant, arms from pgscore_data.alias a where a.model_name = base and a.alias = wanted;
  end if;
  if arms is not null then
    return arms;
  end if;
  return array[coalesce(meant, (pgscore._ready_version(model)).version_id)];
end
$$;
comment on function pgscore_models._route(text) is
  'An array of one: the version that churn, churn@3 or churn@challenger means in the snapshot of the statement. '
  'Of the champion in an experiment, its arms: experiments/arm_routes.sql. '
  'Raises where there is none that can score. To be called in the statement itself.';

create or replace function pgscore_models._version(route int[]) returns pgscore_models._version
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  found pgscore_models._version;
begin
  select e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.native, e.parts, e.reason, e.score_unit
    into found
    from pgscore_data.execution e where e.version_id = route[1];
  if found.version_id is null then
    raise exception 'version "%" does not exist any more', pgscore_models._version_name(route[1]) using
      errcode = 'undefined_object', hint = 'It was dropped since the statement began: ask again.';
  end if;
  return found;
end
$$;
comment on function pgscore_models._version(int[]) is 'The version of a route, and how it is executed.';

create or replace function pgscore_models._execution(wanted text, version_id int, native boolean, reason text) returns boolean
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if wanted not in ('', 'auto', 'native', 'online') then
    raise exception 'pgscore.execution = % is not known', quote_literal(wanted)
      using errcode = 'invalid_parameter_value', hint = 'Set it to auto, native or online.';
  elsif wanted = 'native' and not native then
    raise exception 'version "%" is not native: %', pgscore_models._version_name(version_id), reason using
      errcode = 'object_not_in_prerequisite_state', hint = 'set pgscore.execution = auto; lets the service answer.';
  end if;
  return native and wanted <> 'online';
end
$$;
comment on function pgscore_models._execution(text, int, boolean, text) is
  'Whether the setting pgscore.execution (auto, native, online) and the version let a compiled function answer.';

create or replace function pgscore_models._version_name(version_id int) returns text
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$ select m.name || '@' || v.number from pgscore_data.version v join pgscore_data.model m using (model_id) where v.version_id = $1 $$;
comment on function pgscore_models._version_name(int) is 'A version in its one notation, such as churn@3.';

create or replace function pgscore_models._model_name(version_id int) returns text
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$ select m.name from pgscore_data.version v join pgscore_data.model m using (model_id) where v.version_id = $1 $$;
comment on function pgscore_models._model_name(int) is 'The model of a version.';
