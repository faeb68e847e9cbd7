-- Which version a notation means, and how it is executed: looked up at every call of score().

do $$
begin
  if to_regtype('pgscore_models._routing') is null then
    create type pgscore_models._routing as (
      version_id int, task text, class_labels text[], positive_class int, threshold double precision, probabilities boolean, native boolean, parts text[], reason text
    );
  end if;
end
$$;
comment on type pgscore_models._routing is 'A version, and what score() must know of it at every call.';

create or replace function pgscore_models._route(model text) returns pgscore_models._routing
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  route pgscore_models._routing;
begin
  -- Each notation by one look-up; where it finds nothing, the general way says why.
  if position('@' in model) = 0 then
    select e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.native, e.parts, e.reason
      into route
      from pgscore_data.model m
      join pgscore_data.alias a on a.model_id = m.model_id and a.alias = 'champion'
      join pgscore_data.execution e on e.version_id = a.version_id
     where m.name = model;
  else
    select e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.native, e.parts, e.reason
      into route
      from pgscore_data.model m
      join pgscore_data.version v on v.model_id = m.model_id
      join pgscore_data.execution e on e.version_id = v.version_id
     where m.name = split_part(model, '@', 1) and v.number::text = split_part(model, '@', 2) and split_part(model, '@', 3) = '';
  end if;
  if not found then
    select e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.native, e.parts, e.reason
      into route
      from pgscore_data.execution e where e.version_id = (pgscore._ready_version(model)).version_id;
  end if;
  return route;
end
$$;
comment on function pgscore_models._route(text) is 'Which version a notation means, and how it is executed. To be called in the query itself: as it is STABLE, it then sees what the query sees, and a promotion in the middle of a statement leaves it with one version.';

create or replace view pgscore._champions as
select a.model_name, a.version_id from pgscore_data.alias a where a.alias = 'champion';
comment on view pgscore._champions is 'Which version a bare model name means; read by everybody who calls score(), as pgscore.models is.';

-- As the caller, and with every name qualified: to change to the owner and the search path, and back, would cost as much as the look-up.
create or replace function pgscore_models._version_of(model text) returns int
language plpgsql stable parallel safe
as $$
declare
  version_id int;
begin
  select c.version_id into version_id from pgscore._champions c where c.model_name operator(pg_catalog.=) model;
  if version_id is null then
    return (pgscore_models._route(model)).version_id;
  end if;
  return version_id;
end
$$;
comment on function pgscore_models._version_of(text) is 'The version of _route() and no more, in a third of its time: score() needs only this. To be called in the query itself, as that.';

create or replace function pgscore_models._route_to(version_id int) returns pgscore_models._routing
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select row(e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.native, e.parts, e.reason)::pgscore_models._routing
    from pgscore_data.execution e where e.version_id = $1
$$;
comment on function pgscore_models._route_to(int) is 'What _version_of() leaves out.';

create or replace function pgscore_models._execution(wanted text, version_id int, native boolean, reason text) returns boolean
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if wanted not in ('', 'auto', 'native', 'online') then
    raise exception 'pgscore.execution = % is not known', quote_literal(wanted) using errcode = 'invalid_parameter_value', hint = 'Set it to auto, native or online.';
  elsif wanted = 'native' and not native then
    raise exception 'version "%" is not native: %', pgscore_models._version_name(version_id), reason using
      errcode = 'object_not_in_prerequisite_state', hint = 'set pgscore.execution = auto; lets the service answer.';
  end if;
  return native and wanted <> 'online';
end
$$;
comment on function pgscore_models._execution(text, int, boolean, text) is 'Whether the setting pgscore.execution (auto, native, online) and the version let a compiled function answer.';

create or replace function pgscore_models._version_name(version_id int) returns text
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$ select m.name || '@' || v.number from pgscore_data.version v join pgscore_data.model m using (model_id) where v.version_id = $1 $$;
comment on function pgscore_models._version_name(int) is 'A version in its one notation, such as churn@3.';
