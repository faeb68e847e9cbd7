-- Following, cancelling and cleaning up runs.

create or replace view pgscore.runs with (security_barrier) as
select
  r.run_id as run,
  m.name || '@' || v.number as model,
  r.source_schema || '.' || r.source_name as source,
  t.view_schema || '.' || t.view_name as target,
  r.state,
  case when p.is_scored then 'publishing' else r.phase end as phase,
  p.rows_done,
  p.rows_failed,
  r.rows_expected as rows_total,
  case when p.seconds > 0 then round((p.rows_done / p.seconds)::numeric, 1)::float8 end as rows_per_second,
  case when r.state = 'running' and p.rows_done > 0
    and r.rows_expected >= p.rows_done then make_interval(secs => p.seconds * (r.rows_expected - p.rows_done) / p.rows_done) end as eta,
  r.attempt - r.handed_back as attempt,
  p.cpu_seconds,
  case when p.rows_done > 0 then p.cpu_seconds * 1e6 / p.rows_done end as cpu_seconds_per_million_rows,
  r.error_code,
  r.error,
  r.remedy,
  r.published,
  r.requested_by,
  r.requested_at,
  r.started_at,
  r.finished_at,
  r.snapshot_at,
  s.name as schedule,
  r.fire_at,
  r.watch_id is not null as of_watch,
  r.rows_unchanged,
  r.arm_of,
  r.rows_without_key,
  r.arm_error,
  r.is_replay
from pgscore_data.run r
join pgscore_data.version v using (version_id)
join pgscore_data.model m using (model_id)
left join pgscore_data.target t using (target_id)
left join pgscore_data.schedule s using (schedule_id)
cross join lateral (
  select coalesce(sum(x.rows_done), 0) as rows_done, coalesce(sum(x.rows_failed), 0) as rows_failed
    from pgscore_data.run x where r.experiment_id is not null and x.arm_of = r.run_id and x.experiment_id = r.experiment_id
) a
cross join lateral (
  select
    coalesce(sum(x.rows_done), r.rows_done + a.rows_done)::bigint as rows_done,
    coalesce(sum(x.rows_failed), r.rows_failed + a.rows_failed)::bigint as rows_failed,
    coalesce(sum(x.cpu_seconds), r.cpu_seconds)::float8 as cpu_seconds,
    bool_and(x.state = 'done') as is_scored,
    extract(epoch from coalesce(r.finished_at, clock_timestamp()) - r.started_at)::float8 as seconds
  from pgscore_data.shard x where x.run_id = r.run_id and x.attempt = r.attempt and r.state = 'running'
) p
where pg_has_role(to_regrole(quote_ident(r.requested_by)), 'usage') or pg_has_role('pgscore_owner', 'usage')
   or current_user = 'pgscore_service'
-- security_barrier keeps the ORDER BY and LIMIT of a query out of the view. Without this ORDER BY, the newest 20 runs read all runs.
order by r.run_id desc;
comment on view pgscore.runs is
  'Your runs, with progress while they run and the reason if they failed. Members of pgscore_owner see everybody''s.';
comment on column pgscore.runs.run is 'Number of the run; what score_table() returned.';
comment on column pgscore.runs.model is 'The version that scores, such as churn@3.';
comment on column pgscore.runs.source is 'What is scored.';
comment on column pgscore.runs.target is 'View with the latest predictions.';
comment on column pgscore.runs.state is 'queued, running, done, failed or cancelled.';
comment on column pgscore.runs.phase is 
  'Of a running run: reading while no row is scored, scoring, publishing once a large run has scored all of its rows.';
comment on column pgscore.runs.rows_done is 'Rows scored or failed so far.';
comment on column pgscore.runs.rows_failed is 'Rows that could not be scored; pgscore.run_errors says why.';
comment on column pgscore.runs.rows_total is 'Rows of the source: the planner''s estimate until the run is done, then exact.';
comment on column pgscore.runs.rows_per_second is 'Rows done by seconds since the start.';
comment on column pgscore.runs.eta is 'Time left at this rate.';
comment on column pgscore.runs.attempt is
  'How often the run was tried; it goes up when a service or a connection dies, not when a service is stopped.';
