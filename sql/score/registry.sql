-- Revisions of the registry, and by which of them a statement goes, so that all that it asks of a model is of one version.
--
-- To look a version up for each row would take ten times as long as a logistic model; what is put into the plan is free. All of a plan is
-- made with one snapshot, and goes by the newest revision that this sees. Plans are kept, though, and some are made with a snapshot that is
-- older than the catalogs, or newer. So the catalogs have the revision, too, in the body of a function: with it comes what throws plans
-- away. Where
-- both are the same, the plan may be kept as it is; where not, a version is put into it only if it was not changed in between, and else
-- is for those to look up who execute the plan.

create or replace view pgscore._revisions as
select r.revision from pgscore_data.revision r;
comment on view pgscore._revisions is 'The revisions of the registry that a snapshot sees; read by everybody who calls score().';

create or replace view pgscore._aliases as
select a.model_id, a.model_name, a.alias, a.version_id, a.revision from pgscore_data.alias a;
comment on view pgscore._aliases is
  'Which version a notation means, and since which revision; read by everybody who calls score(), to whom pgscore.models shows as much.';

do $$
begin
  if to_regtype('pgscore_models._as_of') is null then
    create type pgscore_models._as_of as (revision bigint, transaction timestamptz);
  end if;
end
$$;
comment on type pgscore_models._as_of is
  'What a plan goes by. revision: the newest that its snapshot saw; NULL in a transaction that has changed the registry itself.  '
  'transaction: when that of the planner began, where the catalogs had another revision; NULL where they had this one. Two transactions '
  'of one message begin at one time, and share such plans.';

create or replace function pgscore_models._as_of(catalogued bigint) returns pgscore_models._as_of
language plpgsql immutable parallel safe
as $$
declare
  seen bigint;
begin
  select r.revision into seen from pgscore._revisions r
   where coalesce(pg_catalog.current_setting('pgscore.registry', true), '') operator(pg_catalog.=) '' order by r.revision desc limit 1;
  return row(seen, case when seen operator(pg_catalog.=) catalogued then null else pg_catalog.transaction_timestamp() end);
end
$$;
comment on function pgscore_models._as_of(bigint) is
  'What a plan goes by, that is made with this revision in the catalogs. Called IMMUTABLE so that the planner computes it.';

