-- Drops a target: first waits until its runs are counted for labels, then drops views and storage.

create or replace view pgscore._drop_request as
select null::int as target_id, null::name as requested_by, null::text as step where false;
comment on view pgscore._drop_request is
'Where drop_target() hands its request over. step: wait until the runs of the target are counted, or drop.
requested_by is the caller, and nobody can write it.';
alter view pgscore._drop_request alter column requested_by set default current_user;

create or replace function pgscore_data._await_counted(t pgscore_data.target) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  began constant timestamptz := clock_timestamp();
begin
  while exists (select from pgscore_data.run r where r.target_id = t.target_id and r.state = 'done' and not r.kept) loop
    if clock_timestamp() > began + interval '60 seconds' then
      raise exception 'target %.% has a run that no service has counted for 60 seconds', t.view_schema, t.view_name using
        errcode = 'object_in_use',
        hint = 'Start a service, or ask a deployer for: select pgscore.refresh(); Then try again, not in a REPEATABLE READ transaction.';
    end if;
    perform pg_sleep(0.05);
  end loop;
end
$$;
comment on function pgscore_data._await_counted(pgscore_data.target) is
'Waits until the runs of a target are counted and kept for labels, which a refresh does. Holds no lock meanwhile.';

create or replace function pgscore_data._drop_storage() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  t pgscore_data.target;
  m record;
begin
  select * into t from pgscore_data.target x
   where x.target_id = new.target_id and pg_has_role(new.requested_by, to_regrole(quote_ident(x.owner)), 'usage');
  if not found then
    raise exception 'target % does not exist, or is not yours', coalesce(new.target_id::text, 'NULL') using
      errcode = 'undefined_object', hint = 'select target from pgscore.targets; lists yours.';
  end if;
  if exists (select from pgscore_data.watch w where w.target_id = t.target_id) then
    raise exception 'target %.% is watched', t.view_schema, t.view_name using errcode = 'object_in_use',
      hint = format('select pgscore.unwatch(%L); first.', format('%I.%I', t.view_schema, t.view_name));
  end if;
  if new.step = 'wait' then
    perform pgscore_data._await_counted(t);
    return new;
  end if;
  -- Locked first, so that no run is submitted after this check.
  perform from pgscore_data.target x where x.target_id = t.target_id for update;
  if exists (
    select from pgscore_data.run r
     where r.target_id = t.target_id and (r.state in ('queued', 'running') or r.state = 'done' and not r.kept))
  then
    raise exception 'target %.% is in use by a run that has not ended, or is not counted', t.view_schema, t.view_name using
      errcode = 'object_in_use', hint = 'Wait for the run, or select pgscore.cancel_run(run).';
  end if;
  -- These views are gone if a user dropped the type of a key column with CASCADE.
  execute format('drop view if exists pgscore_predictions.%I, pgscore_predictions.%I', 'target_' || t.target_id || '_latest', 'target_'
                 || t.target_id || '_history');
  execute format('drop table pgscore_predictions.%I', 'target_' || t.target_id);
  for m in
    select y.name, (x.sealed_before at time zone x.time_zone)::date as first_day
      from pgscore_data.monitor x join pgscore_data.model y using (model_id)
     where x.sealed_before > '-infinity' and exists (
       select from pgscore_data.run r join pgscore_data.version v using (version_id)
        where r.target_id = t.target_id and v.model_id = x.model_id)
     order by 1
  loop
    raise notice 'days of model "%" before % are sealed: their numbers stay as they are', m.name, m.first_day;
  end loop;
  delete from pgscore_data.target x where x.target_id = t.target_id;
  return new;
end
$$;
comment on function pgscore_data._drop_storage() is 'Drops a target''s storage; its runs stay as the record of what was done.';

create or replace trigger drop_storage instead of insert on pgscore._drop_request
for each row execute function pgscore_data._drop_storage();

create or replace function pgscore.drop_target(target text, target_schema name default current_schema()) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  wanted record := pgscore._own_target(target, target_schema);
begin
  -- Waits first, so that labels can still judge the predictions.
  insert into pgscore._drop_request (target_id, step) values (wanted.target_id, 'wait');
  execute format('drop view if exists %I.%I', wanted.view_schema, wanted.view_name);
  execute format('drop view if exists %I.%I', wanted.view_schema, wanted.view_name || '_history');
  insert into pgscore._drop_request (target_id, step) values (wanted.target_id, 'drop');
end
$$;
comment on function pgscore.drop_target(text, name) is
  'Drops a target with its views and every prediction in it; refused while a run writes to it or while a view of yours depends on its '
  'views. target: flight_scores or schema.flight_scores.';
