-- Runs again and again. The service decides when; the submission happens as the schedule's owner.

create or replace view pgscore._schedule_request with (security_barrier) as
select s.schedule_id, s.name, s.cron, s.time_zone, s.model, s.source, s.arguments, s.overlap, s.catch_up, s.handle,
       encode(sha256(convert_to(s.guard_key, 'UTF8')), 'hex') as guard_hash, s.owner as requested_by
from pgscore_data.schedule s where s.owner = current_user;
comment on view pgscore._schedule_request is
  'The caller''s own schedules; inserting one reserves the function that submits its runs. requested_by is the caller, and nobody can '
  'write it.';
alter view pgscore._schedule_request alter column requested_by set default current_user;

create or replace function pgscore_data._reserve_schedule() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  key text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
begin
  insert into pgscore_data.schedule (name, owner, cron, time_zone, model, source, arguments, overlap, catch_up, handle, guard_key)
  values (new.name, new.requested_by, new.cron, new.time_zone, new.model, new.source, new.arguments, new.overlap, new.catch_up, 's_'
          || replace(gen_random_uuid()::text, '-', ''), key)
  returning schedule_id, handle into new.schedule_id, new.handle;
  new.guard_hash := encode(sha256(convert_to(key, 'UTF8')), 'hex');
  perform pgscore_data._wake();
  return new;
exception
  when unique_violation then
    raise exception 'schedule "%" already exists', new.name using errcode = 'duplicate_object',
      hint = format('Choose another name. To change it, drop it and make it anew in one transaction: select pgscore.unschedule(%L);',
                    new.name);
  -- As they are, these would show the guard key of the row that fails.
  when check_violation or not_null_violation then
    if new.name <> '' and octet_length(new.name) <= 200 then
      raise exception 'schedule "%" lacks something, or has an option that is not known', new.name
        using errcode = 'invalid_parameter_value', hint = 'Make schedules with pgscore.schedule().';
    end if;
    raise exception 'schedule name % cannot be used', coalesce(quote_literal(new.name), 'NULL')
      using errcode = 'invalid_name', hint = 'Any text of 1 to 200 bytes.';
end
$$;
comment on function pgscore_data._reserve_schedule() is 'Stores a schedule and names the function that submits its runs.';

create or replace trigger reserve instead of insert on pgscore._schedule_request
for each row execute function pgscore_data._reserve_schedule();

create or replace function pgscore._check_schedule(cron text, time_zone text, overlap text, catch_up text, rls text, error_limit bigint)
  returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgscore._check_cron(cron);
  if time_zone is null or time_zone ~ '^(posix/|right/|posixrules$|localtime$|Factory$)'
    or not exists (select from pg_timezone_names z where z.name = time_zone) then
    raise exception 'time_zone => % is not known', coalesce(quote_literal(time_zone), 'NULL')
      using errcode = 'invalid_parameter_value', hint = 'Use a name of pg_timezone_names, such as Europe/Berlin.';
  end if;
  if overlap is null or overlap not in ('skip', 'queue') then
    raise exception 'overlap => % is not known', coalesce(quote_literal(overlap), 'NULL')
      using errcode = 'invalid_parameter_value',
        hint = '''skip'' leaves a fire out while the last run still goes on; ''queue'' submits it all the same.';
  end if;
  if catch_up is null or catch_up not in ('skip', 'latest', 'all') then
    raise exception 'catch_up => % is not known', coalesce(quote_literal(catch_up), 'NULL')
      using errcode = 'invalid_parameter_value',
        hint = 'After a time without service: ''latest'' fires once, ''all'' every missed time, ''skip'' none.';
  end if;
  -- The run would say so, but only in the night.
  perform pgscore._refuse_run_options(rls, error_limit);
end
$$;
comment on function pgscore._check_schedule(text, text, text, text, text, bigint) is
  'Refuses the options of a schedule that would fail at each fire.';

create or replace function pgscore._guarded_body(call text, guard_hash text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select format('select %s where '
                'pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.current_setting(''pgscore.guard'', true), '
                '''UTF8'')), ''hex'') operator(pg_catalog.=) %L',
    call, guard_hash)
$$;
comment on function pgscore._guarded_body(text, text) is 'The body of a function that calls another for whoever knows the guard key.';

