-- Asking for a table to be scored.

create or replace view pgscore._run_request with (security_barrier) as
select r.run_id, r.version_id, r.target_id, r.source_schema, r.source_name, r.source_kind, r.handle_id, r.plan, r.rls,
       r.publish, r.error_limit,
       r.schedule_id, r.fire_at, r.requested_by, r.plan_id, r.pages, r.rows_expected, null::text as plan_digest, r.only_changed, r.is_replay
from pgscore_data.run r where r.requested_by = current_user;
comment on view pgscore._run_request is 'Where score_table() hands its request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._run_request alter column requested_by set default current_user;

create or replace function pgscore_data._plan_fits(plan jsonb, signature jsonb, t pgscore_data.target) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- _arms_fit() checks what only the arms of an experiment read.
  columns jsonb := jsonb_path_query_array(plan -> 'columns', '$[*] ? (@.role != "split" && !exists (@.of_arm))');
  features jsonb := signature -> 'features';
  keys int := jsonb_array_length(t.key_columns);
  before int := keys + case columns -> keys ->> 'role' when 'event_time' then 1 else 0 end;
  segments int := (select count(*) from jsonb_array_elements(columns) c where c ->> 'role' = 'segment');
begin
  if octet_length(plan::text) > 1048576 then
    raise exception 'the plan of how the source is read is longer than 1 MB' using errcode = 'program_limit_exceeded',
      hint = 'Score a view of fewer columns, with shorter names.';
  end if;
  return coalesce(
     plan ->> 'pages' ~ '^[0-9]{1,15}$'
     and signature ->> 'task' = t.task and pgscore._output_names(signature) = t.class_labels
     and signature -> 'outputs' -> 'margins' ->> 'unit' is not distinct from t.score_unit
     and jsonb_array_length(columns) = before + jsonb_array_length(features) + segments and segments <= 8
     and (columns -> keys ->> 'name') is not null
     and (select jsonb_agg(jsonb_build_object('name', columns -> k ->> 'name', 'sql_type', columns -> k ->> 'sql_type') order by k)
       from generate_series(0, keys - 1) k where columns -> k ->> 'role' = 'key') = t.key_columns
     and (
       select bool_and(case when n > before + jsonb_array_length(features) then
         coalesce(c ->> 'role' = 'segment' and (c ->> 'name') is not null and (c ->> 'segment') is not null, false) else coalesce(
           c ->> 'role' = 'feature' and (c ->> 'name') is not null and c ->> 'feature' = features -> (n - before - 1)::int ->> 'name'
           and c ->> 'width' = features -> (n - before - 1)::int ->> 'width'
           and c -> 'shape' is not distinct from features -> (n - before - 1)::int -> 'shape'
           and pgscore._cast_allowed(c ->> 'type', features -> (n - before - 1)::int ->> 'type', (c ->> 'width')::int), false) end)
         from jsonb_array_elements(columns) with ordinality as x (c, n) where n > before),
     false);
end
$$;
comment on function pgscore_data._plan_fits(jsonb, jsonb, pgscore_data.target) is
  'Whether score_table() makes such a plan for this version and target. The service reads by the plan, and a caller may have written it.';

create or replace function pgscore_data._target_of_request(r pgscore._run_request) returns pgscore_data.target
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  t pgscore_data.target;
begin
  select * into t from pgscore_data.target x where x.target_id = r.target_id
    and pg_has_role(r.requested_by, to_regrole(quote_ident(x.owner)), 'usage') for key share;
  if not found then
    raise exception 'the target belongs to another role'
      using errcode = 'insufficient_privilege', hint = 'Submit runs with pgscore.score_table().';
  elsif t.is_replay <> coalesce(r.is_replay, false) then
    raise exception 'live predictions and replays are never in one target'
      using errcode = 'object_not_in_prerequisite_state', hint = 'Choose another target.';
  elsif exists (select from pgscore_data.watch w where w.target_id = t.target_id) then
    raise exception 'target %.% is watched', t.view_schema, t.view_name using errcode = 'object_in_use',
      hint = format('Its watch keeps it up to date. Choose another target, or select pgscore.unwatch(%L) first.',
                    format('%I.%I', t.view_schema, t.view_name));
  end if;
  return t;
end
$$;
comment on function pgscore_data._target_of_request(pgscore._run_request) is
  'Returns the target of a run, locked against being dropped. Raises if the run may not write to it.';

create or replace function pgscore_data._fitting_plan(r pgscore._run_request, signature jsonb, t pgscore_data.target) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  fitting jsonb;
begin
  if r.plan_id is null then
    fitting := case when pgscore_data._plan_fits(r.plan, signature, t) and pgscore_data._arms_fit(r.plan, r.version_id) then r.plan end;
  elsif coalesce(r.pages, 0) between 0 and 4294967295 and coalesce(r.rows_expected, 0) >= 0 then
    fitting := (select k.plan from pgscore_data.known_plan k
                 where k.plan_id = r.plan_id
                   and (k.owner, k.version_id, k.target_id, k.handle_id) = (r.requested_by, r.version_id, r.target_id, r.handle_id));
  end if;
  if fitting is null then
    raise exception 'the plan does not fit the version and the target'
      using errcode = 'invalid_parameter_value', hint = 'Submit runs with pgscore.score_table().';
  end if;
  return fitting;