create or replace function pgscore_data._write_revision(revision bigint, champions jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('create or replace function pgscore_models._champions() returns jsonb language plpgsql stable parallel safe as %L',
    format('begin return %L::pg_catalog.jsonb; end', champions));
  -- STABLE, or the planner would call it instead of looking into it, and PostgreSQL 18 keeps the plans of functions that are called.
  execute format('create or replace function pgscore_models._as_of() returns pgscore_models._as_of language sql stable parallel safe as %L',
    format('select pgscore_models._as_of(%s)', revision));
end
$$;
comment on function pgscore_data._write_revision(bigint, jsonb) is
  'Puts a revision into the catalogs, and with it, by name, the models that have a champion: [since which revision, model_id].';

create or replace function pgscore_data._change_registry() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pgscore_data.registry_change default values;
  -- This session sees the change before it has a revision; to the end of the transaction, or of the savepoint.
  perform set_config('pgscore.registry', 'changed', true);
  execute 'discard plans';
end
$$;
comment on function pgscore_data._change_registry() is
  'To be called by whatever changes what a notation means: the transaction makes a new revision when it is committed.';

create or replace function pgscore_data._publish_revision() returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  published bigint;
  gone text[];
  gone_versions int[];
  changed jsonb;
begin
  delete from pgscore_data.registry_change;
  if not found then
    return null;
  end if;
  -- Not at once: nobody else could write score() until that transaction ends.
  gone_versions := array(
    select distinct v.version_id from pg_proc p
      join pgscore_data.version v on v.version_id = substring(p.proname from '^_v([0-9]+)(?:_|$)')::int and v.state = 'dropped'
     where p.pronamespace = 'pgscore_models'::regnamespace);
  if gone_versions <> '{}' then
    perform pgscore_data._renew_score_calls();
    perform pgscore_data._drop_functions(v) from unnest(gone_versions) v;
  end if;
  -- To the end of the transaction, which is what happens next, unless the caller has had constraints checked at once.
  lock table pgscore_data.revision in share row exclusive mode;
  insert into pgscore_data.revision default values returning revision into published;
  with left_behind as (
    update pgscore_data.former_alias f set until = published where f.until is null returning f.model_name
  )
  select coalesce(array_agg(l.model_name), '{}') into gone from left_behind l;
  with pointed as (
    update pgscore_data.alias a set revision = published where a.revision is null returning a.model_name, a.alias, a.model_id
  )
  select coalesce(jsonb_object_agg(p.model_name, array[published, p.model_id]), '{}') into changed from pointed p
   where p.alias = 'champion';
  gone := array(select g from unnest(gone) g
                 where not exists (select from pgscore_data.alias a where a.model_name = g and a.alias = 'champion'));
  -- Any change of an operator has every session make its plans anew, also one that is being made: PostgreSQL does not for a function that
  -- was
  -- inlined before it was replaced. Any change of a constraint has it make the checks of domains anew. Sessions hear of both before the
  -- revision.
  alter operator pgscore_data.@@@ (int, int) set (restrict = none);
  alter domain pgscore_data.registry_mark drop constraint mark;
  alter domain pgscore_data.registry_mark add constraint mark check (value > 0);
  -- From the catalogs: a snapshot that is repeated is behind what others have published.
  perform pgscore_data._write_revision(published, (pgscore_models._champions() - gone) || changed);
  perform set_config('pgscore.registry', '', true);
  return null;
end
$$;
comment on function pgscore_data._publish_revision() is 'Makes the changes of a transaction, once, a new revision of the registry.';

do $$
begin
  if not exists (select from pg_trigger t where t.tgrelid = 'pgscore_data.registry_change'::regclass and t.tgname = 'publish_revision') then
    create constraint trigger publish_revision after insert on pgscore_data.registry_change deferrable initially deferred
    for each row execute function pgscore_data._publish_revision();
  end if;
end
$$;

create or replace function pgscore_data._change_alias() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'UPDATE' and (old.version_id, old.model_name) = (new.version_id, new.model_name) then
    return null;
  end if;
  if tg_op <> 'INSERT' and old.revision is not null then
    insert into pgscore_data.former_alias (model_name, alias, version_id, since)
      values (old.model_name, old.alias, old.version_id, old.revision);
  end if;
  if tg_op <> 'DELETE' then
    update pgscore_data.alias a set revision = null where a.model_id = new.model_id and a.alias = new.alias and a.revision is not null;
  end if;
  perform pgscore_data._change_registry();
  return null;
end
$$;
comment on function pgscore_data._change_alias() is 'Keeps where an alias pointed before, and has its change made a revision.';

create or replace trigger change_alias after insert or delete or update of version_id, model_name on pgscore_data.alias
for each row execute function pgscore_data._change_alias();

create or replace function pgscore_data._change_version() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgscore_data._change_registry();
  return null;
end
$$;
comment on function pgscore_data._change_version() is 'A version that was dropped is meant by no notation any more.';

create or replace trigger change_version after update of state on pgscore_data.version
for each row when (new.state = 'dropped') execute function pgscore_data._change_version();

lock table pgscore_data.revision in share row exclusive mode;
select pgscore_data._write_revision((select max(r.revision) from pgscore_data.revision r),
                                    coalesce(jsonb_object_agg(a.model_name, array[a.revision, a.model_id]), '{}')) from pgscore_data.alias a
                              where a.alias = 'champion';
comment on function pgscore_models._as_of() is
  'What all of a statement goes by, inlined and computed when it is planned. Made anew with each revision.';
comment on function pgscore_models._champions() is
  'By name, the models that have a champion: [since which revision, model_id]. Made anew with each revision.';
