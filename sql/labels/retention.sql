-- Deletes predictions that no label can judge any more: those of sealed days, and those that were superseded long ago.
-- The cells of sealed days stay as they are.

create or replace function pgscore_data._seal_until(this_model int) returns timestamptz
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  m record;
  versions constant int[] := array(select v.version_id from pgscore_data.version v where v.model_id = this_model);
  until timestamptz;
  last_time timestamptz;
begin
  select x.time_zone, clock_timestamp() - x.keep as kept_from into m from pgscore_data.monitor x where x.model_id = this_model;
  -- A prediction made recently for a time long past is kept as long as any other.
  select least(date_trunc('day', m.kept_from, m.time_zone), date_trunc('day', min(p.event_time), m.time_zone)) into until
    from pgscore_data.kept_prediction p
   where p.version_id = any (versions) and p.event_time < m.kept_from and p.made_at >= m.kept_from;
  select max(x.event_time) into last_time
    from (select p.event_time from pgscore_data.kept_prediction p where p.version_id = any (versions) and p.event_time < until
          union all
          select r.event_time from pgscore_data.kept_run r where r.version_id = any (versions) and r.event_time < until) x;
  return (date_trunc('day', last_time at time zone m.time_zone) + interval '1 day') at time zone m.time_zone;
end
$$;
comment on function pgscore_data._seal_until(int) is
  'Up to when a model can be sealed: the end of the last day whose predictions were kept long enough; NULL if there is none.';

create or replace function pgscore_data._seal_days() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  m record;
begin
  for m in
    select x.model_id, s.until from pgscore_data.monitor x cross join lateral pgscore_data._seal_until(x.model_id) s (until)
     -- Under the rule first, the kept predictions tell which place is the first: no day is sealed.
     where s.until > x.sealed_before and x.pairing <> 'first'
       for no key update of x skip locked
  loop
    update pgscore_data.monitor x set sealed_before = m.until where x.model_id = m.model_id;
    delete from pgscore_data.kept_block b using pgscore_data.kept_run r, pgscore_data.version v
     where r.run_id = b.run_id and r.event_time < m.until and v.version_id = r.version_id and v.model_id = m.model_id;
    delete from pgscore_data.kept_run r using pgscore_data.version v
     where r.event_time < m.until and v.version_id = r.version_id and v.model_id = m.model_id;
    delete from pgscore_data.recorded_label r where r.model_id = m.model_id and r.recorded_at < m.until
       and not exists (
         select from pgscore_data.evaluation e
          where e.model_id = m.model_id and hash_array(e.key) = hash_array(r.key) and e.key = r.key
            and (e.event_time >= m.until) is not false);
    delete from pgscore_data.kept_prediction p using pgscore_data.version v
     where p.event_time < m.until and v.version_id = p.version_id and v.model_id = m.model_id;
  end loop;
end
$$;
comment on function pgscore_data._seal_days() is
  'Seals the days whose predictions were kept for as long as the setting keep says, and deletes those predictions.';

create or replace view pgscore_data.late_until as
select m.model_id, v.version_id,
       clock_timestamp() - coalesce(m.late, case when s.source_id is not null and s.known_at_column is null then m.label_delay end) as until
  from pgscore_data.monitor m join pgscore_data.version v using (model_id) left join pgscore_data.label_source s using (model_id)
 where m.pairing in ('latest_before_label', 'latest')
   and (m.late is not null or s.source_id is not null and s.known_at_column is null)
   -- A label in the queue may be as old.
   and not exists (select from pgscore_data.label_change c where c.model_id = m.model_id);
comment on view pgscore_data.late_until is
  'The time before which superseded predictions get no label any more. A label without a known_at column counts as known when it arrives.';

create or replace function pgscore_data._delete_superseded() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
as $$
declare
  -- Models that an open transaction has locked are left out: their superseded_before could not be set below.
  free constant int[] := array(
    select m.model_id from pgscore_data.monitor m where m.model_id in (select l.model_id from pgscore_data.late_until l)
       for no key update skip locked);
  runs int[];
  singles int[];
