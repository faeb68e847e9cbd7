-- Compares what is due: pairs of versions, then experiments and replays, one a call. One that fails holds up no other.
-- in: comparison_due, compared_result. out: compared_pair, compared_metric.

create or replace function pgscore_data._compare_pair(this_version int, other int, by_segment boolean) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  began constant timestamptz := clock_timestamp();
  since constant timestamptz := pgscore_data._compared_since(this_version, other);
begin
  delete from pgscore_data.compared_pair p where p.version_id = this_version and p.other_id = other;
  perform pgscore_data._find_common_labels(this_version, other, by_segment, since);
  insert into pgscore_data.compared_pair (version_id, other_id, compared_at, compare_seconds, n_days, first_day, last_day, by_segment,
                                           leaves_out)
  select this_version, other, began, 0, count(distinct c.day), min(c.day), max(c.day), by_segment, exists (
           select from pgscore_data.evaluation e join pgscore_data.counted_version v on v.of_version = e.version_id
            where v.version_id in (this_version, other) and e.run_id is not null and e.event_time < since)
    from pgscore_data.compared_prediction c where c.segment_id = 0 and not c.is_other;
  insert into pgscore_data.compared_metric
    (version_id, other_id, segment_id, metric, value, other_value, low, high, n, other_n, is_enough)
  select this_version, other, c.segment_id, c.metric, c.value, c.other_value, c.low, c.high, c.n, c.other_n, c.is_enough
    from pgscore_data.compared_result c where c.metric in (select k.metric from pgscore_data.compared_kind k);
  truncate pgscore_data.compared_prediction;
  update pgscore_data.compared_pair p set compare_seconds = extract(epoch from clock_timestamp() - began)
   where p.version_id = this_version and p.other_id = other;
end
$$;
comment on function pgscore_data._compare_pair(int, int, boolean) is
  'Compares two versions, or two values of theirs, over the labels that judge both.';

create or replace function pgscore_data._compare_versions(patient boolean) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set work_mem = '64MB'
as $$
declare
  pair record;
begin
  -- All labels of two versions are read, half a million in common in 5 s: at most a twentieth of the time goes into that.
  select d.version_id, d.other_id, d.by_segment into pair
    from pgscore_data.comparison_due d
   where d.compared_at is null or not patient or clock_timestamp() > d.compared_at + d.compare_seconds * interval '20 seconds'
   order by d.compared_at nulls first limit 1;
  if not found then
    return pgscore_data._judge_experiment(patient) or pgscore_data._compare_replays(patient);
  elsif not pgscore_data._take_turn('cells') then
    return false;
  end if;
  begin
    perform pgscore_data._compare_pair(pair.version_id, pair.other_id, pair.by_segment);
  exception when lock_not_available then
    return false;
  when others then
    -- What holds up one pair is to hold up no other. Of what is known of it nothing may be true any more.
    raise warning 'versions % and % cannot be compared: %', pair.version_id, pair.other_id, sqlerrm;
    delete from pgscore_data.compared_pair p where p.version_id = pair.version_id and p.other_id = pair.other_id;
    insert into pgscore_data.compared_pair (version_id, other_id, compared_at, compare_seconds, n_days, by_segment, leaves_out, error)
    values (pair.version_id, pair.other_id, clock_timestamp(), 0, 0, pair.by_segment, false, sqlerrm);
  end;
  return true;
end
$$;
comment on function pgscore_data._compare_versions(boolean) is
  'Compares one pair of versions whose labels changed since they were compared, or else judges an experiment or compares a replay. True '
  'where another may wait. patient: a pair waits until twenty times as long has passed as its last comparison took.';