comment on column pgscore.runs.cpu_seconds is 'CPU time of the scorer processes.';
comment on column pgscore.runs.cpu_seconds_per_million_rows is 'What a million rows cost at this rate, in CPU seconds of the scorers.';
comment on column pgscore.runs.error_code is 'Stable code of the reason.';
comment on column pgscore.runs.error is 'Why the run failed.';
comment on column pgscore.runs.remedy is 'What to do about it.';
comment on column pgscore.runs.published is
  'Whether the latest view showed this run; false if its version is not champion, or if a newer snapshot was published before.';
comment on column pgscore.runs.requested_by is 'The role whose rights the run reads with.';
comment on column pgscore.runs.requested_at is 'When it was submitted.';
comment on column pgscore.runs.started_at is 'When a service first began it.';
comment on column pgscore.runs.finished_at is 'When it ended.';
comment on column pgscore.runs.snapshot_at is 'The instant whose rows it scores.';
comment on column pgscore.runs.schedule is 'The schedule that submitted it.';
comment on column pgscore.runs.fire_at is 'The fire time of the schedule.';
comment on column pgscore.runs.of_watch is 'Whether a watch made it, of rows that changed.';
comment on column pgscore.runs.rows_unchanged is 'Rows that had not changed and kept their predictions; NULL for a full run.';
comment on column pgscore.runs.arm_of is
  'In an experiment, the run that this one is a part of. That run counts the rows of this one, too, unless this one is of a shadow.';
comment on column pgscore.runs.rows_without_key is
  'Rows that the champion scored because a column that the experiment splits by was NULL; NULL: no rows were split.';
comment on column pgscore.runs.arm_error is 'Why the champion scored all rows of the run, though an experiment is running.';
comment on column pgscore.runs.is_replay is
  'Whether the run replays the past: its predictions are in the history only, and no metric of live predictions counts them.';

create or replace view pgscore.run_errors with (security_barrier) as
select e.run_id as run, e.key, e.code, e.reason, e.feature, e.input
from pgscore_data.run_error e
join pgscore_data.run r on r.run_id = e.run_id and r.attempt = e.attempt
where pg_has_role(to_regrole(quote_ident(r.requested_by)), 'usage');
comment on view pgscore.run_errors is
  'The rows of your runs that could not be scored, with the reason and the input. As many as the run''s error limit are kept, 10,000 of a '
  'shard at most, for 400 days.';
comment on column pgscore.run_errors.run is 'The run.';
comment on column pgscore.run_errors.key is 'Key of the source row.';
comment on column pgscore.run_errors.code is 'Stable code; the error_code of the prediction.';
comment on column pgscore.run_errors.reason is 'Why the row could not be scored.';
comment on column pgscore.run_errors.feature is 'The feature at fault; NULL if it was none.';
comment on column pgscore.run_errors.input is 'The features of the row as they were read.';

create or replace view pgscore._run_control with (security_barrier) as
select r.run_id, r.state, (r.rows_done + a.rows_done)::bigint as rows_done,
       (r.rows_failed + a.rows_failed)::bigint as rows_failed, r.started_at, r.finished_at, r.error_code, r.error, r.remedy,
       r.published
from pgscore_data.run r
cross join lateral (
  select coalesce(sum(x.rows_done), 0) as rows_done, coalesce(sum(x.rows_failed), 0) as rows_failed
    from pgscore_data.run x where r.experiment_id is not null and x.arm_of = r.run_id and x.experiment_id = r.experiment_id
) a
where pg_has_role(to_regrole(quote_ident(r.requested_by)), 'usage') or pg_has_role('pgscore_owner', 'usage');
comment on view pgscore._run_control is
  'The caller''s runs, for members of pgscore_owner everybody''s, to wait for their end; pgscore.runs has their progress.';

create or replace view pgscore._cancel_request as
select null::bigint as run_id, null::boolean as accepted, null::name as requested_by where false;
comment on view pgscore._cancel_request is
  'Where cancel_run() hands its request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._cancel_request alter column requested_by set default current_user;

