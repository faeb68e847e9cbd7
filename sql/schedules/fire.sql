-- A schedule fires: the service decides when, and the submission happens as its owner.

create or replace function pgscore._fire(schedule_id int, fire_at timestamptz) returns bigint
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  s record;
  source regclass;
  zone text := current_setting('TimeZone');
  version record;
  problem text;
  submitted bigint;
begin
  select r.* into s from pgscore._schedule_request r where r.schedule_id = _fire.schedule_id;
  if not found then
    raise exception 'schedule % does not exist, or is not yours', schedule_id
      using errcode = 'undefined_object', hint = 'select name from pgscore.schedules; lists yours.';
  end if;
  source := to_regclass(s.source);
  if source is null then
    raise exception 'source % of schedule "%" does not exist any more', s.source, s.name
      using errcode = 'undefined_table', hint = 'Create it again, or select pgscore.unschedule(name).';
  end if;
  version := pgscore._ready_version(s.model);
  select pgscore._other_shape(version.signature, t.task, t.score_unit, t.class_labels, format('%I.%I', t.view_schema, t.view_name))
    into problem
    from pgscore._target_request t where t.view_schema = s.arguments ->> 'target_schema' and t.view_name = s.arguments ->> 'target';
  if problem is not null then
    raise exception 'schedule "%" cannot write to its target: % does not fit it: %', s.name, version.version_name, problem using
      errcode = 'datatype_mismatch',
      hint = format('A deployer can go back to a version that fits: %s or end the schedule, select pgscore.unschedule(%L); and make it '
                    'anew with another target.',
        case when split_part(s.model, '@', 2) in ('', 'champion') then format('select pgscore.rollback(%L);', split_part(s.model, '@', 1))
          else format('select pgscore.set_alias(''%s@N'', %L);', split_part(s.model, '@', 1), split_part(s.model, '@', 2)) end, s.name);
  end if;
  perform set_config('TimeZone', s.time_zone, true);
  submitted := pgscore._submit_run(s.model, source, (s.arguments ->> 'target')::name, (s.arguments ->> 'target_schema')::name,
    case when jsonb_typeof(s.arguments -> 'key') = 'array' then array(select jsonb_array_elements_text(s.arguments -> 'key')) end,
    s.arguments ->> 'event_time', nullif(s.arguments -> 'column_map', 'null'), (s.arguments ->> 'publish')::boolean, s.arguments ->> 'rls',
    (s.arguments ->> 'error_limit')::bigint,
    _fire.schedule_id, _fire.fire_at, coalesce((s.arguments ->> 'only_changed')::boolean, false));
  perform set_config('TimeZone', zone, true);
  return submitted;
end
$$;
comment on function pgscore._fire(int, timestamptz) is
  'Submits the run of one fire time, as the schedule''s owner. NULL where the overlap rule skips it.';

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
  if s.overlap = 'skip' and exists (select from pgscore_data.run r where r.schedule_id = this_schedule and r.state in ('queued', 'running'))
    then
    insert into pgscore_data.schedule_fire (schedule_id, fire_at, outcome, error)
      values (this_schedule, this_fire, 'skipped', 'the last run still goes on');
    return null;
  end if;
  insert into pgscore_data.schedule_fire (schedule_id, fire_at, outcome) values (this_schedule, this_fire, 'submitted');
  return 0;
end
$$;
comment on function pgscore_data._claim_fire(int, timestamptz, name) is
  'Claims a fire time in the transaction that submits its run: the primary key lets one of ten services through. NULL where the overlap '
  'rule skips it.';

create or replace function pgscore_data._drop_namesakes(handle name, arguments text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
declare
  namesake regprocedure;
begin
  for namesake in
    select p.oid from pg_proc p where p.pronamespace = 'pgscore_sources'::regnamespace and p.proname = handle
       and oidvectortypes(p.proargtypes) <> arguments
  loop
    execute format('drop routine %s cascade', namesake);
  end loop;
end
$$;
comment on function pgscore_data._drop_namesakes(name, text) is
'Drops what somebody has put beside a function of pgscore_sources under its name: with defaults for its other arguments it would make '
'every call of that function ambiguous.';

create or replace function pgscore_data._owner_function(handle name, owner name, body text) returns text
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  select pgscore_data._drop_namesakes(handle, 'timestamp with time zone');
  select concat_ws('/', p.oid, p.xmin, p.ctid)
    from pg_proc p join pg_roles o on o.oid = p.proowner join pg_language l on l.oid = p.prolang
   where p.proname = handle and p.pronamespace = 'pgscore_sources'::regnamespace and p.pronargs = 1
     and p.proargtypes[0] = 'timestamptz'::regtype and o.rolname = owner and l.lanname = 'sql'
     and p.prosecdef and p.prokind = 'f' and not p.proretset and p.prorettype = 'int8'::regtype
     and p.proconfig = array['search_path=pg_catalog, pg_temp'] and p.prosqlbody is null and p.prosrc = body
$$;
comment on function pgscore_data._owner_function(name, name, text) is
'Which version of a function by which the service acts as a role stands there, if it is as pgscore made it; NULL where its owner dropped '
'or changed it. Changed again and back, it is another version.';

create or replace function pgscore_data._fire_function(this_schedule int) returns text
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select pgscore_data._owner_function(s.handle, s.owner,
                                      pgscore._fire_body(s.schedule_id, encode(sha256(convert_to(s.guard_key, 'UTF8')), 'hex')))
    from pgscore_data.schedule s where s.schedule_id = this_schedule
$$;
comment on function pgscore_data._fire_function(int) is
  'Which version of a schedule''s function stands there; NULL where it is not as made.';
