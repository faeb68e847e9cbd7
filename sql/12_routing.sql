-- Which version a notation means, and how it is executed.

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

create or replace function pgscore_models._notation_at(model text, revision bigint) returns int
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  base constant text := split_part(model, '@', 1);
  wanted constant text := case when model = base then 'champion' else substr(model, length(base) + 2) end;
begin
  if wanted ~ '^[0-9]{1,9}$' then
    return (select v.version_id from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = base and v.number = wanted::int and v.state = 'ready');
  end if;
  return coalesce(
    (select a.version_id from pgscore_data.alias a where a.model_name = base and a.alias = wanted and a.revision <= _notation_at.revision),
    (select f.version_id from pgscore_data.former_alias f where f.model_name = base and f.alias = wanted and f.since <= _notation_at.revision and f.until > _notation_at.revision));
end
$$;
comment on function pgscore_models._notation_at(text, bigint) is 'What a notation of any kind meant in a revision; NULL where nothing that can score.';

-- As the caller, and with every name qualified: to change to the owner and the search path, and back, would cost as much as the look-up.
create or replace function pgscore_models._version_at(model text, revision bigint) returns int
language plpgsql immutable strict parallel safe
as $$
declare
  version_id int;
begin
  select a.version_id into version_id from pgscore._aliases a
   where a.model_name operator(pg_catalog.=) model and a.alias operator(pg_catalog.=) 'champion' and a.revision operator(pg_catalog.<=) _version_at.revision;
  if version_id is null then
    return pgscore_models._notation_at(model, revision);
  end if;
  return version_id;
end
$$;
comment on function pgscore_models._version_at(text, bigint) is 'What a notation meant in a revision, which never changes; NULL where nothing that can score.';

create or replace function pgscore_models._ready(model text) returns int
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$ select v.version_id from pgscore._ready_version(model) v $$;
comment on function pgscore_models._ready(text) is 'The version that a notation means; raises where that cannot score.';

create or replace function pgscore_models._version_of(model text) returns int
language plpgsql stable parallel safe
as $$
declare
  version_id int;
begin
  select a.version_id into version_id from pgscore._aliases a
   where a.model_name operator(pg_catalog.=) model and a.alias operator(pg_catalog.=) 'champion';
  if version_id is null then
    return pgscore_models._ready(model);
  end if;
  return version_id;
end
$$;
comment on function pgscore_models._version_of(text) is 'What a notation means to whoever executes a plan; raises where that cannot score.';

-- Inlined into the query, and for a constant model a constant of its plan, but where that cannot be.
create or replace function pgscore_models._version(model text) returns int
language sql stable parallel safe
as $$ select coalesce(pgscore_models._version_at($1, pgscore_models._revision()), pgscore_models._version_of($1)) $$;
comment on function pgscore_models._version(text) is 'The version by which all of a statement goes that asks a model in this notation.';

create or replace function pgscore_models._route(version_id int) returns pgscore_models._routing
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select row(e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.native, e.parts, e.reason)::pgscore_models._routing
    from pgscore_data.execution e where e.version_id = $1
$$;
comment on function pgscore_models._route(int) is 'All that score() must know of a version.';

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

drop function if exists pgscore_models._route(text), pgscore_models._route_to(int);
drop view if exists pgscore._champions;
