-- From queued keys to a run over them, and back where the run fails.

create or replace function pgscore_data._is_of_watch(this_handle bigint) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select exists (
    select from pgscore_data.watch w left join pgscore_data.known_plan p using (plan_id)
     where this_handle in (w.scan_handle_id, p.handle_id));
end;
comment on function pgscore_data._is_of_watch(bigint) is 'Whether a watch reads by this handle.';

create or replace function pgscore_data._version_of_watch(w pgscore_data.watch) returns int
language sql stable
set search_path = pg_catalog, pg_temp
-- Planned anew at each call, it takes more than twice as long.
set plan_cache_mode = force_generic_plan
begin atomic
  select case when w.alias is not null
    then (select a.version_id from pgscore_data.alias a where a.model_id = w.model_id and a.alias = w.alias)
    else (select v.version_id from pgscore_data.version v
           where v.model_id = w.model_id and v.number = w.version_number and v.state = 'ready')
  end;
end;
comment on function pgscore_data._version_of_watch(pgscore_data.watch) is 'The version that a watch is to score with now.';

create or replace function pgscore_data._stands_by(w pgscore_data.watch) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select w.generation is not null and exists (
    select from pgscore_data.watch x where x.target_id = w.target_id and x.generation is null
       and pgscore_data._version_of_watch(x) = pgscore_data._version_of_watch(w));
end;
comment on function pgscore_data._stands_by(pgscore_data.watch) is
  'Whether the watch of a challenger rests, as its version is what the latest view of the target is kept with.';

create or replace function pgscore_data._keys_by_column(keys text[], columns int) returns text[]
language sql immutable strict
set search_path = pg_catalog, pg_temp
return case columns when 1 then array[keys::text]
         else array(select array(select (k::text[])[c] from unnest(keys) k)::text from generate_series(1, columns) c order by c) end;
comment on function pgscore_data._keys_by_column(text[], int) is
  'The keys of a run as the texts of arrays, one for each column of the key, in one order.';

create or replace function pgscore_data._fail_watch(this_watch int, code text, reason text, cure text, pause interval) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  -- Planning anew costs little, and its failures do not count: each other try begins with a comparison of the whole source.
  with failed as (
    select case when w.error is not null then greatest(1, w.failures)
             when w.retry_at > clock_timestamp() - interval '1 hour' then w.failures + 1 else 1 end as times
      from pgscore_data.watch w where w.watch_id = this_watch for no key update
  )
  update pgscore_data.watch w
     set error_code = code, error = reason, remedy = cure, failures = f.times,
         retry_at = clock_timestamp() + greatest(pause, least(interval '15 minutes', 2 ^ least(f.times - 1, 10) * pause))
    from failed f where w.watch_id = this_watch;
end;
comment on function pgscore_data._fail_watch(int, text, text, text, interval) is
'Says why a watch cannot go on, and when it is tried again: after the given time, and each time that it fails once more within an hour '
'after twice as long, up to 15 minutes.';