create or replace function pgscore._fire_body(schedule_id int, guard_hash text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._guarded_body(format('pgscore._fire(%s, fire_at)', schedule_id), guard_hash) $$;
comment on function pgscore._fire_body(int, text) is
  'The body of the function that submits a schedule''s runs. Functions with exactly this text stand in databases and are refused with any '
  'other.';

create or replace function pgscore._create_schedule(
  name text, cron text, model text, source regclass, key text[], target name, target_schema name, event_time text, column_map jsonb,
  publish boolean, rls text, error_limit bigint, time_zone text, overlap text, catch_up text, only_changed boolean
) returns text
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  reserved record;
  version record := pgscore._ready_version(model);
  plan jsonb := pgscore._plan_source(source, version.signature, key, event_time, column_map, pgscore._segments_of(version.version_id));
  written_view name := coalesce(target, (plan ->> 'name') || '_scores');
  written_schema name := coalesce(target_schema, 'public');
begin
  perform pgscore._check_schedule(cron, time_zone, overlap, catch_up, rls, error_limit);
  if exists (select from pgscore._watch_control c where (c.view_schema, c.view_name) = (written_schema, written_view)) then
    raise exception 'target %.% is watched', written_schema, written_view using errcode = 'object_in_use',
      hint = 'Its watch keeps it up to date. Choose another target, or end it: select pgscore.unwatch(target);';
  end if;
  perform pgscore._ensure_target(written_schema, written_view, version.signature,
    jsonb_path_query_array(plan -> 'columns', '$[*] ? (@.role == "key")'));
  insert into pgscore._schedule_request (name, cron, time_zone, model, source, arguments, overlap, catch_up)
  values (_create_schedule.name, btrim(_create_schedule.cron), _create_schedule.time_zone, _create_schedule.model,
          format('%I.%I', plan ->> 'schema', plan ->> 'name'),
    jsonb_build_object('target', written_view, 'target_schema', written_schema, 'key', key, 'event_time', event_time,
      'column_map', column_map, 'publish', publish, 'rls', rls, 'error_limit', error_limit, 'only_changed', only_changed),
    _create_schedule.overlap, _create_schedule.catch_up)
  returning schedule_id, handle, guard_hash into reserved;
  execute format(
    'create function pgscore_sources.%I(fire_at timestamp with time zone) returns bigint language sql volatile security definer set '
    'search_path = pg_catalog, pg_temp as %L',
    reserved.handle, pgscore._fire_body(reserved.schedule_id, reserved.guard_hash));
  execute format('revoke execute on function pgscore_sources.%I(timestamp with time zone) from public', reserved.handle);
  execute format('grant execute on function pgscore_sources.%I(timestamp with time zone) to pgscore_reader', reserved.handle);
  return _create_schedule.name;
end
$$;
comment on function pgscore._create_schedule(text, text, text, regclass, text[], name, name, text, jsonb, boolean, text, bigint, text, text,
                                             text, boolean) is
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
  catch_up text default 'latest',
  only_changed boolean default false
) returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  select pgscore._create_schedule($1, $2, $3, $4, case when $7 is not null then array[$7] end, $5, $6, $8, $9, $10, $11, $12, $13, $14, $15,
                                  $16)
$$;
comment on function pgscore.schedule(text, text, text, regclass, name, name, text, text, jsonb, boolean, text, bigint, text, text, text,
                                     boolean) is
'Scores a source again and again, with your rights at each time. Returns the name.
name: of the schedule.  cron: five fields (minute hour day-of-month month day-of-week), read in time_zone, or @hourly, @daily, @weekly, '
'@monthly, @yearly. Where both day fields are restricted, either may match.
model, source, target, target_schema, key, event_time, column_map, publish, rls, error_limit, only_changed: as in score_table(); the '
'source and a bare model name are looked up anew each time.
time_zone: default this session''s; an event_time without a zone is read in it, too. A local time that a clock change leaves out fires at '
'the change; one that comes twice fires once. An expression for every hour (* as its hour) goes on by elapsed time instead.
overlap: skip leaves a fire out while the last run still goes on, queue submits it all the same.  catch_up: after a time without service, '
'latest fires once, all every missed time, skip none.';

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
  catch_up text default 'latest',
  only_changed boolean default false
) returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  select pgscore._create_schedule($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
$$;
comment on function pgscore.schedule(text, text, text, regclass, text[], name, name, text, jsonb, boolean, text, bigint, text, text,
                                     text, boolean) is
'As schedule with a key of one column, for a key of several: key => array[''a'', ''b''].';

create or replace view pgscore.schedules with (security_barrier) as
select s.name, s.cron, s.time_zone, s.model, s.source, s.arguments ->> 'target_schema' || '.' || (s.arguments ->> 'target') as target,
       case when s.paused then 'paused' when s.error is not null then 'broken' else 'active' end as state,
       s.overlap, s.catch_up, f.fire_at as last_fire_at, f.outcome as last_outcome, f.run_id as last_run,
       coalesce(s.error, f.error) as last_error, s.owner, s.created_at,
       case when not s.paused and s.error is null then s.next_fire_at end as next_fire_at
from pgscore_data.schedule s
left join lateral (select * from pgscore_data.schedule_fire f where f.schedule_id = s.schedule_id order by f.fire_at desc limit 1) f on true
where coalesce(pg_has_role(to_regrole(quote_ident(s.owner)), 'usage'), pg_has_role('pgscore_deployer', 'usage'))
   or pg_has_role('pgscore_owner', 'usage') or current_user = 'pgscore_service';
comment on view pgscore.schedules is
  'Your schedules, with what became of the last fire. Deployers see those of roles that left, too, members of pgscore_owner everybody''s.';
comment on column pgscore.schedules.name is 'Name of the schedule, among those of its owner.';
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
select s.name, f.fire_at, f.outcome, f.run_id as run, f.error, f.decided_at, r.state as run_state, s.owner
from pgscore_data.schedule_fire f
join pgscore_data.schedule s using (schedule_id)
left join pgscore_data.run r using (run_id)
where coalesce(pg_has_role(to_regrole(quote_ident(s.owner)), 'usage'), pg_has_role('pgscore_deployer', 'usage'))
   or pg_has_role('pgscore_owner', 'usage');
comment on view pgscore.schedule_history is
  'What became of each fire time of your schedules: submitted, skipped (the last run still went on), missed (no service submitted it in '
  'time) or failed (the submission raised an error).';
comment on column pgscore.schedule_history.name is 'Name of the schedule.';
comment on column pgscore.schedule_history.fire_at is 'The fire time; of run_schedule(), when it was called.';
comment on column pgscore.schedule_history.outcome is 'submitted, skipped, missed or failed.';
comment on column pgscore.schedule_history.run is 'The run that it submitted.';
comment on column pgscore.schedule_history.error is 'Why it was not submitted.';
comment on column pgscore.schedule_history.decided_at is 'When that was decided.';
comment on column pgscore.schedule_history.owner is 'The role whose schedule it is.';
comment on column pgscore.schedule_history.run_state is 'What became of the run: queued, running, done, failed or cancelled.';
