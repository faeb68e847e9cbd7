-- Changed labels leave the queue. One that was known before and only says something else now judges the predictions that it judged: it is
-- corrected where it is.

create or replace function pgscore_data._take_labels(most int, only_model int, out changed bigint, out corrected bigint, out pairs bigint,
                                                     out last_change bigint, out models int[])
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- Versions are joined whole, whatever was waiting when this was planned; labels are gone to by their key and written by their place, which
-- only a loop does.
set enable_hashjoin = on
set enable_nestloop = off
as $$
declare
  any_sealed constant boolean := exists (select from pgscore_data.monitor m where m.sealed_before > '-infinity');
begin
  last_change := (
    select x.change_id from pgscore_data.label_change x
     where only_model is null or x.model_id = only_model order by x.change_id offset most - 1 limit 1);
  with taken as (
    delete from pgscore_data.label_change c
     where c.change_id <= coalesce(last_change, 9223372036854775807) and (only_model is null or c.model_id = only_model) returning c.*
  ), compared as materialized (
    select s.model_id from pgscore_data.label_source s
     where exists (select from pgscore_data.comparison_request q where q.source_id = s.source_id)
        or exists (
          select from pgscore_data.label_change c where c.model_id = s.model_id and c.read_in is not null and c.change_id > last_change)
  ), remembered as (
    insert into pgscore_data.taken_change (change_id, model_id, key, known_at, captured_in)
    select t.change_id, t.model_id, t.key, t.known_at, t.captured_in
      from taken t where t.read_in is null and t.model_id in (select c.model_id from compared c)
  ), waiting as (
    select t.*, false as was_taken from taken t
    union all
    select x.change_id, x.model_id, null, x.key, x.known_at, null, true, null, x.captured_in, null, true
      from pgscore_data.taken_change x where x.model_id in (select t.model_id from taken t where t.read_in is not null)
  ), dated as (
    select w.* from waiting w where w.known_at is not null
    union all
    select w.change_id, w.model_id, w.source_id, w.key, e.known_at, w.label, w.retracted, w.captured_at, w.captured_in, w.read_in,
           w.was_taken
      from waiting w
      left join lateral (
        select x.known_at from pgscore_data.evaluation x
         where x.model_id = w.model_id and hash_array(x.key) = hash_array(w.key) and x.key = w.key
         order by x.known_at desc limit 1) e on true
     where w.known_at is null
  ), placed as (
    -- As evaluation_of_entity has it, by which labels are looked up and written; as one number, which is sorted in half the time.
    select d.*, d.model_id::bigint << 32 | hash_array(d.key)::bigint + 2147483648 as hash from dated d
  ), read as (
    select distinct on (p.hash, p.key, p.known_at) p.hash, p.key, p.known_at, p.read_in
      from placed p where p.read_in is not null order by p.hash, p.key, p.known_at, p.change_id desc
  ), seen as (
    select p.*, r.read_in as last_read
      from placed p left join read r on r.hash = p.hash and r.key = p.key and r.known_at is not distinct from p.known_at
        -- By equality, so that the many labels of one entity are hashed by their times, too.
        and coalesce(r.known_at, '-infinity') = coalesce(p.known_at, '-infinity')
  ), latest as (
    -- What a comparison read is older than what its snapshot did not see, even if that was queued or taken first.
    select distinct on (p.hash, p.key, p.known_at)
           p.hash, p.model_id, p.source_id, p.key, coalesce(p.known_at, p.captured_at) as known_at, p.captured_at, p.label,
           p.retracted or p.label is null as retracted, p.was_taken
      from seen p
     order by p.hash, p.key, p.known_at,
              p.read_in is null and p.last_read is not null and not pg_visible_in_snapshot(p.captured_in, p.last_read) desc,
              p.was_taken, p.change_id desc
  ), said as (
    select l.*, dense_rank() over (order by l.hash, l.key) as entity from latest l
     where not l.was_taken and not (any_sealed and pgscore_data._is_of_sealed_days(l.model_id, l.key, l.known_at))
  ), held as materialized (
    select s.entity, s.model_id as said_model, s.key as said_key, s.known_at as said_at, s.captured_at, s.label as said,
           s.source_id as said_source, s.retracted, e.*
      from said s
      left join lateral (
        select x.*, x.ctid as place from pgscore_data.evaluation x
         where x.model_id = s.model_id and hash_array(x.key) = hash_array(s.key) and x.key = s.key
           and not (any_sealed and pgscore_data._is_sealed(x.model_id, x.event_time)) offset 0) e on true
  ), alike as (
    -- Versions with other classes may accept a label that this one rejects. Of three classes or more, not all probabilities are stored.
    -- Of several values a row each has its own cells.
    select j.model_id from pgscore_data.label_reading j where j.model_id in (select t.model_id from taken t) group by j.model_id
     having count(distinct (j.task, j.class_labels)) = 1 and min(j.task) <> 'multiclass' and not bool_or(j.has_values)
  ), judge as materialized (
    select j.* from pgscore_data.label_reading j join alike using (model_id)
  ), known as (
    -- What a dropped version said is judged no more: it has to be looked up with what the others said.
    select h.*,
           bool_and(h.known_at = h.said_at and h.label <> h.said and not h.retracted and h.version_id is not null and h.n_pairs = 1
             and h.version_id in (select j.version_id from judge j)) over (partition by h.entity) is true as is_corrected
      from (select x.*, count(*) over (partition by x.entity, x.version_id) as n_pairs from held x where x.place is not null) h
  ), meant as (
    select h.*, j.task, j.positive_class, j.score_unit,
           case when h.is_corrected and j.task = 'binary'
             then pgscore_data._class_of(h.said, j.class_labels, j.class_forms) end as said_class,
           case when h.is_corrected and j.task = 'regression' then pgscore_data._number_of(h.said) end as said_number
      from known h left join judge j on j.version_id = h.version_id
    offset 0
  ), judged as materialized (
    select h.*, case when h.task = 'binary' and h.score_unit is null
             then case when h.said_class + 1 = h.positive_class then h.score else 1 - h.score end end as p_said,
           h.said_class is not null or h.said_number is not null as is_correction
      from meant h
  ), moved as (
    update pgscore_data.evaluation e
       set (actual_class, actual, p_actual, label, source_id, received_at)
         = row(j.said_class, j.said_number, j.p_said, j.said, j.said_source, j.captured_at)
      from judged j
     where j.is_correction and e.is_recent = j.is_recent and e.ctid = j.place
       and e.ctid = any (array(select x.place from judged x where x.is_correction))
  ), counted as (
    insert into pgscore_data.refresh_delta (sign, version_id, day, age_band, predicted_class, score, bin, segments, actual_class, actual,
                                            p_actual)
    select s.sign, j.version_id, j.day, j.age_band, j.predicted_class, j.score, j.bin, j.segments,
           case s.sign when 1 then j.said_class else j.actual_class end, case s.sign when 1 then j.said_number else j.actual end,
           case s.sign when 1 then j.p_said else j.p_actual end
      from judged j cross join lateral (values (-1), (1)) s (sign) where j.is_correction
  ), kept as (
    insert into pgscore_data.refresh_label (model_id, source_id, key, known_at, captured_at, label, retracted, entity)
    -- A label without a time may have come at the very time that another one names.
    select distinct on (k.entity, k.said_at) k.said_model, k.said_source, k.said_key, k.said_at, k.captured_at, k.said, k.retracted,
           k.entity
      from (select h.said_model, h.said_source, h.said_key, h.said_at, h.captured_at, h.said, h.retracted, h.entity from held h
             where h.place is null
            union all
            select j.said_model, j.said_source, j.said_key, j.said_at, j.captured_at, j.said, j.retracted, j.entity from judged j
             where not j.is_correction) k
     order by k.entity, k.said_at
  ), recalled as (
    insert into pgscore_data.refresh_old_pair
      (entity, model_id, key, version_id, run_id, day, event_time, known_at, age_band, actual_class, predicted_class, actual, score,
       p_actual, bin, rank, class_bins, segments, predicted_values, actual_values, label, source_id, received_at,
       is_recent, place)
    select distinct on (j.entity, j.is_recent, j.place)
           j.entity, j.model_id, j.key, j.version_id, j.run_id, j.day, j.event_time, j.known_at, j.age_band, j.actual_class,
           j.predicted_class, j.actual, j.score, j.p_actual, j.bin, j.rank, j.class_bins, j.segments, j.predicted_values,
           j.actual_values, j.label, j.source_id, j.received_at, j.is_recent, j.place
      from judged j where not j.is_correction
  )
  select count(distinct j.entity), count(*), array(select distinct t.model_id from taken t) into corrected, pairs, models from judged j
   where j.is_correction;
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
  'Takes changes, of all models or of one, out of the queue, corrects what can be where it is, and puts the rest in line with the labels '
  'that its entities have. How many labels changed, entities were corrected, with how many pairs; the last change where more may be '
  'waiting; and the models.';