create or replace function pgscore_data._take_keys(
  this_watch int, of_backlog boolean, most int, out keys text[], out oldest timestamptz
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- A server that last saw few keys in a run would compare each key with each: 10,000 took 27 s.
set enable_nestloop = off
as $$
declare
  held text[];
begin
  with first as (
    select c.ctid as row_tid, c.keys, c.captured_at
      from pgscore_data.watch_change c where c.watch_id = this_watch and c.is_backlog = of_backlog
     order by c.captured_at limit most
  ), counted as (
    select f.row_tid, sum(cardinality(f.keys)) over (order by f.captured_at rows unbounded preceding) - cardinality(f.keys) as before
      from first f
  ), gone as (
    delete from pgscore_data.watch_change d where d.ctid = any (array(select c.row_tid from counted c where c.before < most))
    returning d.keys, d.captured_at
  ), key as (
    select k, min(g.captured_at) as captured_at from gone g cross join unnest(g.keys) k group by k
  ), busy as (
    select k from pgscore_data.run r cross join unnest(r.keys) k
     where r.watch_id = this_watch and r.keys is not null and r.arm_of is null
  )
  select array_agg(x.k) filter (where b.k is null), array_agg(x.k) filter (where b.k is not null), min(x.captured_at)
    into keys, held, oldest from key x left join busy b using (k);
  if exists (select from unnest(keys || held) k where octet_length(k) > 2700) then
    raise exception 'a key is longer than 2,700 bytes, which is what an index takes' using
      errcode = 'program_limit_exceeded', hint = 'Watch a view whose key is shorter, such as a hash of it: md5(...).';
  end if;
  if held is not null then
    -- A scorer has them in hand: what it read may be older.
    insert into pgscore_data.watch_change (watch_id, keys, is_backlog, captured_at) values (this_watch, held, of_backlog, oldest);
  end if;
end
$$;
comment on function pgscore_data._take_keys(int, boolean, int) is
  'Takes queued keys of a watch out of the queue, oldest first, but for those that an open run has. A key that changed twice comes once.';

create or replace function pgscore_data._failed_arms(this_watch int) returns text
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select x.arm_error
    from (select r.* from pgscore_data.run r
           where r.watch_id = this_watch and r.experiment_id is not null order by r.run_id desc limit 20) x
   where x.arm_error is not null and x.attempt - x.handed_back > 1 and x.requested_at > clock_timestamp() - interval '10 minutes'
   limit 1;
end;
comment on function pgscore_data._failed_arms(int) is
  'Why a run of a watch was scored anew without its arms in the last ten minutes; NULL where none was.';

create or replace function pgscore_data._claim_watches(service uuid, lease_ms bigint, most int) returns setof bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  w record;
  taken record;
  this_run bigint;
  failed text;
  reason text;
  cure text;
begin
  -- Most looks find nothing, and to plan what follows takes longer than this.
  if not exists (select from pgscore_data.watch_change) then
    return;
  end if;
  for w in
    select x.*, p.handle_id, p.plan ->> 'arm_error' as arm_error, (p.plan ->> 'experiment')::int as experiment_id,
           nullif(o.segments, '{}') as segments, b as is_backlog
      from pgscore_data.watch x
      join pgscore_data.known_plan p using (plan_id)
      left join pgscore_data.monitor o using (model_id)
     cross join unnest(array[false, true]) b
     where (x.watch_id, b) in (select c.watch_id, c.is_backlog from pgscore_data.watch_change c)
       and not x.paused and x.error is null and not pgscore_data._stands_by(x)
       and x.version_id = pgscore_data._version_of_watch(x) and pgscore._may_score(x.owner, x.version_id)
       -- What waits for its target would have more runs wait for it.
       and not exists (select from pgscore_data.run r
                        where r.watch_id = x.watch_id and r.keys is not null and r.error_code = 'target_locked')
     order by b, x.claimed_at nulls first limit most for no key update of x skip locked
  loop
    -- A run names its target, and would wait for who drops it.
    continue when not exists (select from pgscore_data.target t where t.target_id = w.target_id for key share skip locked);
    update pgscore_data.watch x set claimed_at = clock_timestamp() where x.watch_id = w.watch_id;
    -- What is wrong with the keys of one watch stops no other.
    begin
      -- Few at a time of what can wait, so that a row that changes just now is not held up. MOST_KEYS in src/runs/claim.ts is the other.
      taken := pgscore_data._take_keys(w.watch_id, w.is_backlog, case when w.is_backlog then 5000 else 10000 end);
    exception
      when program_limit_exceeded then
        get stacked diagnostics reason = message_text, cure = pg_exception_hint;
        perform pgscore_data._fail_watch(w.watch_id, 'key_too_long', reason, cure, interval '30 seconds');
        continue;
    end;
    continue when taken.keys is null;
    failed := case when w.experiment_id is not null then pgscore_data._failed_arms(w.watch_id) end;
    insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, handle_id, plan_id, pages,
      rls, publish, error_limit, rows_expected, segments, watch_id, keys, oldest_change_at, experiment_id, arms, arm_error,
      state, phase, attempt, claimed_by, lease_until, started_at)
    select w.owner, w.version_id, w.target_id, n.names[1], n.names[2], 'stream', w.handle_id,
      w.plan_id, 0, w.arguments ->> 'rls', w.generation is null, 9223372036854775807, cardinality(taken.keys), w.segments, w.watch_id,
      taken.keys, taken.oldest, w.experiment_id, case when failed is null then pgscore_data._arms_of_run(w.experiment_id, w.version_id) end,
      coalesce(failed, w.arm_error),
      'running', 'reading', 1, service, clock_timestamp() + lease_ms * interval '1 millisecond', clock_timestamp()
      from (select parse_ident(w.source) as names) n
    returning run_id into this_run;
    return next this_run;
    if w.experiment_id is not null then
      perform pgscore_data._begin_shadows(this_run);
    end if;
  end loop;