end
$$;
comment on function pgscore_data._fitting_plan(pgscore._run_request, jsonb, pgscore_data.target) is
  'The plan of a run: its own, or that of an earlier run. Raises if it does not fit.';

create or replace function pgscore_data._accept_run() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  signature jsonb;
  this_model int;
  model text;
  segments text[];
  fitting jsonb;
  t pgscore_data.target;
begin
  select v.signature, m.model_id, m.name, nullif(o.segments, '{}') into signature, this_model, model, segments
    from pgscore_data.version v join pgscore_data.model m using (model_id) left join pgscore_data.monitor o using (model_id)
      where v.version_id = new.version_id and v.state = 'ready';
  if not found then
    raise exception 'the version is not ready' using errcode = 'object_not_in_prerequisite_state',
      hint = 'Submit runs with pgscore.score_table().';
  end if;
  if not pgscore._may_score(new.requested_by, new.version_id) then
    raise exception 'model "%" is not granted to "%"', model, new.requested_by using errcode = 'insufficient_privilege',
      hint = format('A pgscore_deployer can grant it: select pgscore.grant_model(%L, %L);', model, new.requested_by);
  end if;
  if not exists (select from pgscore_data.handle h where h.handle_id = new.handle_id and h.owner = new.requested_by) then
    raise exception 'the read handle belongs to another role'
      using errcode = 'insufficient_privilege', hint = 'Submit runs with pgscore.score_table().';
  end if;
  t := pgscore_data._target_of_request(new);
  fitting := pgscore_data._fitting_plan(new, signature, t);
  if new.schedule_id is not null then
    new.run_id := pgscore_data._claim_fire(new.schedule_id, new.fire_at, new.requested_by);
    if new.run_id is null then
      return new;
    end if;
  end if;
  if new.plan_id is null then
    new.pages := (new.plan ->> 'pages')::bigint;
    new.rows_expected := (new.plan ->> 'rows')::numeric::bigint;
    insert into pgscore_data.known_plan (owner, plan_digest, version_id, target_id, handle_id, plan)
    select new.requested_by, new.plan_digest, new.version_id, new.target_id, new.handle_id, new.plan - 'pages' - 'rows'
     where new.plan_digest is not null;
    perform pgscore_data._notice_unjudged(this_model, model, new.requested_by, t.target_id);
  end if;
  -- A replay begins as counted and kept: no refresh counts its predictions as live ones.
  insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, handle_id, plan, plan_id,
    pages, rls, publish, error_limit, schedule_id, fire_at, rows_expected, segments, only_changed, experiment_id, arm_error,
    is_replay, counted, kept)
  values (new.requested_by, new.version_id, new.target_id, new.source_schema, new.source_name, new.source_kind, new.handle_id,
    case when new.plan_id is null then new.plan end, new.plan_id, coalesce(new.pages, 0),
          coalesce(new.rls, 'error'), not t.is_replay and new.publish, new.error_limit, new.schedule_id, new.fire_at, new.rows_expected,
          case when not t.is_replay then segments end, not t.is_replay and coalesce(new.only_changed, false),
          case when not t.is_replay then (fitting ->> 'experiment')::int end, fitting ->> 'arm_error',
          t.is_replay, t.is_replay, t.is_replay)
  returning run_id into new.run_id;
  if t.is_replay then
    perform pgscore_data._begin_replay(new, t);
  elsif fitting ? 'experiment' then
    perform pgscore_data._begin_shadows(new.run_id);
  end if;
  if new.schedule_id is not null then
    update pgscore_data.schedule_fire f set run_id = new.run_id where f.schedule_id = new.schedule_id and f.fire_at = new.fire_at;
  end if;
  perform pgscore_data._wake('run');
  return new;
end
$$;
comment on function pgscore_data._accept_run() is
'Checks that the requester may use the model, that handle and target are the requester''s, queues the run and wakes the service.';

create or replace trigger accept instead of insert on pgscore._run_request
for each row execute function pgscore_data._accept_run();