create or replace function pgscore_data._accept_cancellation() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  current_state text;
begin
  select r.state into current_state from pgscore_data.run r
   where r.run_id = new.run_id and (pg_has_role(new.requested_by, to_regrole(quote_ident(r.requested_by)), 'usage')
                                    or pg_has_role(new.requested_by, 'pgscore_owner', 'usage'));
  if not found then
    raise exception 'run % does not exist, or is not yours', coalesce(new.run_id::text, 'NULL')
      using errcode = 'undefined_object', hint = 'select run, state from pgscore.runs; lists your runs.';
  end if;
  new.accepted := current_state in ('queued', 'running');
  if new.accepted then
    insert into pgscore_data.cancellation (run_id, requested_by)
    select new.run_id, new.requested_by where not exists (select from pgscore_data.cancellation c where c.run_id = new.run_id);
    -- A locked run is being claimed or cancelled just now: the service ends it.
    update pgscore_data.run r set state = 'cancelled', finished_at = clock_timestamp()
     where r.run_id = (select x.run_id from pgscore_data.run x
                        where x.run_id = new.run_id and x.state = 'queued' for no key update skip locked);
    perform pgscore_data._wake();
  end if;
  return new;
end
$$;
comment on function pgscore_data._accept_cancellation() is
  'Notes that a run is to be stopped. Ends a queued run, and wakes the service to end a running one, which is not locked here.';

create or replace trigger accept instead of insert on pgscore._cancel_request
for each row execute function pgscore_data._accept_cancellation();

create or replace function pgscore.cancel_run(run bigint) returns boolean
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._cancel_request (run_id) values ($1) returning accepted $$;
comment on function pgscore.cancel_run(bigint) is
  'Asks for a run to be stopped once this transaction commits; its predictions are discarded. False if the run had already ended. A run '
  'that is being published at that moment is done all the same.';

create or replace view pgscore.services with (security_barrier) as
select w.service_id as service, w.host, w.pid, w.version,
       case when w.state <> 'stopped' and w.heartbeat_at < clock_timestamp() - interval '30 seconds' then 'lost' else w.state end as state,
       w.scorers, w.started_at, w.heartbeat_at
from pgscore_data.service w;
comment on view pgscore.services is 'The services that share the queue of this database. lost means no sign of life for 30 seconds.';
comment on column pgscore.services.service is 'Identity of the process.';
comment on column pgscore.services.host is 'Name of its host.';
comment on column pgscore.services.pid is 'Its process id on that host.';
comment on column pgscore.services.version is 'Version of pgscore that it runs.';
comment on column pgscore.services.state is 'running, draining (it finishes what it has), paused (a restored copy), stopped or lost.';
comment on column pgscore.services.scorers is 'Scorer processes that it may run.';
comment on column pgscore.services.started_at is 'When it started.';
comment on column pgscore.services.heartbeat_at is 'Its last sign of life.';

create or replace function pgscore._progress(run bigint) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when r.state = 'queued' and not exists (select from pgscore.services w where w.state = 'running')
      then format('run %s waits for a service: none is running (pgscore serve)', $1)
    when r.state = 'queued' then format('run %s waits for its turn', $1)
    else format('run %s: %s of %s rows, %s rows/s%s', $1, r.rows_done, coalesce(r.rows_total::text, '?'),
                coalesce(round(r.rows_per_second::numeric)::text, '?'),
                coalesce(', ' || date_trunc('second', r.eta)::text || ' left', '')) end
  from pgscore.runs r where r.run = $1
$$;
comment on function pgscore._progress(bigint) is 'A line on how far a run is, for whoever waits for it.';

