-- Which revision of the registry a statement goes by, so that all of it has the same versions. To look a version up for each row would
-- take ten times as long as a logistic model; to put it into the plan is free, and of one version for all that is planned at once, as
-- all of that is planned with one snapshot. But plans are kept. What is therefore put into them is the revision that the catalogs and
-- the snapshot agree upon: a later one throws these plans away. Where they don't agree, it is looked up by whoever executes the plan.

create or replace view pgscore._registry as
select r.revision from pgscore_data.registry r;
comment on view pgscore._registry is 'The newest revision that a snapshot sees; read by everybody who calls score().';

create or replace view pgscore._aliases as
select a.model_name, a.alias, a.version_id, a.revision from pgscore_data.alias a;
comment on view pgscore._aliases is 'Which version a notation means, and since which revision; read by everybody who calls score(), as pgscore.models is.';

create or replace function pgscore_models._seen(revision bigint) returns bigint
language plpgsql immutable parallel safe
as $$
begin
  return (select r.revision from pgscore._registry r where r.revision operator(pg_catalog.=) _seen.revision);
end
$$;
comment on function pgscore_models._seen(bigint) is 'The revision, where the snapshot sees none that is newer; else NULL. Called IMMUTABLE so that the planner computes it.';

do $$
begin
  if to_regtype('pgscore_models._planning') is null then
    create type pgscore_models._planning as (revision bigint, transaction timestamptz);
  end if;
end
$$;
comment on type pgscore_models._planning is 'The transaction that made a plan, and the newest revision that it saw.';

create or replace function pgscore_models._planning() returns pgscore_models._planning
language plpgsql immutable parallel safe
as $$
begin
  return row((select r.revision from pgscore._registry r), pg_catalog.transaction_timestamp());
end
$$;
comment on function pgscore_models._planning() is 'The transaction that makes a plan. Called IMMUTABLE so that the planner computes it.';

create or replace function pgscore_models._planned(planning pgscore_models._planning) returns bigint
language plpgsql stable parallel safe
as $$
begin
  return case when planning.transaction operator(pg_catalog.=) pg_catalog.transaction_timestamp() then planning.revision end;
end
$$;
comment on function pgscore_models._planned(pgscore_models._planning) is 'The revision that was seen when the plan was made, to the transaction that made it; NULL, the newest that the snapshot sees, to later ones. A statement is planned and executed under two times of its own, and one of its transaction.';

create or replace function pgscore_models._unseen() returns bigint
language sql stable parallel safe
as $$ select pgscore_models._planned(pgscore_models._planning()) $$;
comment on function pgscore_models._unseen() is 'The revision to go by where the snapshot sees another than the catalogs have.';

create or replace function pgscore_data._write_revision(revision bigint) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('create or replace function pgscore_models._revision() returns bigint language sql stable parallel safe as %L',
    format('select coalesce(pgscore_models._seen(%s), pgscore_models._unseen())', revision));
end
$$;
comment on function pgscore_data._write_revision(bigint) is 'Puts a revision into the catalogs.';

create or replace function pgscore_data._change_registry() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pgscore_data.registry_change default values;
  -- Those of this session: it sees the change before it has a revision.
  execute 'discard plans';
end
$$;
comment on function pgscore_data._change_registry() is 'To be called by whatever changes what a notation means: the transaction makes a new revision when it is committed.';

create or replace function pgscore_data._publish_revision() returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  published bigint;
begin
  delete from pgscore_data.registry_change;
  if not found then
    return null;
  end if;
  -- The row is locked from here to the end of the transaction, which is what happens next: revisions are committed in their order.
  update pgscore_data.registry r set revision = r.revision + 1 returning r.revision into published;
  update pgscore_data.alias set revision = published where revision is null;
  update pgscore_data.former_alias set until = published where until is null;
  -- Whatever is written to pg_namespace has every session make its plans anew, also one that is being made: PostgreSQL
  -- does not for a function that was inlined before it was replaced. Sessions hear of it before they hear of the revision.
  grant usage on schema pgscore_data to pgscore_owner;
  perform pgscore_data._write_revision(published);
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
    insert into pgscore_data.former_alias (model_name, alias, version_id, since) values (old.model_name, old.alias, old.version_id, old.revision);
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

-- Aliases that were changed since the migration, by what was there before.
update pgscore_data.alias a set revision = r.revision from pgscore_data.registry r where a.revision is null;
select pgscore_data._write_revision(r.revision) from pgscore_data.registry r for update;
comment on function pgscore_models._revision() is 'The revision of the registry by which all of a statement goes: a constant of the plan where that can be, or NULL for the newest that the snapshot sees. Made anew with each revision.';
