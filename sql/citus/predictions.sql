-- A query that joins predictions with a table of Citus is planned with the views taken apart: its role needs rights on what is below them.
-- Where Citus is not installed nothing is granted.

create or replace function pgscore_data._grant_storage_on_citus(t pgscore_data.target) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if to_regclass('pg_catalog.pg_dist_partition') is not null and to_regrole(quote_ident(t.owner)) is not null then
    execute format('grant select on pgscore_predictions.%I to %I with grant option', 'target_' || t.target_id, t.owner);
  end if;
end
$$;
comment on function pgscore_data._grant_storage_on_citus(pgscore_data.target) is
  'Lets the owner of a target read its storage, and grant that on, where Citus is installed.';

do $$
begin
  if to_regclass('pg_catalog.pg_dist_partition') is null then
    return;
  end if;
  grant usage on schema pgscore_data to pgscore_user;
  grant select (run_id, version_id, snapshot_at) on pgscore_data.run to pgscore_user;
  grant select (version_id, model_id, number) on pgscore_data.version to pgscore_user;
  grant select (model_id, name) on pgscore_data.model to pgscore_user;
  grant select (target_id, current_generation) on pgscore_data.target to pgscore_user;
  grant select (target_id, generation, state) on pgscore_data.generation to pgscore_user;
  perform pgscore_data._grant_storage_on_citus(t) from pgscore_data.target t;
end
$$;