end
$$;
comment on function pgscore_data._claim_watches(uuid, bigint, int) is
  'Makes runs of queued keys for a service, of at most so many watches, and returns them. A key is in one open run of its watch at a time.';

create or replace function pgscore_data._end_watch_run() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.state <> 'done' and new.arm_of is null then
    insert into pgscore_data.watch_change (watch_id, keys, is_backlog, captured_at)
    select w.watch_id, new.keys, true, new.oldest_change_at from pgscore_data.watch w where w.watch_id = new.watch_id;
    perform pgscore_data._fail_watch(new.watch_id, coalesce(new.error_code, 'aborted'), coalesce(new.error, 'its run was cancelled'),
      -- What is planned anew first makes no run if nothing was mended.
      new.remedy, case when new.error_code in ('source_changed', 'permission_denied', 'handle_missing')
                    then interval '5 seconds' else interval '30 seconds' end);
  end if;
  new.keys := null;
  return new;
end
$$;
comment on function pgscore_data._end_watch_run() is
  'Gives the keys of a run that failed back to its watch, which says why, and tries them again when it was planned anew.';

create or replace trigger end_watch_run before update of state on pgscore_data.run for each row
when (old.keys is not null and new.state in ('done', 'failed', 'cancelled')) execute function pgscore_data._end_watch_run();

create or replace function pgscore_data._finish_replacement(
  this_run bigint, snapshot timestamptz, rows_written bigint, rows_removed bigint, unchanged bigint, failed bigint, cpu float8
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  r pgscore_data.run;
  w pgscore_data.watch;
begin
  update pgscore_data.run x
     set state = 'done', phase = null, finished_at = clock_timestamp(), snapshot_at = snapshot, published = coalesce(x.publish, true),
         generation = coalesce(
           (select y.generation from pgscore_data.watch y where y.watch_id = x.watch_id), t.current_generation),
         rows_done = rows_written, rows_failed = failed, rows_expected = rows_written + unchanged, rows_unchanged = unchanged,
         cpu_seconds = cpu, lease_until = null, error_code = null, error = null, remedy = null
    from pgscore_data.target t where x.run_id = this_run and t.target_id = x.target_id
  returning x.* into r;
  update pgscore_data.target t
     set current_rows = greatest(0, t.current_rows + rows_written - rows_removed),
         current_snapshot_at = greatest(t.current_snapshot_at, snapshot),
         -- A watch makes its hashes in another way.
         hashed_as = case when r.watch_id is null then t.hashed_as end
   where t.target_id = r.target_id and r.published;
  update pgscore_data.watch x
     set rows_scored = x.rows_scored + rows_written, rows_unchanged = x.rows_unchanged + unchanged
   where x.watch_id = r.watch_id returning x.* into w;
  if w.notify is not null and rows_written + rows_removed > 0 then
    perform pg_notify(w.notify, json_build_object(
      'target', (select format('%I.%I', t.view_schema, t.view_name) from pgscore_data.target t where t.target_id = r.target_id),
      'rows', greatest(rows_written, rows_removed), 'run', this_run)::text);
  end if;
  return this_run;
end
$$;
comment on function pgscore_data._finish_replacement(bigint, timestamptz, bigint, bigint, bigint, bigint, float8) is
  'Last step of the publication of a run over changed rows: it is done, and whoever listens to its watch hears of it.';