create or replace procedure pgscore.wait_for_run(run bigint, timeout interval default null)
language plpgsql security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
-- A plan made while there were few runs would read all runs each time.
set seq_page_cost = 1000
set jit = off
as $$
declare
  r record;
  began timestamptz := clock_timestamp();
  noticed_at timestamptz := began;
  give_up timestamptz := began + timeout;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'wait_for_run cannot see the run''s progress in a % transaction', current_setting('transaction_isolation') using
      errcode = 'invalid_transaction_state', hint = 'Call it in a READ COMMITTED transaction, or outside of one.';
  end if;
  if pgscore._is_uncommitted(run) then
    raise exception 'run % is not committed yet', run using
      errcode = 'object_not_in_prerequisite_state', detail = 'The service sees a request only after its transaction has committed.',
      hint = format('Commit, then call pgscore.wait_for_run(%s).', run);
  end if;
  loop
    -- Not pgscore.runs: its progress takes a tenth of the time of a one-row run.
    select c.* into r from pgscore._run_control c where c.run_id = run;
    if not found then
      raise exception 'run % does not exist, or is not yours', run
        using errcode = 'undefined_object', hint = 'select run, state from pgscore.runs; lists your runs.';
    end if;
    exit when r.state in ('done', 'failed', 'cancelled');
    if clock_timestamp() > give_up then
      raise exception 'run % is still % after %', run, r.state, timeout
        using errcode = 'query_canceled', hint = 'It goes on. Wait again, or select pgscore.cancel_run(run).';
    end if;
    if clock_timestamp() > noticed_at + interval '1 second' then
      noticed_at := clock_timestamp();
      raise notice '%', pgscore._progress(run);
    end if;
    perform pg_sleep(least(0.1, greatest(0.0005, 0.0025 - extract(epoch from clock_timestamp() - began),
                                         extract(epoch from clock_timestamp() - began) / 100)));
  end loop;
  if r.state = 'failed' then
    raise exception 'run % failed: %', run, r.error
      using errcode = 'external_routine_exception', detail = 'Code: ' || coalesce(r.error_code, 'internal'),
        hint = coalesce(r.remedy, 'select * from pgscore.runs; has the details.');
  elsif r.state = 'cancelled' then
    raise exception 'run % was cancelled', run using errcode = 'query_canceled';
  end if;
  raise notice 'run % is done: % rows, % failed, % rows/s%', run, r.rows_done, r.rows_failed,
    coalesce(round(r.rows_done / nullif(extract(epoch from r.finished_at - r.started_at), 0))::text, '?'),
    case when not r.published then '; the history alone shows its predictions' else '' end;
end
$$;
comment on procedure pgscore.wait_for_run(bigint, interval) is
'Waits for a run to end, with progress as notices; raises the run''s error if it failed. run: what score_table() returned. timeout: how '
'long to wait (default: as long as it takes).';

create or replace function pgscore._is_uncommitted(run bigint) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$ select exists (select from pgscore_data.run r where r.run_id = $1 and r.submitted_xid = pg_current_xact_id_if_assigned()) $$;
comment on function pgscore._is_uncommitted(bigint) is 'Whether a run was submitted by the transaction that asks.';

create or replace view pgscore.targets with (security_barrier) as
select t.view_schema || '.' || t.view_name as target, t.task, t.owner,
       (select string_agg(k ->> 'name' || ' ' || (k ->> 'sql_type'), ', ' order by n)
          from jsonb_array_elements(t.key_columns) with ordinality as x (k, n)) as key,
       t.current_rows as rows, t.current_snapshot_at as snapshot_at, 'pgscore_predictions.target_' || t.target_id as storage, t.created_at,
       t.keep_history
from pgscore_data.target t where pg_has_role(to_regrole(quote_ident(t.owner)), 'usage') or pg_has_role('pgscore_owner', 'usage');
comment on view pgscore.targets is 'Where your predictions are kept.';
comment on column pgscore.targets.target is
  'View with the latest prediction for each key; the view of its name and _history also has those of earlier runs.';
comment on column pgscore.targets.task is 'binary, multiclass, regression, multi_target, multilabel, quantiles or embedding.';
comment on column pgscore.targets.owner is 'The role that owns it.';
comment on column pgscore.targets.key is 'Columns that identify a row, with their types.';
comment on column pgscore.targets.rows is 'Keys in the latest view.';
comment on column pgscore.targets.snapshot_at is 'The instant whose rows the latest view shows.';
comment on column pgscore.targets.storage is 'The partitioned table behind it.';
comment on column pgscore.targets.created_at is 'When it was made.';
comment on column pgscore.targets.keep_history is
  'How long the history shows predictions, as keep_history() set it; NULL: 400 days, and of large runs the newest 40.';
