-- The results of replays. Their predictions are paired with known labels by the rule of the model, and compared with the live predictions
-- of the champion. They never enter cells or pairs, which hold live predictions only.

create or replace function pgscore_data._entity_expression(t pgscore_data.target, label_keys name[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
return case
  when t.is_replay and t.key_columns @> '[{"name": "prediction_id"}, {"name": "asked_at"}, {"name": "key", "sql_type": "text[]"}]'
    then 'p.key'
  else pgscore_data._key_expression(case
    when t.is_replay
      and (select bool_and(t.key_columns @> jsonb_build_array(jsonb_build_object('name', n))) from unnest(label_keys) n)
      then (select jsonb_agg(k order by position)
              from unnest(label_keys) with ordinality x (n, position) join jsonb_array_elements(t.key_columns) k on k ->> 'name' = n)
    else t.key_columns end)
end;
comment on function pgscore_data._entity_expression(pgscore_data.target, name[]) is
  'The expression of the entity that a prediction p is about. Of a replay with more key columns than labels have, by those of the labels.';

create or replace function pgscore_data._replay_query(t pgscore_data.target, m pgscore_data.monitor) returns text
language sql stable
set search_path = pg_catalog, pg_temp
return format($q$
  with prediction as materialized (
    select row_number() over () as n, %1$s as key, p.event_time, %2$s as made_at, %3$s as tie, p.score,
           %4$s as predicted_class
      from pgscore_predictions.%5$I p
     where p.run_id = $1 and p.generation = any ($3) and p.error_code is null
       and p.event_time = pgscore_data._moment(p.event_time, null)
  ), place as (
    select x.key, x.event_time, lead(x.event_time) over w as next_time, row_number() over w as nth,
           count(*) over (partition by x.key) as of
      from (select p.key, p.event_time from prediction p
            union
            select e.key, e.event_time from pgscore_data.evaluation e
             where %9$s and e.model_id = $4 and e.run_id is not null and e.event_time >= $8) x
    window w as (partition by x.key order by x.event_time)
  ), label as materialized (
    select distinct on (e.key, e.known_at) e.key, e.known_at, e.label from pgscore_data.evaluation e where e.model_id = $4
     order by e.key, e.known_at
  ), open as (
    select distinct on (p.key, p.event_time) p.n from prediction p join place x using (key, event_time) where %8$s
     order by p.key, p.event_time, p.made_at desc, p.tie desc
  ), labeled_place as (
    select x.key, x.event_time, max(l.known_at) as known_at, min(l.known_at) as first_known_at
      from place x join label l on l.key = x.key and %6$s
     group by x.key, x.event_time
  ), standing as (
    select distinct on (j.key, j.event_time) p.n, j.known_at, l.label
      from labeled_place j join prediction p using (key, event_time) join label l on l.key = j.key and l.known_at = j.known_at
     order by j.key, j.event_time, %7$s p.made_at > j.first_known_at, case when p.made_at <= j.first_known_at then p.made_at end desc,
              case when p.made_at <= j.first_known_at then p.tie end desc, p.made_at, p.tie
  ), judged as (
    select p.*, s.known_at, e.task, e.positive_class, e.score_unit,
           case when e.task <> 'regression' then pgscore_data._class_of(s.label, e.class_labels, e.class_forms) end as actual_class,
           case when e.task = 'regression' then pgscore_data._measure(p.score) - pgscore_data._number_of(s.label) end as error,
           s.n is null and exists (select from open o where o.n = p.n) as is_awaiting
      from prediction p left join standing s using (n) cross join (select * from pgscore_data.label_reading r where r.version_id = $5) e
  )
  insert into pgscore_data.replay_prediction
    (entity, event_time, in_training, is_awaiting, known_at, is_hit, is_positive, said_positive, error, bin)
  select hash_array_extended(t.key, 0), t.event_time,
         case when t.event_time < $6 then true when (t.event_time < $7) is not true then false end, t.is_awaiting,
         case when t.error is not null or t.actual_class is not null and t.predicted_class is not null then t.known_at end,
         t.actual_class = t.predicted_class, t.actual_class + 1 = t.positive_class, t.predicted_class + 1 = t.positive_class, t.error,
         case when t.task = 'binary' then pgscore_data._score_bin(
           case when t.score_unit is null then t.score else pgscore_data._unit_margin(t.score) end, b.mirrored) end
    from judged t cross join (select b.mirrored || '{}'::double precision[] as mirrored from pgscore_data.score_bins b offset 0) b$q$,
  pgscore_data._entity_expression(t, m.key_columns),
  case when pgscore_data._entity_expression(t, m.key_columns) = 'p.key' then 'p.asked_at' else '''-infinity''::timestamptz' end,
  case when pgscore_data._entity_expression(t, m.key_columns) = 'p.key' then 'p.prediction_id' else '0' end,
  case when t.task in ('regression', 'quantiles') then 'null::smallint' else '(array_position($2, p.label) - 1)::smallint' end,
  'target_' || t.target_id,
  case m.pairing
    when 'latest_before_label' then $c$l.known_at >= x.event_time and (l.known_at < least(x.next_time, $9)) is not false$c$
    when 'within' then format('l.known_at >= x.event_time and l.known_at < x.event_time + %L::interval', m.horizon)
    when 'first' then 'x.nth = 1' when 'latest' then 'x.nth = x.of' else 'true' end,
  case when m.pairing = 'first' then 'p.made_at, p.tie,' end,
  case m.pairing when 'latest_before_label' then 'x.next_time is null and coalesce($9 > now(), true)'
    when 'latest' then 'x.next_time is null' when 'first' then 'x.nth = 1' else 'true' end,
  (m.pairing = 'latest_before_label')::text);
comment on function pgscore_data._replay_query(pgscore_data.target, pgscore_data.monitor) is
'The statement that pairs the predictions of run $1 in a target, of its class labels $2 and generations $3, with the labels of model $4.
It reads them as version $5 does. Predictions before $6 are in training; those before $7 may be. From $8 on live places say what comes next,
as the replay has no rows. With $9 a label known since then judges none. A replay is one run, so places and labels are joined whole.';

create or replace function pgscore_data._pair_replay(this_run bigint, since timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
as $$
declare
  r record;
  is_of_calls boolean;
  window_end timestamptz;
begin
  delete from pgscore_data.replay_month x where x.run_id = this_run;
  select x.generation, x.snapshot_at, p.to_time, v as version, t as target, m as monitor into r
    from pgscore_data.run x join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id)
    join pgscore_data.target t using (target_id) join pgscore_data.replay p using (run_id)
   where x.run_id = this_run;
  if not pgscore_data._can_have_labels(r.target) then
    return;
  end if;
  is_of_calls := pgscore_data._entity_expression(r.target, (r.monitor).key_columns) = 'p.key';
  if is_of_calls or jsonb_array_length((r.target).key_columns) > cardinality((r.monitor).key_columns) then
    -- An entity may have rows past the window.
    window_end := r.to_time;
  end if;
  execute pgscore_data._replay_query(r.target, r.monitor)
    using this_run, (r.target).class_labels, array[r.generation, 0], (r.version).model_id, (r.version).version_id,
          since, (select t.maybe_trained_until from pgscore_data.trained_version t where t.version_id = (r.version).version_id),
          least(r.snapshot_at, window_end), case when not is_of_calls then window_end end;
  insert into pgscore_data.replay_month (run_id, month, in_training, n_predictions, n_labeled, n_awaiting, n_hits, n_positive,
    n_said_positive, n_true_positive, sum_abs_error, sum_error2)
  select this_run, date_trunc('month', p.event_time, (r.monitor).time_zone), p.in_training, count(*), count(p.known_at),
         count(*) filter (where p.is_awaiting), sum(p.is_hit::int), sum(p.is_positive::int), sum(p.said_positive::int),
         sum((p.is_positive and p.said_positive)::int),
         sum(abs(p.error)), sum(p.error ^ 2)
    from pgscore_data.replay_prediction p group by 2, 3;
end
$$;
comment on function pgscore_data._pair_replay(bigint, timestamptz) is
  'Puts the predictions of a replay into replay_prediction, with the labels that judge them, and counts them month by month.';

create or replace function pgscore_data._compare_replay(this_run bigint, other int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
as $$
declare
  began constant timestamptz := clock_timestamp();
  since constant timestamptz := (
    select pgscore_data._compared_since(r.version_id, other) from pgscore_data.run r where r.run_id = this_run);
begin
  delete from pgscore_data.replay_metric m where m.run_id = this_run;
  perform pgscore_data._pair_replay(this_run, since);
  with replayed as materialized (
    select p.*, date_trunc('day', p.event_time, m.time_zone) as day, date_trunc('month', p.event_time, m.time_zone) as month
      from pgscore_data.replay_prediction p
     cross join (select o.time_zone from pgscore_data.version v join pgscore_data.monitor o using (model_id) where v.version_id = other) m
     where p.known_at is not null
  ), split as materialized (
    select s.key, s.event_time from pgscore_data.split_prediction s
     where s.by_newest and s.version_id <> other
       and s.model_id = (select v.model_id from pgscore_data.version v where v.version_id = other)
  ), live as materialized (
    -- Not what was said of an entity before a split gave it to an arm.
    select hash_array_extended(e.key, 0) as entity, e.known_at, e.day, e.actual_class = e.predicted_class as is_hit,
           e.actual_class + 1 = x.positive_class as is_positive, e.predicted_class + 1 = x.positive_class as said_positive,
           e.score - e.actual as error, e.bin, e.event_time
      from pgscore_data.evaluation e join pgscore_data.execution x using (version_id)
     where e.version_id = other and e.run_id is not null
       and not exists (select from split s where s.key = e.key and s.event_time > e.event_time and s.event_time <= e.known_at)
  ), by_month as (
    insert into pgscore_data.replay_month (run_id, month, in_training, is_live, n_predictions, n_labeled, n_awaiting, n_hits, n_positive,
      n_said_positive, n_true_positive, sum_abs_error, sum_error2)
    select this_run, p.month, p.in_training, true, count(*), count(*), 0, sum(l.is_hit::int), sum(l.is_positive::int),
           sum(l.said_positive::int), sum((l.is_positive and l.said_positive)::int), sum(abs(l.error)), sum(l.error ^ 2)
      from live l
      join (select distinct on (r.entity, r.known_at) r.* from replayed r order by r.entity, r.known_at) p using (entity, known_at)
     group by p.month, p.in_training
  ), compared as materialized (
    select false as is_other, p.entity, p.known_at, p.day, p.is_hit, p.is_positive, p.said_positive, p.error, p.bin
      from replayed p where p.in_training is not true
    union all
    select true, l.entity, l.known_at, l.day, l.is_hit, l.is_positive, l.said_positive, l.error, l.bin
      from live l where l.event_time >= since
  )
  insert into pgscore_data.compared_prediction (segment_id, is_other, entity, day, is_hit, is_positive, said_positive, error, bin)
  select 0, j.is_other, j.entity, j.day, j.is_hit, j.is_positive, j.said_positive, j.error, j.bin
    from compared j
   where exists (select from compared o where o.entity = j.entity and o.known_at = j.known_at and o.is_other <> j.is_other);
  insert into pgscore_data.replay_metric (run_id, metric, value, other_value, low, high, n, other_n, is_enough)
  select this_run, c.metric, c.value, c.other_value, c.low, c.high, c.n, c.other_n, c.is_enough
    from pgscore_data.compared_result c;
  update pgscore_data.replay r
     set compared_at = began, other_id = other, n_days = c.n_days, first_day = c.first_day, last_day = c.last_day,
         compare_seconds = extract(epoch from clock_timestamp() - began)
    from (select count(distinct x.day) as n_days, min(x.day) as first_day, max(x.day) as last_day
            from pgscore_data.compared_prediction x where not x.is_other) c
   where r.run_id = this_run;
  truncate pgscore_data.compared_prediction, pgscore_data.replay_prediction;
end
$$;
comment on function pgscore_data._compare_replay(bigint, int) is
  'Compares a replay with the live predictions of a version, over the labels that judge both.';

create or replace function pgscore_data._replay_is_final(r pgscore_data.run) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
return coalesce(r.finished_at <= now() - interval '30 days', false);
comment on function pgscore_data._replay_is_final(pgscore_data.run) is
  'Whether a replay that was compared is compared no more, as it ended too long ago.';

create or replace view pgscore_data.replay_due as
select r.run_id, coalesce(o.version_id, a.version_id) as other_id, r.compared_at, r.compare_seconds
  from pgscore_data.replay r
  join pgscore_data.run x using (run_id)
  join pgscore_data.version v on v.version_id = x.version_id
  left join pgscore_data.execution o on o.version_id = r.other_id
  left join pgscore_data.alias a on a.model_id = v.model_id and a.alias = 'champion'
  join pgscore_data.target t using (target_id)
 where x.state = 'done' and t.task not in ('multi_target', 'multilabel')
   and v.model_id not in (select u.model_id from pgscore_data.unread_labels u)
   and (r.compared_at is null and coalesce(o.version_id, a.version_id) is not null
     or o.version_id is not null and not pgscore_data._replay_is_final(x)
       and (exists (select from pgscore_data.feed_day f where f.model_id = v.model_id and f.feed = 'labels' and f.last_at > r.compared_at)
         or exists (select from pgscore_data.calibration_check c
                     where c.version_id = o.version_id and c.changed_at > r.compared_at)));
comment on view pgscore_data.replay_due is
  'Replays that were not compared yet; and those of 30 days, where labels changed since. What a version is compared with stays when '
  'another is promoted; one that is dropped has no more labels. Not of several values a row.';

create or replace function pgscore_data._compare_replays(patient boolean) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set work_mem = '64MB'
as $$
declare
  due record;
begin
  -- To plan what follows takes longer than all else that a service at rest compares.
  if not exists (select from pgscore_data.replay) then
    return false;
  end if;
  select d.run_id, d.other_id into due
    from pgscore_data.replay_due d join pgscore_data.run r using (run_id)
   where r.target_id <> all ((select pgscore_data._held_targets())::int[])
     and (d.compared_at is null or not patient or clock_timestamp() > d.compared_at + d.compare_seconds * interval '20 seconds')
   order by d.compared_at nulls first limit 1;
  if not found or not pgscore_data._take_turn('cells') then
    return false;
  end if;
  begin
    perform pgscore_data._compare_replay(due.run_id, due.other_id);
  exception when lock_not_available then
    return false;
  when others then
    -- Its target may be gone meanwhile. Live numbers wait for no replay.
    raise warning 'replay % cannot be compared: %', due.run_id, sqlerrm;
    update pgscore_data.replay r set compared_at = clock_timestamp(), compare_seconds = 0, other_id = due.other_id, n_days = null
     where r.run_id = due.run_id;
  end;
  return true;
end
$$;
comment on function pgscore_data._compare_replays(boolean) is
  'Compares one replay that is due. True where another may wait. patient: a replay waits until twenty times as long has passed as its '
  'last comparison took.';
