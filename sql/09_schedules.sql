-- Runs again and again. The service decides when; the submission happens as the schedule's owner.

create or replace view pgscore._schedule_request with (security_barrier) as
select s.schedule_id, s.name, s.cron, s.time_zone, s.model, s.source, s.arguments, s.overlap, s.catch_up, s.handle,
       encode(sha256(convert_to(s.guard_key, 'UTF8')), 'hex') as guard_hash, s.owner
from pgscore_data.schedule s where s.owner = current_user;
comment on view pgscore._schedule_request is 'The caller''s own schedules; inserting one reserves the function that submits its runs. owner is the caller, and nobody can write it.';
alter view pgscore._schedule_request alter column owner set default current_user;

create or replace function pgscore_data._reserve_schedule() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  key text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
begin
  insert into pgscore_data.schedule (name, owner, cron, time_zone, model, source, arguments, overlap, catch_up, handle, guard_key)
  values (new.name, new.owner, new.cron, new.time_zone, new.model, new.source, new.arguments, new.overlap, new.catch_up, 's_' || replace(gen_random_uuid()::text, '-', ''), key)
  returning schedule_id, handle into new.schedule_id, new.handle;
  new.guard_hash := encode(sha256(convert_to(key, 'UTF8')), 'hex');
  perform pgscore_data._wake();
  return new;
exception
  when unique_violation then
    raise exception 'schedule "%" already exists', new.name using errcode = 'duplicate_object', hint = case
      when exists (select from pgscore_data.schedule x where x.name = new.name and pg_has_role(new.owner, to_regrole(quote_ident(x.owner)), 'usage')) then
        'Choose another name, or select pgscore.unschedule(name) first.'
      else 'Choose another name: it is another role''s, and all share the names.' end;
  -- As they are, these would show the guard key of the row that fails.
  when check_violation or not_null_violation then
    if new.name <> '' and octet_length(new.name) <= 200 then
      raise exception 'schedule "%" lacks something, or has an option that is not known', new.name using errcode = 'invalid_parameter_value', hint = 'Make schedules with pgscore.schedule().';
    end if;
    raise exception 'schedule name % cannot be used', coalesce(quote_literal(new.name), 'NULL') using errcode = 'invalid_name', hint = 'Any text of 1 to 200 bytes.';
end
$$;
comment on function pgscore_data._reserve_schedule() is 'Stores a schedule and names the function that submits its runs.';

create or replace trigger reserve instead of insert on pgscore._schedule_request
for each row execute function pgscore_data._reserve_schedule();

create or replace function pgscore._check_schedule(cron text, time_zone text, overlap text, catch_up text, rls text, error_limit bigint) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgscore._check_cron(cron);
  if time_zone is null or time_zone ~ '^(posix/|right/|posixrules$|localtime$|Factory$)' or not exists (select from pg_timezone_names z where z.name = time_zone) then
    raise exception 'time_zone => % is not known', coalesce(quote_literal(time_zone), 'NULL') using errcode = 'invalid_parameter_value', hint = 'Use a name of pg_timezone_names, such as Europe/Berlin.';
  end if;
  if overlap is null or overlap not in ('skip', 'queue') then
    raise exception 'overlap => % is not known', coalesce(quote_literal(overlap), 'NULL') using errcode = 'invalid_parameter_value', hint = '''skip'' leaves a fire out while the last run still goes on; ''queue'' submits it all the same.';
  end if;
  if catch_up is null or catch_up not in ('skip', 'latest', 'all') then
    raise exception 'catch_up => % is not known', coalesce(quote_literal(catch_up), 'NULL') using errcode = 'invalid_parameter_value', hint = 'After a time without service: ''latest'' fires once, ''all'' every missed time, ''skip'' none.';
  end if;
  -- The run would say so, but only in the night.
  if rls is null or rls not in ('error', 'filter') then
    raise exception 'rls => % is not known', coalesce(quote_literal(rls), 'NULL') using errcode = 'invalid_parameter_value', hint = '''error'' fails a run if a policy would hide rows; ''filter'' scores the rows that you may see.';
  end if;
  if error_limit < 0 then
    raise exception 'error_limit => % is negative', error_limit using errcode = 'invalid_parameter_value', hint = 'It is the number of failed rows beyond which a run fails.';
  end if;
