-- Counts the labels that judge nothing and those that come late. The service does so every hour; label_sources shows it.

create or replace function pgscore_data._count_labels(this_source int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
  s record;
begin
  select x.model_id, x.known_at_column is not null as is_timed, x.set_at, m.label_delay,
         m.pairing in ('latest_before_label', 'within') as is_ordered,
         greatest(m.sealed_before, m.superseded_before) as old into s
    from pgscore_data.label_source x join pgscore_data.monitor m using (model_id) where x.source_id = this_source;
  with unpaired as (
    select e.key, e.known_at, e.label from pgscore_data.evaluation e where e.model_id = s.model_id and e.run_id is null limit 100000
  ), checked as (
    select u.known_at, n.is_known, u.known_at < s.old as is_old,
           exists (select from unnest(pgscore_data._kept_versions(s.model_id)) v (id)
                    cross join lateral pgscore_data._last_place(v.id, u.key, u.known_at) l
                    where n.is_known and l.event_time is not null) as is_overruled
      from unpaired u
     cross join lateral (
       select exists (select from unnest(pgscore_data._kept_versions(s.model_id)) v (id)
                       cross join lateral pgscore_data._newest_place(v.id, u.key) x where x.event_time is not null) as is_known) n
  ), reading as materialized (
    select distinct j.task, j.class_labels, j.score_unit, case when j.has_values then j.version_id end as version_id
      from pgscore_data.label_reading j where j.model_id = s.model_id
  ), invalid as materialized (
    select u.label, count(*) as n from unpaired u group by u.label
    having not exists (
      select from reading j
       where case when j.task in ('multi_target', 'multilabel') then pgscore_data._actual_values(j.version_id, u.label) is not null
               else pgscore_data._is_truth(j.task, j.class_labels, j.score_unit, u.label) end)
  ), late as (
    select avg((l.received_at - s.label_delay > l.known_at)::int) as share
      -- A label has a row for each prediction that it judges. Hashes are grouped in half the time of keys.
      from (select e.known_at, min(e.received_at) as received_at from pgscore_data.evaluation e
             -- Labels older than set_labels() arrived with it: they are left out.
             where s.is_timed and e.model_id = s.model_id and e.known_at > greatest(s.set_at, clock_timestamp() - interval '90 days')
             group by hash_array_extended(e.key, 0), e.known_at) l
  )
  update pgscore_data.label_source x set
    n_unmatched = (select count(*) from checked p where not p.is_known and not p.is_old),
    n_before = (select count(*) from checked p where s.is_ordered and p.is_known and not p.is_old and not p.is_overruled),
    n_too_old = (select count(*) from checked p where p.is_old and (s.is_ordered or not p.is_known)),
    n_invalid = (select coalesce(sum(i.n), 0) from invalid i), invalid_label = (select left(min(i.label), 60) from invalid i),
    late_share = (select l.share from late l), counted_at = clock_timestamp()
   -- A source that an open transaction of its user has locked is counted the next time.
   where x.source_id = (select h.source_id from pgscore_data.label_source h where h.source_id = this_source for no key update skip locked);
end
$$;
comment on function pgscore_data._count_labels(int) is
  'Counts the labels of a source that judge nothing, and the share that came later than label_delay.';

create or replace function pgscore_data._count_all_labels(only_new boolean) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  due constant int[] := array(
    select s.source_id from pgscore_data.label_source s
     -- A new source is first counted when its queue is empty: an earlier count would be 0 and stand for an hour.
     where case when s.counted_at >= s.set_at then not only_new
             else s.compared_at is not null and not exists (select from pgscore_data.label_change c where c.model_id = s.model_id) end);
begin
  if due <> '{}' and pgscore_data._take_turn('cells') then
    perform pgscore_data._count_labels(d) from unnest(due) d;
  end if;
end
$$;
comment on function pgscore_data._count_all_labels(boolean) is
  'Counts labels that judge nothing or came late, for every source, or only for new ones whose queue is empty. Does nothing if another '
  'session has the turn.';