begin
  -- Predictions that a label judges stay, as single ones.
  insert into pgscore_data.kept_prediction (version_id, key, event_time, made_at, run_id, score, predicted_class, probabilities, segments)
  select r.version_id, u.key, u.event_time, u.event_time, r.run_id, u.score, u.predicted_class, u.probabilities, u.segments
    from pgscore_data.late_until l
    join pgscore_data.kept_run r on r.version_id = l.version_id and r.is_counted and not r.is_head
     -- Labels known before the next run still judge this one.
     and (select n.event_time < l.until from pgscore_data.kept_run n where n.run_id = r.retired_by)
   cross join lateral pgscore_data._block_rows(r.run_id) u
   where l.model_id = any (free) and exists (
     select from pgscore_data.evaluation e
      where e.model_id = l.model_id and hash_array(e.key) = hash_array(u.key) and e.key = u.key
        and e.version_id = r.version_id and e.event_time = r.event_time offset 0);
  with gone as (
    delete from pgscore_data.kept_run r using pgscore_data.late_until l
     where r.version_id = l.version_id and l.model_id = any (free) and r.is_counted and not r.is_head
       and (select n.event_time < l.until from pgscore_data.kept_run n where n.run_id = r.retired_by)
    returning r.run_id, r.version_id
  ), emptied as (
    delete from pgscore_data.kept_block b using gone g where b.run_id = g.run_id
  )
  select array_agg(distinct g.version_id) into runs from gone g;
  with gone as (
    delete from pgscore_data.kept_prediction p using pgscore_data.late_until l
     where p.version_id = l.version_id and l.model_id = any (free) and p.event_time < l.until
       and exists (select from pgscore_data._next_place(p.version_id, p.key, p.event_time) n where n.event_time < l.until offset 0)
       and not exists (
         select from pgscore_data.evaluation e
          where e.model_id = l.model_id and hash_array(e.key) = hash_array(p.key) and e.key = p.key
            and e.version_id = p.version_id and e.event_time = p.event_time offset 0)
    returning p.version_id
  )
  select array_agg(distinct g.version_id) into singles from gone g;
  -- Only for models of which rows were deleted. Done last: late_until goes by the clock, so this value is no earlier than any used above.
  update pgscore_data.monitor m set superseded_before = l.until
    from pgscore_data.late_until l where l.model_id = m.model_id and l.version_id = any (runs || singles) and l.until > m.superseded_before;
end
$$;
comment on function pgscore_data._delete_superseded() is
  'Deletes predictions that were superseded before late_until, except those that a label judges.';

create or replace function pgscore_data._delete_predictions() returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- What an open transaction of a user holds is left to the next hour.
set lock_timeout = '2s'
set jit = off
set random_page_cost = 0.1
as $$
begin
  if not pgscore_data._take_turn('cells') then
    return false;
  end if;
  perform pgscore_data._seal_days();
  perform pgscore_data._delete_superseded();
  delete from pgscore_data.cell_open c where c.closes_at <= clock_timestamp() or c.n = 0;
  return true;
end
$$;
comment on function pgscore_data._delete_predictions() is
  'Deletes predictions that no label can judge any more. False if another session has the turn.';

create or replace function pgscore_data._delete_monitoring() returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  tally text;
begin
  -- Calls of a version are kept up to a moment after it was dropped.
  delete from pgscore_data.feature_sample s using pgscore_data.version v where v.version_id = s.version_id and v.state = 'dropped';
  delete from pgscore_data.online_batch b
   where b.counted and b.kept_at < clock_timestamp() - interval '1 day'
     and not exists (select from pgscore_data.feature_sample s where s.run_id = b.batch_id and s.version_id = b.version_id)
     and not exists (select from pgscore_data.class_tally t where t.run_id = b.batch_id);
  foreach tally in array '{day_tally,feature_tally,segment_tally,feature_sample}'::text[] loop
    execute format($q$
      delete from pgscore_data.%I t using pgscore_data.run r
       where r.run_id = t.run_id and (r.state in ('failed', 'cancelled') or r.state = 'done' and r.attempt <> t.attempt)$q$, tally);
  end loop;
  perform pgscore_data._delete_arm_tallies();
  delete from pgscore_data.refresh_log l where l.started_at < clock_timestamp() - interval '90 days';
  delete from pgscore_data.rollup_audit a where a.checked_at < clock_timestamp() - interval '400 days';
  delete from pgscore_data.alert_event e where e.at < clock_timestamp() - interval '400 days';
  delete from pgscore_data.run_error e using pgscore_data.run r
   where r.run_id = e.run_id and r.finished_at < clock_timestamp() - interval '400 days';
end
$$;
comment on function pgscore_data._delete_monitoring() is
'Deletes what nobody reads any more.
This is: counts of failed runs and old attempts, features of dropped versions, counted batches of calls, and old lines of logs and of '
'rows that failed.';