end
$$;
comment on function pgscore._check_schedule(text, text, text, text, text, bigint) is 'Refuses the options of a schedule that would fail at each fire.';

create or replace function pgscore._fire_body(schedule_id int, guard_hash text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('select pgscore._fire(%s, fire_at) where pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.current_setting(''pgscore.guard'', true), ''UTF8'')), ''hex'') operator(pg_catalog.=) %L',
    schedule_id, guard_hash)
$$;
comment on function pgscore._fire_body(int, text) is 'The body of the function that submits a schedule''s runs. Functions with exactly this text stand in databases and are refused with any other.';

create or replace function pgscore._create_schedule(
  name text, cron text, model text, source regclass, key text[], target name, target_schema name, event_time text, column_map jsonb,
  publish boolean, rls text, error_limit bigint, time_zone text, overlap text, catch_up text
) returns text
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  reserved record;
  version record := pgscore._ready_version(model);
  plan jsonb := pgscore._plan_source(source, version.signature, key, event_time, column_map, pgscore._segments_of(version.version_id));
  view_name name := coalesce(target, (plan ->> 'name') || '_scores');
  view_schema name := coalesce(target_schema, 'public');
begin
  perform pgscore._check_schedule(cron, time_zone, overlap, catch_up, rls, error_limit);
  perform pgscore._ensure_target(view_schema, view_name, version.signature,
    (select jsonb_agg(jsonb_build_object('name', c ->> 'name', 'sql_type', c ->> 'sql_type') order by n) from jsonb_array_elements(plan -> 'columns') with ordinality as x (c, n) where c ->> 'role' = 'key'));
  insert into pgscore._schedule_request (name, cron, time_zone, model, source, arguments, overlap, catch_up)
  values (_create_schedule.name, btrim(_create_schedule.cron), _create_schedule.time_zone, _create_schedule.model, format('%I.%I', plan ->> 'schema', plan ->> 'name'),
    jsonb_build_object('target', view_name, 'target_schema', view_schema, 'key', key, 'event_time', event_time,
      'column_map', column_map, 'publish', publish, 'rls', rls, 'error_limit', error_limit),
    _create_schedule.overlap, _create_schedule.catch_up)
  returning schedule_id, handle, guard_hash into reserved;
  execute format(
    'create function pgscore_sources.%I(fire_at timestamp with time zone) returns bigint language sql volatile security definer set search_path = pg_catalog, pg_temp as %L',
    reserved.handle, pgscore._fire_body(reserved.schedule_id, reserved.guard_hash));
  execute format('revoke execute on function pgscore_sources.%I(timestamp with time zone) from public', reserved.handle);
  execute format('grant execute on function pgscore_sources.%I(timestamp with time zone) to pgscore_reader', reserved.handle);
  return _create_schedule.name;
end
$$;
comment on function pgscore._create_schedule(text, text, text, regclass, text[], name, name, text, jsonb, boolean, text, bigint, text, text, text) is
'Checks a schedule by planning its first run, stores it, and makes the function that submits its runs, owned by the caller.';

create or replace function pgscore.schedule(
  name text,
  cron text,
  model text,
  source regclass,
  target name default null,
  target_schema name default current_schema(),
  key text default null,
  event_time text default null,
  column_map jsonb default null,
  publish boolean default null,
  rls text default 'error',
  error_limit bigint default null,
  time_zone text default current_setting('TimeZone'),
  overlap text default 'skip',
  catch_up text default 'latest'
) returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  select pgscore._create_schedule($1, $2, $3, $4, case when $7 is not null then array[$7] end, $5, $6, $8, $9, $10, $11, $12, $13, $14, $15)
$$;
comment on function pgscore.schedule(text, text, text, regclass, name, name, text, text, jsonb, boolean, text, bigint, text, text, text) is
'Scores a source again and again, with your rights at each time. Returns the name.
name: of the schedule.  cron: five fields (minute hour day-of-month month day-of-week), read in time_zone, or @hourly, @daily, @weekly, @monthly, @yearly. Where both day fields are restricted, either may match.
model, source, target, target_schema, key, event_time, column_map, publish, rls, error_limit: as in score_table(); the source and a bare model name are looked up anew each time.
time_zone: default this session''s; an event_time without a zone is read in it, too. A local time that a clock change leaves out fires at the change; one that comes twice fires once. An expression for every hour (* as its hour) goes on by elapsed time instead.
overlap: skip leaves a fire out while the last run still goes on, queue submits it all the same.  catch_up: after a time without service, latest fires once, all every missed time, skip none.';

create or replace function pgscore.schedule(
  name text,
  cron text,
  model text,
  source regclass,
  key text[],
  target name default null,
  target_schema name default current_schema(),
  event_time text default null,
  column_map jsonb default null,
  publish boolean default null,
  rls text default 'error',
  error_limit bigint default null,
  time_zone text default current_setting('TimeZone'),
  overlap text default 'skip',
  catch_up text default 'latest'
) returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  select pgscore._create_schedule($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
$$;
comment on function pgscore.schedule(text, text, text, regclass, text[], name, name, text, jsonb, boolean, text, bigint, text, text, text) is
'As schedule with a key of one column, for a key of several: key => array[''a'', ''b''].';

create or replace function pgscore._fire(schedule_id int, fire_at timestamptz) returns bigint
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  s record;
  source regclass;
  zone text := current_setting('TimeZone');
  submitted bigint;
begin
  select r.* into s from pgscore._schedule_request r where r.schedule_id = _fire.schedule_id;
  if not found then
    raise exception 'schedule % does not exist, or is not yours', schedule_id using errcode = 'undefined_object', hint = 'select name from pgscore.schedules; lists yours.';
  end if;
  source := to_regclass(s.source);
  if source is null then
    raise exception 'source % of schedule "%" does not exist any more', s.source, s.name using errcode = 'undefined_table', hint = 'Create it again, or select pgscore.unschedule(name).';
  end if;
  perform set_config('TimeZone', s.time_zone, true);
  submitted := pgscore._submit_run(s.model, source, (s.arguments ->> 'target')::name, (s.arguments ->> 'target_schema')::name,
    case when jsonb_typeof(s.arguments -> 'key') = 'array' then array(select jsonb_array_elements_text(s.arguments -> 'key')) end,
    s.arguments ->> 'event_time', nullif(s.arguments -> 'column_map', 'null'), (s.arguments ->> 'publish')::boolean, s.arguments ->> 'rls', (s.arguments ->> 'error_limit')::bigint,
    _fire.schedule_id, _fire.fire_at);
  perform set_config('TimeZone', zone, true);
  return submitted;
end
$$;
comment on function pgscore._fire(int, timestamptz) is 'Submits the run of one fire time, as the schedule''s owner. NULL where the overlap rule skips it.';

create or replace function pgscore_data._claim_fire(this_schedule int, this_fire timestamptz, requester name) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  s pgscore_data.schedule;
begin
  select * into s from pgscore_data.schedule x where x.schedule_id = this_schedule and x.owner = requester for no key update;
  if not found then
    raise exception 'schedule % belongs to another role', this_schedule using errcode = 'insufficient_privilege';
  end if;
  if s.overlap = 'skip' and exists (select from pgscore_data.run r where r.schedule_id = this_schedule and r.state in ('queued', 'running')) then
    insert into pgscore_data.schedule_fire (schedule_id, fire_at, outcome, error) values (this_schedule, this_fire, 'skipped', 'the last run still goes on');
    return null;
  end if;
  insert into pgscore_data.schedule_fire (schedule_id, fire_at, outcome) values (this_schedule, this_fire, 'submitted');
  return 0;
end
$$;
comment on function pgscore_data._claim_fire(int, timestamptz, name) is 'Claims a fire time in the transaction that submits its run: the primary key lets one of ten services through. NULL where the overlap rule skips it.';

create or replace function pgscore_data._drop_namesakes(handle name, arguments text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
declare
  namesake regprocedure;
begin
  for namesake in
    select p.oid from pg_proc p where p.pronamespace = 'pgscore_sources'::regnamespace and p.proname = handle and oidvectortypes(p.proargtypes) <> arguments
  loop
    execute format('drop routine %s cascade', namesake);
  end loop;
end
$$;
comment on function pgscore_data._drop_namesakes(name, text) is
'Drops what somebody has put beside a function of pgscore_sources under its name: with defaults for its other arguments it would make every call of that function ambiguous.';

create or replace function pgscore_data._fire_function(this_schedule int) returns text
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select pgscore_data._drop_namesakes(s.handle, 'timestamp with time zone') from pgscore_data.schedule s where s.schedule_id = this_schedule;
  select concat_ws('/', p.oid, p.xmin, p.ctid)
    from pgscore_data.schedule s
    join pg_roles o on o.rolname = s.owner
    join pg_language l on l.lanname = 'sql'
    join pg_proc p on p.proname = s.handle and p.pronamespace = 'pgscore_sources'::regnamespace and p.pronargs = 1 and p.proargtypes[0] = 'timestamptz'::regtype
   where s.schedule_id = this_schedule
     and p.proowner = o.oid and p.prosecdef and p.prolang = l.oid and p.prokind = 'f' and not p.proretset and p.prorettype = 'int8'::regtype
     and p.proconfig = array['search_path=pg_catalog, pg_temp'] and p.prosqlbody is null
     and p.prosrc = pgscore._fire_body(s.schedule_id, encode(sha256(convert_to(s.guard_key, 'UTF8')), 'hex'))
$$;
comment on function pgscore_data._fire_function(int) is
'Which version of a schedule''s function stands there, if it is as pgscore.schedule() made it; NULL where its owner dropped or changed it. Changed again and back, it is another version.';

create or replace view pgscore.schedules with (security_barrier) as
select s.name, s.cron, s.time_zone, s.model, s.source, s.arguments ->> 'target_schema' || '.' || (s.arguments ->> 'target') as target,
       case when s.paused then 'paused' when s.error is not null then 'broken' else 'active' end as state,
       s.overlap, s.catch_up, f.fire_at as last_fire_at, f.outcome as last_outcome, f.run_id as last_run, coalesce(s.error, f.error) as last_error, s.owner, s.created_at,
       case when not s.paused and s.error is null then s.next_fire_at end as next_fire_at
from pgscore_data.schedule s
left join lateral (select * from pgscore_data.schedule_fire f where f.schedule_id = s.schedule_id order by f.fire_at desc limit 1) f on true
where pg_has_role(to_regrole(quote_ident(s.owner)), 'usage') or pg_has_role('pgscore_owner', 'usage') or current_user = 'pgscore_service';
comment on view pgscore.schedules is 'Your schedules, with what became of the last fire. Members of pgscore_owner see everybody''s.';
comment on column pgscore.schedules.name is 'Name of the schedule.';
comment on column pgscore.schedules.cron is 'When it fires: minute hour day-of-month month day-of-week.';
comment on column pgscore.schedules.time_zone is 'Whose clock cron means.';
comment on column pgscore.schedules.model is 'What scores; a bare name is its champion at each time.';
comment on column pgscore.schedules.source is 'What is scored, looked up by name at each time.';
comment on column pgscore.schedules.target is 'View with the latest predictions.';
comment on column pgscore.schedules.state is 'active, paused, or broken: last_error says why it cannot fire.';
comment on column pgscore.schedules.overlap is 'What becomes of a fire while the last run still goes on: skip or queue.';
comment on column pgscore.schedules.catch_up is 'What becomes of the times that no service was there for: latest, all or skip.';
comment on column pgscore.schedules.last_fire_at is 'The last fire time that was decided.';
comment on column pgscore.schedules.last_outcome is 'submitted, skipped, missed or failed.';
comment on column pgscore.schedules.last_run is 'The run that it submitted.';
comment on column pgscore.schedules.last_error is 'Why it was not submitted, or why the schedule is broken.';
comment on column pgscore.schedules.owner is 'The role whose rights it fires with.';
comment on column pgscore.schedules.created_at is 'When it was made.';
comment on column pgscore.schedules.next_fire_at is 'When it fires next; NULL while paused, broken, or not seen by a service yet.';

create or replace view pgscore.schedule_history with (security_barrier) as
select s.name, f.fire_at, f.outcome, f.run_id as run, f.error, f.decided_at, r.state as run_state
from pgscore_data.schedule_fire f
join pgscore_data.schedule s using (schedule_id)
left join pgscore_data.run r using (run_id)
where pg_has_role(to_regrole(quote_ident(s.owner)), 'usage') or pg_has_role('pgscore_owner', 'usage');
comment on view pgscore.schedule_history is 'What became of each fire time of your schedules: submitted, skipped (the last run still went on), missed (no service submitted it in time) or failed (the submission raised an error).';
comment on column pgscore.schedule_history.name is 'Name of the schedule.';
comment on column pgscore.schedule_history.fire_at is 'The fire time; of run_schedule(), when it was called.';
comment on column pgscore.schedule_history.outcome is 'submitted, skipped, missed or failed.';
comment on column pgscore.schedule_history.run is 'The run that it submitted.';
comment on column pgscore.schedule_history.error is 'Why it was not submitted.';
comment on column pgscore.schedule_history.decided_at is 'When that was decided.';
comment on column pgscore.schedule_history.run_state is 'What became of the run: queued, running, done, failed or cancelled.';

create or replace view pgscore._schedule_control with (security_barrier) as
select s.schedule_id, s.name, s.handle, s.owner from pgscore_data.schedule s where pg_has_role(to_regrole(quote_ident(s.owner)), 'usage');
comment on view pgscore._schedule_control is 'The caller''s schedules, by name.';

create or replace view pgscore._schedule_command as
select null::text as action, null::int as schedule_id, null::name as requested_by where false;
comment on view pgscore._schedule_command is 'Where the functions that change schedules hand their request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._schedule_command alter column requested_by set default current_user;

create or replace function pgscore_data._control_schedule() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  s pgscore_data.schedule;
begin
  select * into s from pgscore_data.schedule x
   where x.schedule_id = new.schedule_id and pg_has_role(new.requested_by, to_regrole(quote_ident(x.owner)), 'usage') for no key update;
  if not found then
    raise exception 'schedule % does not exist, or is not yours', coalesce(new.schedule_id::text, 'NULL') using errcode = 'undefined_object', hint = 'select name from pgscore.schedules; lists yours.';
  end if;
  case new.action
    when 'pause' then
      update pgscore_data.schedule x set paused = true where x.schedule_id = s.schedule_id;
    when 'resume' then
      -- What it slept through is not missed, and a broken one is tried again.
      update pgscore_data.schedule x set paused = false, decided_until = clock_timestamp(), next_fire_at = null, error = null
       where x.schedule_id = s.schedule_id and x.paused;
    when 'drop' then
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
  s pgscore._schedule_control;
begin
  select * into s from pgscore._schedule_control c where c.name = schedule_name;
  if not found then
    raise exception 'schedule "%" does not exist, or is not yours', schedule_name using errcode = 'undefined_object', hint = 'select name from pgscore.schedules; lists yours.';
  end if;
  return s;
end
$$;
comment on function pgscore._my_schedule(text) is 'A schedule of the caller by name; raises where there is none.';

create or replace function pgscore.pause_schedule(name text) returns void
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._command_schedule('pause', $1) $$;
comment on function pgscore.pause_schedule(text) is 'Stops a schedule from firing until resume_schedule(); times in between are not caught up.';

create or replace function pgscore.resume_schedule(name text) returns void
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._command_schedule('resume', $1) $$;
comment on function pgscore.resume_schedule(text) is 'Lets a paused schedule fire again from now on.';

create or replace function pgscore.run_schedule(name text) returns bigint
language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  return pgscore._fire((pgscore._my_schedule(run_schedule.name)).schedule_id, clock_timestamp());
end
$$;
comment on function pgscore.run_schedule(text) is 'Fires a schedule now and returns the run; NULL where the overlap rule skips it.';

create or replace function pgscore.unschedule(name text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  s pgscore._schedule_control := pgscore._my_schedule(unschedule.name);
begin
  execute format('drop function if exists pgscore_sources.%I(timestamp with time zone)', s.handle);
  insert into pgscore._schedule_command (action, schedule_id) values ('drop', s.schedule_id);
end
$$;
comment on function pgscore.unschedule(text) is 'Drops a schedule and its history; the runs that it submitted stay.';