create or replace function pgscore._refuse_run_options(rls text, error_limit bigint) returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if rls is null or rls not in ('error', 'filter') then
    raise exception 'rls => % is not known', coalesce(quote_literal(rls), 'NULL') using
      errcode = 'invalid_parameter_value',
      hint = '''error'' fails the run if a policy would hide rows; ''filter'' scores the rows that you may see.';
  end if;
  if error_limit < 0 then
    raise exception 'error_limit => % is negative', error_limit
      using errcode = 'invalid_parameter_value', hint = 'It is the number of failed rows beyond which the run fails.';
  end if;
end
$$;
comment on function pgscore._refuse_run_options(text, bigint) is 'Raises if a run cannot have such options.';

create or replace function pgscore._submit_run(
  model text, source regclass, target name, target_schema name, key text[], event_time text, column_map jsonb,
  publish boolean, rls text, error_limit bigint, schedule_id int, fire_at timestamptz, only_changed boolean default false
) returns bigint
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
-- These statements look up by key. To plan them for each value took a fifth of the call.
set plan_cache_mode = force_generic_plan
as $$
declare
  version record := pgscore._ready_version(model);
  wanted record;
  known record;
  segments text[] := pgscore._segments_of(version.version_id);
  experiment int := (pgscore._experiment_of(model, version.version_id)).experiment_id;
  plan jsonb;
  target_id int;
  submitted bigint;
begin
  perform pgscore._refuse_run_options(rls, error_limit);
  select * into wanted from pgscore._plan_digest(source, version.version_id, target_schema, target, key, event_time, column_map, segments,
                                                   experiment);
  select * into known from pgscore._known_plan k where k.plan_digest = wanted.plan_digest order by k.plan_id desc limit 1;
  -- The read handle of a known plan, or a view of its target, may be gone.
  if found and pgscore._handle_is_sole(known.handle_name)
    and to_regclass(format('%I.%I', known.view_schema, known.view_name)) is not null
    and to_regclass(format('%I.%I', known.view_schema, known.view_name || '_history')) is not null then
    insert into pgscore._run_request (version_id, target_id, source_schema, source_name, source_kind, handle_id, plan_id, pages,
      rows_expected, rls, publish, error_limit, schedule_id, fire_at, only_changed)
    values (version.version_id, known.target_id, known.source_schema, known.source_name, known.source_kind, known.handle_id,
      known.plan_id, wanted.pages, wanted.rows, rls, publish, error_limit, schedule_id, fire_at, only_changed)
    returning run_id into submitted;
    return submitted;
  end if;
  plan := pgscore._plan_source(source, version.signature, key, event_time, column_map, segments);
  if experiment is not null then
    plan := pgscore._plan_arms(plan, source, model, version.version_id, column_map, schedule_id is null);
  end if;
  target_id := pgscore._ensure_target(
    coalesce(target_schema, 'public'), coalesce(target, (plan ->> 'name') || '_scores'), version.signature,
    jsonb_path_query_array(plan -> 'columns', '$[*] ? (@.role == "key")'));
  insert into pgscore._run_request (version_id, target_id, source_schema, source_name, source_kind, handle_id, plan, plan_digest, rls,
    publish, error_limit, schedule_id, fire_at, only_changed)
  values (version.version_id, target_id, plan ->> 'schema', plan ->> 'name', plan ->> 'kind', pgscore._ensure_handle(plan), plan,
    wanted.plan_digest, rls, publish, error_limit, schedule_id, fire_at, only_changed)
  returning run_id into submitted;
  return submitted;
end
$$;
comment on function pgscore._submit_run(text, regclass, name, name, text[], text, jsonb, boolean, text, bigint, int, timestamptz,
                                        boolean) is
'Plans a run as the caller, or takes the plan of an earlier run, and queues the run.
Returns the run, or NULL if the overlap rule of a schedule skips it.';

create or replace function pgscore.score_table(
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
  only_changed boolean default false
) returns bigint
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  select pgscore._submit_run($1, $2, $3, $4, case when $5 is not null then array[$5] end, $6, $7, $8, $9, $10, null, null, $11)
$$;
comment on function pgscore.score_table(text, regclass, name, name, text, text, jsonb, boolean, text, bigint, boolean) is
'Asks for every row of a source to be scored and returns the run. The service picks it up at commit;
call pgscore.wait_for_run(run) waits for it.
model: churn (its champion), churn@3 or churn@challenger.
source: a table, partitioned table, view, materialised or foreign table; its columns are matched to the model''s features by name.
target: name of the view with the latest prediction for each key (default: the source''s name and _scores);
<target>_history also shows those of earlier runs: of large ones the newest 40, of the last 400 days, or as keep_history() says.
Made on first use, owned by you.
target_schema: where (default: your current schema).
key: the column that identifies a row (default: the primary key); a key of several columns is given as an array.
event_time: the column that says what time a prediction is for (default: the time of the snapshot);
one without a time zone is read in your session''s.
column_map: columns for features that have another name, as {"feature": "column"}.
publish: true shows the predictions of a version that is not champion as the latest ones; false keeps them to the history.
rls: error fails the run if a row-level policy would hide rows; filter scores the rows that you may see.
error_limit: failed rows beyond which the run fails (default: the larger of 1 % and 1,000).
only_changed: true scores the rows that are new or changed since the last such run into the target, and removes the predictions of
rows that are gone; other rows keep theirs. All rows are scored if there was no such run, or if another version made it.';

create or replace function pgscore.score_table(
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
  only_changed boolean default false
) returns bigint
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  select pgscore._submit_run($1, $2, $4, $5, $3, $6, $7, $8, $9, $10, null, null, $11)
$$;
comment on function pgscore.score_table(text, regclass, text[], name, name, text, jsonb, boolean, text, bigint, boolean) is
'As score_table with a key of one column, for a key of several: key => array[''a'', ''b''].';
