-- Which version a notation means, and how it is executed.

do $$
begin
  if to_regtype('pgscore_models._routing') is null then
    create type pgscore_models._routing as (
      version_id int, task text, class_labels text[], positive_class int, threshold double precision, probabilities boolean, native boolean,
      parts text[], reason text, model text, texts text[]
    );
  end if;
end
$$;
comment on type pgscore_models._routing is 'A version, and what score() must know of it at every call.';

do $$
begin
  if to_regtype('pgscore_models._asked') is null then
    create type pgscore_models._asked as (version_id int, model text, as_of pgscore_models._as_of);
  end if;
  if to_regtype('pgscore_models._question') is null then
    create type pgscore_models._question as (route pgscore_models._routing, features jsonb);
  end if;
end
$$;
comment on type pgscore_models._question is 'A version, how it is executed, and a row for it.';
comment on type pgscore_models._asked is
  'A model as it was asked for, and the version that is meant; NULL where _version() has to say which, at each call.';

create or replace function pgscore_models._numbered_version(model_id int, number text) returns int
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$ select v.version_id from pgscore_data.version v
  where v.model_id = $1 and v.number = case when $2 ~ '^[0-9]{1,9}$' then $2::int end and v.state = 'ready' $$;
comment on function pgscore_models._numbered_version(int, text) is
  'The version of a model by its number; NULL where that is none that can score.';

create or replace function pgscore_models._version_at(model text, revision bigint) returns int
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  base constant text := split_part(model, '@', 1);
  wanted constant text := case when model = base then 'champion' else substr(model, length(base) + 2) end;
  numbered constant boolean := wanted ~ '^[0-9]+$';
  pointed record;
begin
  select v.version_id, v.model_id, v.state into pointed
    from pgscore_data.version v
   where v.version_id = coalesce(
     (select a.version_id from pgscore_data.alias a
       where a.model_name = base and a.alias = case when numbered then 'champion' else wanted end and a.revision <= _version_at.revision),
     (select f.version_id from pgscore_data.former_alias f
       where f.model_name = base and f.alias = case when numbered then 'champion' else wanted end and f.since <= _version_at.revision
         and f.until > _version_at.revision));
  -- A number is of the model that had this name, and with it a champion.
  return case when numbered then pgscore_models._numbered_version(pointed.model_id, wanted)
           when pointed.state = 'ready' then pointed.version_id end;
end
$$;
comment on function pgscore_models._version_at(text, bigint) is
  'The version that a notation meant in a revision; NULL where that is none, or one that cannot score any more.';

-- As the caller, and with every name qualified: to change to the owner and the search path, and back, would cost as much as the look-up.
create or replace function pgscore_models._asked(model text, as_of pgscore_models._as_of) returns pgscore_models._asked
language plpgsql immutable parallel safe
as $$
declare
  base pg_catalog.text;
  this_model int;
  version_id int;
  since bigint;
  catalogued pg_catalog.jsonb;
begin
  -- Nearly all, in as few expressions as can be: PL/pgSQL prepares each anew in every transaction.
  select a.version_id, a.revision into version_id, since from pgscore._aliases a
   where a.model_name operator(pg_catalog.=) model and a.alias operator(pg_catalog.=) 'champion';
  if as_of.transaction is null and since operator(pg_catalog.<=) as_of.revision then
    return row(version_id, model, as_of);
  end if;
  -- Another transaction executes the plan of one that saw another revision than the catalogs had.
  if as_of.transaction operator(pg_catalog.<>) pg_catalog.transaction_timestamp() then
    return row(pgscore_models._newest_version(model), model, as_of);
  end if;
  base := pg_catalog.split_part(model, '@', 1);
  catalogued := pgscore_models._champions() operator(pg_catalog.->) base;
  if base operator(pg_catalog.=) model then
    return row(case when since operator(pg_catalog.<=) as_of.revision
                 and since operator(pg_catalog.=) (catalogued operator(pg_catalog.->>) 0)::bigint then version_id end, model, as_of);
  end if;
  -- What a number means changes with the name only. Any other alias is for _version().
  select a.model_id into this_model from pgscore._aliases a
   where a.model_name operator(pg_catalog.=) base and a.alias operator(pg_catalog.=) 'champion';
  return row(case when this_model operator(pg_catalog.=) (catalogued operator(pg_catalog.->>) 1)::int
               then pgscore_models._numbered_version(this_model,
                                                     pg_catalog.substr(model, pg_catalog.length(base) operator(pg_catalog.+) 2)) end, model,
                                                     as_of);
end
$$;
comment on function pgscore_models._asked(text, pgscore_models._as_of) is
  'Which version is meant by a model, or by a version of it, where that can be put into a plan that goes by this. Called IMMUTABLE so '
  'that the planner computes it.';

create or replace function pgscore_models._newest_version(model text) returns int
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select v.version_id from pgscore._ready_version(model) v $$;
comment on function pgscore_models._newest_version(text) is
  'The version that a notation means to this snapshot; raises where that cannot score.';

create or replace function pgscore_models._version(asked pgscore_models._asked) returns int
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  as_of constant pgscore_models._as_of := asked.as_of;
begin
  return coalesce(asked.version_id,
    case when as_of.transaction is null
      or as_of.transaction = transaction_timestamp() then pgscore_models._version_at(asked.model, as_of.revision) end,
    pgscore_models._newest_version(asked.model));
end
$$;
comment on function pgscore_models._version(pgscore_models._asked) is
  'The version that is meant. To be called in the query itself: as it is STABLE, it then sees what the query sees.';

create or replace function pgscore_models._route(asked pgscore_models._asked) returns pgscore_models._routing
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  meant constant int := pgscore_models._version(asked);
  route pgscore_models._routing;
begin
  select e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.native, e.parts, e.reason, asked.model,
         (select array_agg(lower(f.name)) from unnest(e.features, e.types) f (name, type) where f.type = 'string') into route
    from pgscore_data.execution e
   where e.version_id = coalesce((select x.version_id from pgscore_data.execution x where x.version_id = meant),
                                 pgscore_models._newest_version(asked.model));
  return route;
end
$$;
comment on function pgscore_models._route(pgscore_models._asked) is
  'The version that is meant, and how it is executed. To be called in the query itself, as _version(). One that was dropped since the '
  'plan was made is looked up anew.';

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
