-- Planning a watch as its owner: when it is made, when its version or the arms beside it change, and when the catalogue changes.

create or replace view pgscore._renewal_request as
select null::int as watch_id, null::int as version_id, null::jsonb as plan, null::bigint as handle_id, null::bigint as scan_handle_id,
       null::name as requested_by
 where false;
comment on view pgscore._renewal_request is
  'Where the plan of a watch is handed over: requested_by is the caller, and nobody can write it.';
alter view pgscore._renewal_request alter column requested_by set default current_user;

create or replace function pgscore._hash_column(columns jsonb) returns jsonb
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('name', 'pgscore_hash', 'role', 'hash', 'type', 'raw', 'width', 1, 'sql_type', 'bigint',
                            'of', jsonb_path_query_array(columns, '$[*] ? (@.role != "key" && @.role != "split")'))
$$;
comment on function pgscore._hash_column(jsonb) is 'The last column of the plan of a watch: a hash of all that a row has beside its key.';

create or replace function pgscore._other_shape(signature jsonb, task text, score_unit text, class_labels text[], target text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
return (
  select case
           when n.task <> _other_shape.task or n.unit is distinct from score_unit
             then format('its task is %s, and %s holds %s', concat_ws(' ', n.task, n.unit), target,
                         concat_ws(' ', _other_shape.task, score_unit))
           when n.names <> class_labels
             then format('it says %s, and %s holds %s', array_to_string(n.names[:10], ', '), target,
                         array_to_string(class_labels[:10], ', ')) end
    from (select signature ->> 'task' as task, signature -> 'outputs' -> 'margins' ->> 'unit' as unit,
                 pgscore._output_names(signature) as names) n);
comment on function pgscore._other_shape(jsonb, text, text, text[], text) is
  'Why the predictions of a version cannot go on into a target, by its task and classes; NULL where they can.';

create or replace function pgscore_data._accept_renewal() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  w pgscore_data.watch;
  t pgscore_data.target;
  signature jsonb := (select v.signature from pgscore_data.version v where v.version_id = new.version_id and v.state = 'ready');
  kept_plan jsonb;
  this_plan bigint;
  keys jsonb;
  problem text;
begin
  select * into w from pgscore_data.watch x where x.watch_id = new.watch_id and x.owner = new.requested_by for no key update;
  select * into t from pgscore_data.target x where x.target_id = w.target_id;
  if pgscore._may_score(new.requested_by, new.version_id) then
    problem := pgscore._other_shape(signature, t.task, t.score_unit, t.class_labels, format('%I.%I', t.view_schema, t.view_name));
  end if;
  if problem is not null then
    raise exception '% does not fit the watch: %', pgscore_models._version_name(new.version_id), problem using
      errcode = 'object_not_in_prerequisite_state',
      hint = format('Roll back: select pgscore.rollback(%L); or watch into another target, and end this watch: select pgscore.unwatch(%L);',
                    split_part(pgscore_models._version_name(new.version_id), '@', 1), format('%I.%I', t.view_schema, t.view_name));
  end if;
  keys := (select jsonb_agg(jsonb_build_object('name', c ->> 'name', 'sql_type', c ->> 'sql_type') order by n)
             from jsonb_path_query(new.plan, '$.columns[*]') with ordinality as x (c, n) where c ->> 'role' = 'key');
  if keys <> t.key_columns then
    raise exception 'the key of % is % now, and %.% has predictions by %', w.source,
      (select string_agg(concat_ws(' ', k ->> 'name', k ->> 'sql_type'), ', ') from jsonb_array_elements(keys) k),
      t.view_schema, t.view_name,
      (select string_agg(concat_ws(' ', k ->> 'name', k ->> 'sql_type'), ', ') from jsonb_array_elements(t.key_columns) k)
      using errcode = 'datatype_mismatch',
      hint = format('End this watch, and watch into another target: select pgscore.unwatch(%L);',
                    format('%I.%I', t.view_schema, t.view_name));
  end if;
  if w.watch_id is null or not pgscore_data._plan_fits(new.plan, signature, t) is true
    or not pgscore_data._arms_fit(new.plan, new.version_id)
    or (select count(*) from pgscore_data.handle h
         where h.handle_id in (new.handle_id, new.scan_handle_id) and h.owner = new.requested_by) <> 2
  then
    raise exception 'the plan does not fit the watch' using errcode = 'invalid_parameter_value', hint = 'Watch with pgscore.watch().';
  elsif not pgscore._may_score(new.requested_by, new.version_id) then
    raise exception 'the model is not granted to "%"', new.requested_by using errcode = 'insufficient_privilege',
      hint = format('A pgscore_deployer can grant it: select pgscore.grant_model(model, %L);', new.requested_by);
  end if;
  kept_plan := jsonb_set(new.plan, '{columns}', (new.plan -> 'columns') || pgscore._hash_column(new.plan -> 'columns')) - 'pages' - 'rows';
  select p.plan_id into this_plan from pgscore_data.known_plan p
   where p.plan_id = w.plan_id and p.version_id = new.version_id and p.handle_id = new.handle_id and p.plan = kept_plan;
  if not found then
    insert into pgscore_data.known_plan (owner, version_id, target_id, handle_id, plan)
    values (new.requested_by, new.version_id, w.target_id, new.handle_id, kept_plan) returning plan_id into this_plan;
  end if;
  if w.error is not null then
    -- The comparison below sees all that these keys tell of, and they may be what could not be read.
    delete from pgscore_data.watch_change c where c.watch_id = w.watch_id;
  end if;
  update pgscore_data.watch x
     set plan_id = this_plan, scan_handle_id = new.scan_handle_id, version_id = new.version_id,
         -- Whatever brought this about: what differs now is found by a comparison.
         compare_after = case when w.on_promote = 'keep' and w.is_complete and x.error is null and x.version_id <> new.version_id
                           then x.compare_after else least(x.compare_after, clock_timestamp()) end,
         retry_at = least(x.retry_at, clock_timestamp()), error_code = null, error = null, remedy = null
   where x.watch_id = w.watch_id;
  return new;
end
$$;
comment on function pgscore_data._accept_renewal() is 'Stores how a watch reads its source, and asks for it to be compared.';

create or replace trigger accept instead of insert on pgscore._renewal_request
for each row execute function pgscore_data._accept_renewal();

create or replace function pgscore_data._warn_of_targets(this_version int, this_alias text, way_back text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  stopped text;
  ends text;
begin
  select string_agg(format('%s (%s)', x.name, p.problem), '; ' order by x.name), string_agg(x.command, ' ' order by x.name)
    into stopped, ends
    from pgscore_data.version v
    join pgscore_data.model m using (model_id)
   cross join lateral (
     select 'watch of ' || y.target as name, format('select pgscore.unwatch(%L);', y.target) as command, w.target_id
       from pgscore_data.watch w
       join (select t.target_id, format('%I.%I', t.view_schema, t.view_name) as target from pgscore_data.target t) y using (target_id)
      where w.model_id = m.model_id and w.alias = this_alias
     union all
     select format('schedule %I', s.name), format('select pgscore.unschedule(%L);', s.owner || '.' || s.name), y.target_id
       from pgscore_data.schedule s
       join pgscore_data.target y on y.view_schema = s.arguments ->> 'target_schema' and y.view_name = s.arguments ->> 'target'
      where s.model in (m.name || '@' || this_alias, case this_alias when 'champion' then m.name end)) x
    join pgscore_data.target t using (target_id)
   cross join lateral pgscore._other_shape(v.signature, t.task, t.score_unit, t.class_labels,
                                           format('%I.%I', t.view_schema, t.view_name)) p (problem)
   where v.version_id = this_version and p.problem is not null;
  -- A name with line breaks would pass for further lines of the warning.
  stopped := regexp_replace(stopped, '[[:cntrl:]]', ' ', 'g');
  ends := regexp_replace(ends, '[[:cntrl:]]', ' ', 'g');
  if stopped is not null then
    raise warning '% stops what writes to targets that it does not fit: %', pgscore_models._version_name(this_version), stopped using
      hint = format('Go back: %s or let their owners end them, and begin them anew with other targets: %s Their targets stay as they are.',
                    way_back, ends);
  end if;
end
$$;
comment on function pgscore_data._warn_of_targets(int, text, text) is
'Warns of the watches and schedules of an alias whose targets hold predictions of another task or other classes than its new version. '
'way_back: the statement that undoes the change.';

create or replace function pgscore._plan_watch(w pgscore._watch_request) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  version record := pgscore._ready_version(w.model);
  source regclass := to_regclass(w.source);
  plan jsonb;
  keys jsonb;
  hash jsonb;
  strange text;
begin
  if source is null then
    raise exception 'source % of the watch does not exist any more', w.source using
      errcode = 'undefined_table', hint = 'Create it again, or watch another: select pgscore.watch(…).';
  end if;
  plan := pgscore._plan_source(source, version.signature, array(select jsonb_array_elements_text(w.arguments -> 'key')),
    w.arguments ->> 'event_time', nullif(w.arguments -> 'column_map', 'null'), pgscore._segments_of(version.version_id));
  keys := jsonb_path_query_array(plan -> 'columns', '$[*] ? (@.role == "key")');
  select k ->> 'name' into strange
    from jsonb_array_elements(keys) k where pgscore._key_family(to_regtype(k ->> 'sql_type')) is null limit 1;
  if strange is not null then
    raise exception 'a watch cannot be keyed by "%"', strange using errcode = 'datatype_mismatch',
      hint = 'A key of a watch is an integer, text, uuid, date, timestamp, numeric or boolean. Watch a view that casts it.';
  end if;
  plan := pgscore._plan_arms(plan, source, w.model, version.version_id, nullif(w.arguments -> 'column_map', 'null'), false)
    || '{"kind": "stream"}';
  hash := pgscore._hash_column(plan -> 'columns');
  insert into pgscore._renewal_request (watch_id, version_id, plan, handle_id, scan_handle_id)
  values (w.watch_id, version.version_id, plan,
    pgscore._ensure_handle(plan || jsonb_build_object('by_key', true, 'columns', (plan -> 'columns') || hash)),
    pgscore._ensure_handle(plan || jsonb_build_object('columns', keys || hash
      || jsonb_path_query_array(plan -> 'columns', '$[*] ? (@.role == "split")'))));
end
$$;
comment on function pgscore._plan_watch(pgscore._watch_request) is
  'Plans how a watch reads its source, by key and whole, as the caller.';

create or replace function pgscore._refuse_clock(source regclass, capture text, rescore_every interval) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  clock constant text := case when capture = 'triggers' and rescore_every is null then pgscore._clock_expression(source) end;
begin
  if clock is not null then
    raise exception 'source % changes with the clock: it uses %', source, clock using errcode = 'invalid_parameter_value',
      hint = 'Watch again, and say how often it is to be compared whole: rescore_every => ''1 day''.';
  end if;
end
$$;
comment on function pgscore._refuse_clock(regclass, text, interval) is
  'Refuses to follow a source by triggers alone whose value changes without a change of a table.';

create or replace function pgscore._renew_watch(watch_id int) returns bigint
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  w pgscore._watch_request;
  zone text := current_setting('TimeZone');
  refused text;
  given record;
begin
  select r.* into w from pgscore._watch_request r where r.watch_id = _renew_watch.watch_id;
  if not found then
    raise exception 'watch % does not exist, or is not yours', watch_id using
      errcode = 'undefined_object', hint = 'select target from pgscore.watches; lists yours.';
  end if;
  perform set_config('TimeZone', w.arguments ->> 'time_zone', true);
  perform pgscore._plan_watch(w);
  perform set_config('TimeZone', zone, true);
  perform pgscore._refuse_clock(to_regclass(w.source), w.capture, w.rescore_every);
  if w.capture = 'triggers' then
    select t ->> 'table' into refused from jsonb_array_elements(w.tables) t where to_regclass(t ->> 'table') is null limit 1;
    if found then
      raise exception 'table % of the watch does not exist any more', refused using
        errcode = 'undefined_table', hint = 'Create it again, or name others: select pgscore.watch(…, on_change_of => …).';
    end if;
    refused := pgscore._may_capture(w.tables);
    if refused is not null then
      raise exception 'changes cannot be captured: %', refused using errcode = 'insufficient_privilege',
        hint = 'Grant TRIGGER on it, or watch with capture => ''poll''.';
    end if;
    for given in select to_regclass(t ->> 'table') as relation, array(select jsonb_array_elements_text(t -> 'key')) as key
      from jsonb_array_elements(w.tables) t loop
      perform pgscore._capture_table('watch', watch_id, given.relation, given.key);
    end loop;
  end if;
  insert into pgscore._watch_command (action, watch_id) values ('planned', watch_id);
  return watch_id;
end
$$;
comment on function pgscore._renew_watch(int) is
  'Plans a watch of the caller anew and puts its triggers where they are missing, in one transaction.';

create or replace function pgscore_data._replan_watches() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update pgscore_data.watch w set shape = null, compare_after = clock_timestamp()
    from pgscore_data.experiment e
   where e.experiment_id = new.experiment_id and w.model_id = e.model_id and w.alias = 'champion';
  perform pgscore_data._wake('watch');
  return null;
end
$$;
comment on function pgscore_data._replan_watches() is
  'Has the watches of a champion planned and compared anew when the arms beside it change: rows of other arms are scored again.';

create or replace trigger replan_watches after insert or update of buckets on pgscore_data.experiment_arm
for each row execute function pgscore_data._replan_watches();
create or replace trigger replan_watches after update of stopped_at on pgscore_data.experiment
for each row execute function pgscore_data._replan_watches();
