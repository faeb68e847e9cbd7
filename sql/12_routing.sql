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

do $$
begin
  if to_regtype('pgscore_models._asked') is null then
    create type pgscore_models._asked as (version_id int, model text);
  end if;
end
$$;
comment on type pgscore_models._asked is 'A model as it was asked for, and the version that is meant; NULL where that is for whoever executes the plan to find out, or to refuse.';

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
    (select a.version_id from pgscore_data.alias a where a.model_name = base and a.alias = wanted and coalesce(a.revision <= _notation_at.revision, _notation_at.revision is null)),
    (select f.version_id from pgscore_data.former_alias f join pgscore_data.version v using (version_id)
      where f.model_name = base and f.alias = wanted and f.since <= _notation_at.revision and f.until > _notation_at.revision and v.state = 'ready'));
end
$$;
comment on function pgscore_models._notation_at(text, bigint) is 'What a notation of any kind meant in a revision, or means in the newest; NULL where nothing that can score.';

-- As the caller, and with every name qualified: to change to the owner and the search path, and back, would cost as much as the look-up.
create or replace function pgscore_models._asked(model text, revision bigint) returns pgscore_models._asked
language plpgsql immutable parallel safe
as $$
declare
  version_id int;
begin
  select a.version_id into version_id from pgscore._aliases a
   where a.model_name operator(pg_catalog.=) model and a.alias operator(pg_catalog.=) 'champion' and coalesce(a.revision operator(pg_catalog.<=) _asked.revision, _asked.revision is null);
  if version_id is null then
    version_id := pgscore_models._notation_at(model, revision);
  end if;
  return row(version_id, model);
end
$$;
comment on function pgscore_models._asked(text, bigint) is 'What a notation meant in a revision, which never changes, or means in the newest that the snapshot sees.';

create or replace function pgscore_models._route(asked pgscore_models._asked) returns pgscore_models._routing
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select row(e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.native, e.parts, e.reason)::pgscore_models._routing
    from pgscore_data.execution e where e.version_id = coalesce(($1).version_id, (pgscore._ready_version(($1).model)).version_id)
$$;
comment on function pgscore_models._route(pgscore_models._asked) is 'All that score() must know of a version; raises where none is meant that can score.';

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

drop function if exists pgscore_models._route(text), pgscore_models._route_to(int), pgscore_models._version_of(text);
drop view if exists pgscore._champions;
