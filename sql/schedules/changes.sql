-- Pausing, resuming, firing at once and ending a schedule.

create or replace view pgscore._schedule_control with (security_barrier) as
select s.schedule_id, s.name, s.owner from pgscore_data.schedule s
 where coalesce(pg_has_role(to_regrole(quote_ident(s.owner)), 'usage'), pg_has_role('pgscore_deployer', 'usage'));
comment on view pgscore._schedule_control is
  'Schedules that the caller may change, by name: the caller''s, and for a deployer those of roles that were dropped or renamed.';

create or replace view pgscore._schedule_command as
select null::text as action, null::int as schedule_id, null::name as requested_by where false;
comment on view pgscore._schedule_command is
  'Where the functions that change schedules hand their request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._schedule_command alter column requested_by set default current_user;

create or replace function pgscore_data._control_schedule() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  s pgscore_data.schedule;
begin
  select * into s from pgscore_data.schedule x
   where x.schedule_id = new.schedule_id
     and coalesce(pg_has_role(new.requested_by, to_regrole(quote_ident(x.owner)), 'usage'),
                  pg_has_role(new.requested_by, 'pgscore_deployer', 'usage')) for no key update;
  if not found then
    raise exception 'schedule % does not exist, or is not yours', coalesce(new.schedule_id::text, 'NULL')
      using errcode = 'undefined_object', hint = 'select name from pgscore.schedules; lists yours.';
  end if;
  case new.action
    when 'pause' then
      update pgscore_data.schedule x set paused = true where x.schedule_id = s.schedule_id;
    when 'resume' then
      -- What it slept through is not missed, and a broken one is tried again.
      update pgscore_data.schedule x set paused = false, decided_until = clock_timestamp(), next_fire_at = null, error = null
       where x.schedule_id = s.schedule_id and x.paused;
    when 'drop' then
      execute format('drop function if exists pgscore_sources.%I(timestamp with time zone)', s.handle);
      delete from pgscore_data.schedule x where x.schedule_id = s.schedule_id;
  end case;
  perform pgscore_data._wake();
  return new;
end
$$;
comment on function pgscore_data._control_schedule() is 'Pauses, resumes or drops a schedule of the caller. A resumed one begins at now.';

create or replace trigger control instead of insert on pgscore._schedule_command
for each row execute function pgscore_data._control_schedule();

create or replace function pgscore._command_schedule(action text, name text) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._schedule_command (action, schedule_id) values ($1, (pgscore._my_schedule($2)).schedule_id) $$;
comment on function pgscore._command_schedule(text, text) is 'Hands a change of a schedule over as the caller.';

create or replace function pgscore._my_schedule(schedule_name text) returns pgscore._schedule_control
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  meant pgscore._schedule_control[] := array(
    select c from pgscore._schedule_control c
     where c.owner = current_user and c.name = schedule_name or c.owner || '.' || c.name = schedule_name);
begin
  if meant = '{}' then
    meant := array(select c from pgscore._schedule_control c where c.name = schedule_name);
  end if;
  if meant = '{}' then
    raise exception 'schedule "%" does not exist, or is not yours', schedule_name using errcode = 'undefined_object',
      hint = 'select owner, name from pgscore.schedules; lists yours. Write another role''s as role.schedule.';
  end if;
  if cardinality(meant) > 1 then
    raise exception 'schedule "%" could be any of %', schedule_name, cardinality(meant) using errcode = 'ambiguous_function',
      detail = (select string_agg(format('%I.%I', m.owner, m.name), ', ' order by m.owner, m.name) from unnest(meant) m),
      hint = format('Write it as role.schedule, or name it as its owner does: set role %I;', meant[1].owner);
  end if;
  return meant[1];
end
$$;
comment on function pgscore._my_schedule(text) is
'The schedule that the caller names: the caller''s own of that name, or by role.name that of a role whose rights the caller has; else the
only one of that name among those. Raises where there is none, or more than one.';

create or replace function pgscore.pause_schedule(name text) returns void
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._command_schedule('pause', $1) $$;
comment on function pgscore.pause_schedule(text) is
  'Stops a schedule from firing until resume_schedule(); times in between are not caught up.';

create or replace function pgscore.resume_schedule(name text) returns void
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._command_schedule('resume', $1) $$;
comment on function pgscore.resume_schedule(text) is 'Lets a paused schedule fire again from now on.';

create or replace function pgscore.run_schedule(name text) returns bigint
language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  s pgscore._schedule_control := pgscore._my_schedule(run_schedule.name);
begin
  if s.owner <> current_user then
    raise exception 'schedule "%" fires with the rights of its owner, %', s.name, s.owner using errcode = 'insufficient_privilege',
      hint = format('Fire it as that role: set role %I; select pgscore.run_schedule(%L); reset role;', s.owner, s.name);
  end if;
  return pgscore._fire(s.schedule_id, clock_timestamp());
end
$$;
comment on function pgscore.run_schedule(text) is
  'Fires a schedule of the current role now and returns the run; NULL where the overlap rule skips it.';

create or replace function pgscore.unschedule(name text) returns void
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._command_schedule('drop', $1) $$;
comment on function pgscore.unschedule(text) is 'Drops a schedule and its history; the runs that it submitted stay.';
