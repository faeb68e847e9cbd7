-- Takes changed labels out of the queue. If a known label only gets another value, its pairs are corrected without looking predictions up
-- again.
-- in: label_change. out: evaluation and refresh_delta for corrected labels; refresh_label and refresh_old_pair for all others.
-- Example: the queue says that customer 7 stayed, that customer 8 left, and that customer 8 stayed.
-- - The latest change of each label counts: of customer 8, that it stayed.
-- - evaluation has the pair of customer 7 and Monday's prediction with the label "left". It gets "stayed". refresh_delta takes the pair
--   out of the cells with the one label (sign -1) and adds it with the other (sign 1).
-- - Customer 8 has no pair, so its label goes to refresh_label. _pair() finds the predictions that it judges.
-- - If customer 7 had a second label, the changed one would go to refresh_label too, and all pairs of the customer to refresh_old_pair.

create or replace function pgscore_data._take_changes(last_change bigint, only_model int)
returns table (
  entity bigint, model_id int, source_id int, key text[], known_at timestamptz, captured_at timestamptz, label text, retracted boolean,
  was_taken boolean
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
set enable_nestloop = off
as $$
begin
  return query
  with taken as (
    delete from pgscore_data.label_change c
     where c.change_id <= coalesce(last_change, 9223372036854775807) and (only_model is null or c.model_id = only_model) returning c.*
  ), compared_model as materialized (
    select s.model_id from pgscore_data.label_source s
     where exists (select from pgscore_data.comparison_request q where q.source_id = s.source_id)
        or exists (
          select from pgscore_data.label_change c where c.model_id = s.model_id and c.read_in is not null and c.change_id > last_change)
  ), remembered as (
    insert into pgscore_data.taken_change (change_id, model_id, key, known_at, captured_in)
    select t.change_id, t.model_id, t.key, t.known_at, t.captured_in
      from taken t where t.read_in is null and t.model_id in (select c.model_id from compared_model c)
  ), change as (
    select t.*, false as was_taken from taken t
    union all
    select x.change_id, x.model_id, null, x.key, x.known_at, null, true, null, x.captured_in, null, true
      from pgscore_data.taken_change x where x.model_id in (select t.model_id from taken t where t.read_in is not null)
  ), dated_change as (
    select c.* from change c where c.known_at is not null
    union all
    select c.change_id, c.model_id, c.source_id, c.key, e.known_at, c.label, c.retracted, c.captured_at, c.captured_in, c.read_in,
           c.was_taken
      from change c
      left join lateral (
        select x.known_at from pgscore_data.evaluation x
         where x.model_id = c.model_id and hash_array(x.key) = hash_array(c.key) and x.key = c.key
         order by x.known_at desc limit 1) e on true
     where c.known_at is null
  ), hashed_change as (
    -- The order of the index evaluation_of_entity, as one number, which is sorted in half the time.
    select d.*, d.model_id::bigint << 32 | hash_array(d.key)::bigint + 2147483648 as hash from dated_change d
  ), latest_read as (
    select distinct on (h.hash, h.key, h.known_at) h.hash, h.key, h.known_at, h.read_in
      from hashed_change h where h.read_in is not null order by h.hash, h.key, h.known_at, h.change_id desc
  ), latest_change as (
    -- A change that the snapshot of a comparison did not see is newer than what the comparison read, even if it was queued or taken first.
    select distinct on (h.hash, h.key, h.known_at)
           h.hash, h.model_id, h.source_id, h.key, coalesce(h.known_at, h.captured_at) as known_at, h.captured_at, h.label,
           h.retracted or h.label is null as retracted, h.was_taken
      from hashed_change h
      left join latest_read r on r.hash = h.hash and r.key = h.key and r.known_at is not distinct from h.known_at
        -- By equality, so that the join hashes the times of the labels, too: an entity may have many labels.
        and coalesce(r.known_at, '-infinity') = coalesce(h.known_at, '-infinity')
     order by h.hash, h.key, h.known_at,
              h.read_in is null and r.read_in is not null and not pg_visible_in_snapshot(h.captured_in, r.read_in) desc,
              h.was_taken, h.change_id desc
  )
  select dense_rank() over (order by l.hash, l.key), l.model_id, l.source_id, l.key, l.known_at, l.captured_at, l.label, l.retracted,
         l.was_taken
    from latest_change l;
end
$$;
comment on function pgscore_data._take_changes(bigint, int) is
  'Takes the changes of labels, of all models or of one, up to last_change (NULL: all) out of the queue. Returns the latest change of '
  'each label. entity: one number a key. was_taken: an earlier refresh took a newer change, so what the comparison read is ignored.';

create or replace function pgscore_data._take_labels(most int, only_model int, out changed bigint, out corrected bigint, out pairs bigint,
                                                     out last_change bigint, out models int[])
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- Versions are joined whole, however few changes waited when the plan was made. Labels are looked up by key and written by ctid, which only
-- a loop does.
set enable_hashjoin = on
set enable_nestloop = off
as $$
declare
  any_sealed constant boolean := exists (select from pgscore_data.monitor m where m.sealed_before > '-infinity');
begin
  last_change := (
    select x.change_id from pgscore_data.label_change x
     where only_model is null or x.model_id = only_model order by x.change_id offset most - 1 limit 1);
  -- latest_change: what is taken out of the queue
  -- stored_pair: the pairs that the entities of these labels have
  -- checked_pair, read_pair, decided_pair: whether a pair only gets another value, which one, and whether that is one
  -- correction, delta: those that do are corrected in place
  -- other_label, old_pair: all others are noted, to be paired anew
  with latest_change as materialized (
    select c.* from pgscore_data._take_changes(last_change, only_model) c
  ), stored_pair as materialized (
    -- Each pair of an entity, once for each of its changed labels; for an entity without a pair one row, without row_tid.
    select c.entity, c.model_id as of_model, c.key as of_key, c.known_at as new_known_at, c.captured_at, c.label as new_label,
           c.source_id as new_source_id, c.retracted, e.*
      from latest_change c
      left join lateral (
        select x.*, x.ctid as row_tid from pgscore_data.evaluation x
         where x.model_id = c.model_id and hash_array(x.key) = hash_array(c.key) and x.key = c.key
           and not (any_sealed and pgscore_data._is_sealed(x.model_id, x.event_time)) offset 0) e on true
     where not c.was_taken and not (any_sealed and pgscore_data._is_of_sealed_days(c.model_id, c.key, c.known_at))
  ), uniform_model as (
    -- Models whose labels can be corrected in place. Versions with other classes may accept a label that this one rejects. The pairs of
    -- three classes or more do not store all probabilities. Several values a row have cells of their own.
    select r.model_id from pgscore_data.label_reading r where r.model_id in (select c.model_id from latest_change c) group by r.model_id
     having count(distinct (r.task, r.class_labels)) = 1 and min(r.task) <> 'multiclass' and not bool_or(r.has_values)
  ), reading as materialized (
    select r.* from pgscore_data.label_reading r join uniform_model using (model_id)
  ), checked_pair as (
    -- Pairs of a dropped version are judged no more: all pairs of the entity are looked up again.
    select p.*,
           bool_and(p.known_at = p.new_known_at and p.label <> p.new_label and not p.retracted and p.version_id is not null
             and p.n_pairs = 1 and p.version_id in (select r.version_id from reading r)) over (partition by p.entity) is true
             as is_correctable
      from (select x.*, count(*) over (partition by x.entity, x.version_id) as n_pairs from stored_pair x where x.row_tid is not null) p
  ), read_pair as (
    select p.*, r.task, r.positive_class, r.score_unit,
           case when p.is_correctable and r.task = 'binary'
             then pgscore_data._class_of(p.new_label, r.class_labels, r.class_forms) end as new_class,
           case when p.is_correctable and r.task = 'regression' then pgscore_data._number_of(p.new_label) end as new_actual
      from checked_pair p left join reading r on r.version_id = p.version_id
    offset 0
  ), decided_pair as materialized (
    select p.*, case when p.task = 'binary' and p.score_unit is null
             then case when p.new_class + 1 = p.positive_class then p.score else 1 - p.score end end as new_p_actual,
           p.new_class is not null or p.new_actual is not null as is_corrected
      from read_pair p
  ), correction as (
    update pgscore_data.evaluation e
       set (actual_class, actual, p_actual, label, source_id)
         = row(p.new_class, p.new_actual, p.new_p_actual, p.new_label, p.new_source_id)
      from decided_pair p
     where p.is_corrected and e.is_recent = p.is_recent and e.ctid = p.row_tid
       and e.ctid = any (array(select x.row_tid from decided_pair x where x.is_corrected))
  ), delta as (
    insert into pgscore_data.refresh_delta (sign, version_id, day, age_band, predicted_class, score, bin, segments, actual_class, actual,
                                            p_actual)
    select s.sign, p.version_id, p.day, p.age_band, p.predicted_class, p.score, p.bin, p.segments,
           case s.sign when 1 then p.new_class else p.actual_class end, case s.sign when 1 then p.new_actual else p.actual end,
           case s.sign when 1 then p.new_p_actual else p.p_actual end
      from decided_pair p cross join lateral (values (-1), (1)) s (sign) where p.is_corrected
  ), other_label as (
    insert into pgscore_data.refresh_label (model_id, source_id, key, known_at, captured_at, label, retracted, entity)
    -- A label without a time may have arrived at the very time that another label names.
    select distinct on (l.entity, l.new_known_at) l.of_model, l.new_source_id, l.of_key, l.new_known_at, l.captured_at, l.new_label,
           l.retracted, l.entity
      from (select p.of_model, p.new_source_id, p.of_key, p.new_known_at, p.captured_at, p.new_label, p.retracted, p.entity
              from stored_pair p where p.row_tid is null
            union all
            select p.of_model, p.new_source_id, p.of_key, p.new_known_at, p.captured_at, p.new_label, p.retracted, p.entity
              from decided_pair p where not p.is_corrected) l
     order by l.entity, l.new_known_at
  ), old_pair as (
    insert into pgscore_data.refresh_old_pair
      (entity, model_id, key, version_id, run_id, day, event_time, known_at, age_band, actual_class, predicted_class, actual, score,
       p_actual, bin, rank, class_bins, segments, predicted_values, actual_values, label, source_id, received_at, is_recent, row_tid)
    select distinct on (p.entity, p.is_recent, p.row_tid)
           p.entity, p.model_id, p.key, p.version_id, p.run_id, p.day, p.event_time, p.known_at, p.age_band, p.actual_class,
           p.predicted_class, p.actual, p.score, p.p_actual, p.bin, p.rank, p.class_bins, p.segments, p.predicted_values,
           p.actual_values, p.label, p.source_id, p.received_at, p.is_recent, p.row_tid
      from decided_pair p where not p.is_corrected
  )
  select count(distinct p.entity), count(*), array(select distinct c.model_id from latest_change c) into corrected, pairs, models
    from decided_pair p where p.is_corrected;
  changed := corrected + (select count(*) from pgscore_data.refresh_label);
  if exists (select from pgscore_data.taken_change) then
    delete from pgscore_data.taken_change x
     where not exists (
         select from pgscore_data.label_source s join pgscore_data.comparison_request q using (source_id) where s.model_id = x.model_id)
       and not exists (select from pgscore_data.label_change c where c.model_id = x.model_id and c.read_in is not null);
  end if;
end
$$;
comment on function pgscore_data._take_labels(int, int) is
  'Takes changes out of the queue, of all models or of one. Corrects the pairs of labels that only get another value, and notes the other '
  'labels with the pairs of their entities. Returns how many labels changed, how many entities and pairs were corrected, the last change '
  'if more may be waiting, and the models.';
