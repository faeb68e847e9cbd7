-- The shadow of calls: an arm scores what the champion answered, from the log, after the caller has the answer.

create or replace function pgscore_data._queue_for_shadows() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pgscore_data.shadow_batch (experiment_id, version_id, first_id, batch_id, last_id, written_by, n_predictions)
  select e.experiment_id, a.version_id, new.first_id, new.batch_id, new.last_id, new.written_by, new.n_predictions
    from pgscore_data.experiment e join pgscore_data.experiment_arm a using (experiment_id)
   where e.model_id = (select v.model_id from pgscore_data.version v where v.version_id = new.version_id) and e.stopped_at is null
     and e.kind = 'shadow' and e.champion_version_id = new.version_id
     -- A transaction keeps calls, or what shadows say of calls.
     and not exists (select from pgscore_data.online_block y where y.prediction_id = new.last_id and y.is_shadow);
  return null;
end
$$;
comment on function pgscore_data._queue_for_shadows() is 'Queues calls that were just kept for the arms in the shadow of their version.';

create or replace trigger queue_for_shadows after update of last_id on pgscore_data.online_batch
for each row when (new.n_predictions > 0 and old.last_id is null) execute function pgscore_data._queue_for_shadows();

create or replace function pgscore_data._take_shadow_batches(
  this_experiment int, this_version int, batches bigint[], out taken int, out predictions bigint
)
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with gone as (
    delete from pgscore_data.shadow_batch b
     where b.experiment_id = this_experiment and b.version_id = this_version and b.batch_id = any (batches)
    returning b.n_predictions
  )
  select count(*)::int, coalesce(sum(g.n_predictions), 0)::bigint from gone g;
end;
comment on function pgscore_data._take_shadow_batches(int, int, bigint[]) is
  'Takes batches of calls out of those that wait for an arm; returns how many there were, with how many predictions.';

create or replace function pgscore_data._next_shadow_batches(this_experiment int, this_version int) returns bigint[]
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select array_agg(n.batch_id)
    from (select b.batch_id, sum(b.n_predictions) over (order by b.first_id, b.batch_id) - b.n_predictions as before
            from (select x.* from pgscore_data.shadow_batch x
                   where x.experiment_id = this_experiment and x.version_id = this_version
                   order by x.first_id, x.batch_id limit 100) b) n
   where n.before < 1000;
end;
comment on function pgscore_data._next_shadow_batches(int, int) is 'The batches of calls that an arm scores next: those that wait longest.';

create or replace function pgscore_data._skip_shadow_batches(this_experiment int, this_version int, batches bigint[], reason text)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  update pgscore_data.experiment_arm a
     set calls_skipped = a.calls_skipped + t.predictions, calls_error = reason, calls_error_at = clock_timestamp()
    from pgscore_data._take_shadow_batches(this_experiment, this_version, batches) t
   where a.experiment_id = this_experiment and a.version_id = this_version;
end;
comment on function pgscore_data._skip_shadow_batches(int, int, bigint[], text) is 'Gives batches of calls up, and counts them.';

create or replace function pgscore_data._skip_past_backlog() returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  most constant int := 100000;
  past_backlog record;
begin
  for past_backlog in
    select n.experiment_id, n.version_id, array_agg(n.batch_id) as batches
      from (select b.*, sum(b.n_predictions) over w as predictions from pgscore_data.shadow_batch b
            window w as (partition by b.experiment_id, b.version_id order by b.first_id, b.batch_id)) n
     where n.predictions > most group by 1, 2 order by 1, 2
  loop
    perform pgscore_data._skip_shadow_batches(past_backlog.experiment_id, past_backlog.version_id, past_backlog.batches,
                                              format('more than %s predictions were waiting: newer calls are skipped', most));
  end loop;
end
$$;
comment on function pgscore_data._skip_past_backlog() is
  'Deletes the newest calls that wait for an arm, as far as more than 100,000 predictions wait, and counts them as skipped.';

create or replace function pgscore_data._shadows_due() returns table (has_shadows boolean, is_due boolean)
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select exists (select from pgscore_data.shadow_batch)
         or exists (select from pgscore_data.experiment e where e.stopped_at is null and e.kind = 'shadow'),
         exists (select from pgscore_data.shadow_batch b join pgscore_data.experiment_arm a using (experiment_id, version_id)
                  where a.calls_due_at <= clock_timestamp());
end;
comment on function pgscore_data._shadows_due() is
  'Whether there may be calls for shadows, and whether some are to be scored.';

create or replace function pgscore_data._claim_shadow(lease interval)
returns table (experiment_id int, version_id int, version text, champion text, features jsonb, salt text, buckets int, started_by name,
  batches bigint[])
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  arm pgscore_data.experiment_arm;
begin
  select a.* into arm from pgscore_data.experiment_arm a
   where a.calls_due_at <= clock_timestamp()
     and exists (select from pgscore_data.shadow_batch b where b.experiment_id = a.experiment_id and b.version_id = a.version_id)
   order by a.calls_due_at limit 1 for no key update skip locked;
  if not found then
    return;
  end if;
  perform pgscore_data._renew_shadow(arm.experiment_id, arm.version_id, lease);
  return query
  select e.experiment_id, arm.version_id, pgscore_models._version_name(arm.version_id),
         pgscore_models._version_name(e.champion_version_id), v.signature -> 'features', e.salt, ceil(10000 * e.sampling)::int,
         e.started_by, pgscore_data._next_shadow_batches(arm.experiment_id, arm.version_id)
    from pgscore_data.experiment e join pgscore_data.version v on v.version_id = e.champion_version_id
   where e.experiment_id = arm.experiment_id;
