-- Finds the changes in a source of labels by a comparison with what is known.
-- in: compared_label, a source as src/monitor/compare-labels.ts read it. out: label_change.

create or replace function pgscore_data._compare_labels(this_source int, seen pg_snapshot, seen_at timestamptz) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- A nested loop would read the queue again for each label, with all that this statement adds to it.
set enable_nestloop = off
as $$
declare
  this_model int;
  timed boolean;
  has_undated boolean;
  sealed timestamptz;
  compared bigint;
begin
  select s.model_id, s.known_at_column is not null, m.sealed_before into this_model, timed, sealed
    from pgscore_data.label_source s join pgscore_data.monitor m using (model_id) where s.source_id = this_source;
  if not found then
    return 0;
  end if;
  has_undated := not timed or exists (
    select from pgscore_data.compared_label c where c.source_id = this_source and c.known_at is null);
  analyze (skip_locked) pgscore_data.compared_label;
  analyze (skip_locked) pgscore_data.label_change;
  with queued as materialized (
    -- The last change of each label. In a source without times an entity has one label.
    select distinct on (hash_array(c.key), c.key, w.at) c.key, w.at, c.known_at, c.label, c.source_id, c.read_in is not null as was_read,
           c.read_in is null and not pg_visible_in_snapshot(c.captured_in, seen) as is_newer
      from pgscore_data.label_change c cross join lateral (select case when timed then c.known_at end as at) w
     where c.model_id = this_model
     order by hash_array(c.key), c.key, w.at, c.change_id desc
  ), evaluated as (
    -- Joined by equality of key and time: a join by key alone would compare each label of an entity with all others.
    select e.key, e.known_at as at, e.label, e.event_time from pgscore_data.evaluation e
     where e.model_id = this_model and timed
    union all
    select e.key, null, e.label, e.event_time from pgscore_data.evaluation e
     where e.model_id = this_model and has_undated
  ), found as (
    select c.key, c.known_at, c.label
      from pgscore_data.compared_label c
      left join queued q on q.key = c.key and q.at is not distinct from c.known_at
            and coalesce(q.at, '-infinity') = coalesce(c.known_at, '-infinity')
      left join evaluated e on e.key = c.key and e.at is not distinct from c.known_at
            and coalesce(e.at, '-infinity') = coalesce(c.known_at, '-infinity')
     where c.source_id = this_source
       and e.event_time >= sealed is not false
       and case when q.key is null then e.label is distinct from c.label
             else not q.is_newer and (q.was_read or q.label is distinct from c.label) end
  ), said as (
    select distinct e.key, e.known_at
      from pgscore_data.evaluation e
      left join queued q on q.key = e.key and coalesce(q.at, '-infinity') = case when timed then e.known_at else '-infinity' end
     where e.model_id = this_model and e.source_id = this_source and q.key is null and e.event_time >= sealed is not false
    union all
    select q.key, q.known_at from queued q where q.source_id = this_source and not q.is_newer and (q.was_read or q.label is not null)
  ), gone as (
    select s.key, s.known_at from said s
     where not exists (
         select from pgscore_data.compared_label c where c.source_id = this_source and c.key = s.key and c.known_at = s.known_at)
       and not exists (
         select from pgscore_data.compared_label c where c.source_id = this_source and c.key = s.key and c.known_at is null)
  )
  insert into pgscore_data.label_change (model_id, source_id, key, known_at, label, retracted, captured_at, read_in)
  select this_model, this_source, f.key, f.known_at, f.label, false, seen_at, seen from found f
  union all
  select this_model, this_source, g.key, g.known_at, null, true, seen_at, seen from gone g;
  delete from pgscore_data.compared_label c where c.source_id = this_source;
  get diagnostics compared = row_count;
  return compared;
end
$$;
comment on function pgscore_data._compare_labels(int, pg_snapshot, timestamptz) is
  'Queues the differences between a source of labels, as a snapshot saw it, and what is known or queued. Deletes what was read of it and '
  'returns how many labels that were. A change that the snapshot did not see is newer and stays.';