end
$$;
comment on function pgscore_data._claim_shadow(interval) is
  'Leases the calls that an arm scores next to one service, with what it takes to score them.';

create or replace function pgscore_data._shadowed_calls(this_experiment int, this_version int, batches bigint[])
returns table (prediction_id bigint, n_predictions int, request_id text, asked_us double precision, later_ms int[], keys text[],
  event_us double precision[], features double precision[], reals real[], inputs jsonb)
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select y.prediction_id, y.n_predictions, y.request_id,
         (1000000 * (extract(epoch from y.asked_at) - 946684800))::double precision, y.later_ms, y.keys,
         case when y.event_times is not null
           then array(select (1000000 * (extract(epoch from t.at) - 946684800))::double precision
                        from unnest(y.event_times) with ordinality t (at, n) order by t.n) end,
         y.features, y.reals, y.inputs
    from pgscore_data.shadow_batch b
    join pgscore_data.experiment e using (experiment_id)
    join pgscore_data.online_block y on y.prediction_id between b.first_id and b.last_id and y.version_id = e.champion_version_id
     and y.written_by = b.written_by
   where b.experiment_id = this_experiment and b.version_id = this_version and b.batch_id = any (batches) and y.n_predictions > 0
   order by y.prediction_id;
end;
comment on function pgscore_data._shadowed_calls(int, int, bigint[]) is
  'Calls that wait for an arm, as they were kept; times in microseconds since 2000.';

create or replace function pgscore_data._renew_shadow(this_experiment int, this_version int, lease interval) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
begin atomic
  update pgscore_data.experiment_arm a set calls_due_at = clock_timestamp() + lease
   where a.experiment_id = this_experiment and a.version_id = this_version;
end;
comment on function pgscore_data._renew_shadow(int, int, interval) is 'Sets for how long nobody else scores the calls of an arm.';

create or replace function pgscore_data._finish_shadow(
  this_experiment int, this_version int, batches bigint[], blocks bigint[], scored bigint, failed bigint, left_out bigint, error text
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  these constant record := pgscore_data._take_shadow_batches(this_experiment, this_version, batches);
  blocks_left int;
begin
  if these.taken <> cardinality(batches) then
    raise exception 'calls for experiment % are scored by another service', this_experiment using
      errcode = 'object_not_in_prerequisite_state';
  end if;
  perform from pgscore_data.online_block y where y.prediction_id = any (blocks) for key share skip locked;
  get diagnostics blocks_left = row_count;
  if blocks_left <> cardinality(blocks) then
    raise exception 'calls for experiment % were deleted while they were scored', this_experiment using
      errcode = 'object_not_in_prerequisite_state', hint = 'What is left of them is scored later.';
  end if;
  update pgscore_data.experiment_arm a
     set calls_scored = a.calls_scored + scored, calls_failed = a.calls_failed + failed,
         calls_skipped = a.calls_skipped + these.predictions - scored - failed - left_out,
         calls_failures = 0, calls_due_at = clock_timestamp(),
         calls_error = coalesce(error, a.calls_error),
         calls_error_at = case when error is null then a.calls_error_at else clock_timestamp() end
   where a.experiment_id = this_experiment and a.version_id = this_version;
end
$$;
comment on function pgscore_data._finish_shadow(int, int, bigint[], bigint[], bigint, bigint, bigint, text) is
'Counts calls that an arm has scored, in the transaction that writes its predictions. Raises where another has done so, and where
blocks that were read are deleted, also by a transaction that is open.
left_out: those that sampling leaves out. What is neither scored nor failed nor left out was not kept, and counts as skipped.';

create or replace function pgscore_data._fail_shadow(
  this_experiment int, this_version int, reason text, hung interval default '0'
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  tries constant int := 3;
  -- So an arm that hangs has at most a hundredth of the processor time of a core.
  rest constant interval := 100 * hung;
  is_over boolean;
  failures int;
begin
  update pgscore_data.experiment_arm a
     set calls_failures = a.calls_failures + 1, calls_error = reason, calls_error_at = clock_timestamp(),
         calls_due_at = clock_timestamp() + greatest(rest, least(600, 2 ^ least(a.calls_failures + 1, 10)) * interval '1 second')
   where a.experiment_id = this_experiment and a.version_id = this_version
  returning a.calls_failures into failures;
  is_over := (select e.stopped_at is not null from pgscore_data.experiment e where e.experiment_id = this_experiment);
  if is_over then
    perform pgscore_data._skip_shadow_batches(this_experiment, this_version, array(
      select b.batch_id from pgscore_data.shadow_batch b where b.experiment_id = this_experiment and b.version_id = this_version), reason);
  elsif hung > interval '0' or failures % tries = 0 then
    perform pgscore_data._skip_shadow_batches(this_experiment, this_version,
                                              pgscore_data._next_shadow_batches(this_experiment, this_version), reason);
  end if;
end
$$;
comment on function pgscore_data._fail_shadow(int, int, text, interval) is
'Notes that an arm hung, crashed or could not be loaded. The next try waits for 2, 4, 8 and at last 600 seconds, or for a hundred times '
'hung, whichever is longer.
hung: the processor time that some rows took, or a quarter of the time by the clock if that is more; 0 if the arm did not hang.
Calls on which it hung are skipped. At each third failure in a row those that it scores next are skipped, and all that wait if the '
'experiment was stopped.';
