-- Which version is better: two of them over the labels that judge both, with an interval of the difference.
-- in: evaluation. out: comparison_due, pairs of versions whose labels changed; compared_result.
-- Experiments and replays fill compared_prediction, too, and read compared_result.

create or replace view pgscore_data.version_pair as
with ready as (
  select v.version_id, v.model_id, e.task, lag(v.version_id) over (partition by v.model_id order by v.number) as predecessor
    from pgscore_data.version v join pgscore_data.execution e using (version_id) where v.state = 'ready'
), pair as (
  select r.model_id, r.version_id, a.version_id as other_id, 'champion' as compared_with, r.task from ready r
    join pgscore_data.alias a on a.model_id = r.model_id and a.alias = 'champion' where a.version_id <> r.version_id
  union all
  select r.model_id, r.version_id, r.predecessor, 'predecessor', r.task from ready r where r.predecessor is not null
)
select p.version_id, p.other_id, p.compared_with, p.task, p.model_id, p.version_id as of_version, p.other_id as of_other,
       null::text as target
  from pair p join ready o on o.version_id = p.other_id and o.task = p.task where p.task not in ('multi_target', 'multilabel')
union all
select n.value_id, x.value_id, p.compared_with, n.task, p.model_id, p.version_id, p.other_id, n.name
  from pair p
  join ready o on o.version_id = p.other_id and o.task = p.task
  join pgscore_data.version_value n on n.version_id = p.version_id
  join pgscore_data.version_value x on x.version_id = p.other_id and x.name = n.name
 where p.task in ('multi_target', 'multilabel');
comment on view pgscore_data.version_pair is
  'Which versions are compared: each one with the champion of its model and with the one before it. Of versions with several values a row, '
  'each value with the one of its name: version_id and other_id are those of the values, of_version and of_other those of the versions.';

create or replace view pgscore_data.comparison_due as
select v.version_id, v.other_id, p.compared_at, p.compare_seconds * n.n_values as compare_seconds, g.by_segment, v.of_version
  from pgscore_data.version_pair v
 cross join lateral (
   select exists (select from pgscore_data.gate g where g.model_id = v.model_id and g.kind = 'no_segment_worse') as by_segment) g
  -- The values of a version share the time that its comparison may take.
 cross join lateral (
   select greatest(1, count(*)) as n_values from pgscore_data.version_value x where x.version_id = v.of_version and v.target is not null) n
  left join pgscore_data.compared_pair p using (version_id, other_id)
  join pgscore_data.calibration_check a on a.version_id = v.of_version
  join pgscore_data.calibration_check b on b.version_id = v.of_other
 where (p.compared_at is null or greatest(a.changed_at, b.changed_at) > p.compared_at or g.by_segment and not p.by_segment
     or p.error is not null and p.compared_at < now() - interval '1 hour')
   and v.model_id not in (select u.model_id from pgscore_data.unread_labels u);
comment on view pgscore_data.comparison_due is
  'Pairs of versions whose labels changed since they were compared, that a gate now compares by segment, or that failed an hour ago.';

create or replace function pgscore_data._compared_since(this_version int, other int) returns timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select coalesce(max(t.trained_until), '-infinity') from pgscore_data.trained_version t
    join pgscore_data.counted_version c on c.of_version = t.version_id where c.version_id in (this_version, other);
end;
comment on function pgscore_data._compared_since(int, int) is
  'Since when predictions of two versions, or values of theirs, are compared. Earlier ones are for a time that one was trained on: it '
  'may have seen the answers.';

create or replace view pgscore_data.split_time as
select a.version_id, e.started_at, coalesce(e.stopped_at, 'infinity') as stopped_at
  from pgscore_data.experiment e join pgscore_data.experiment_arm a using (experiment_id) where e.kind <> 'shadow';
comment on view pgscore_data.split_time is 'When calls of a version may be those of an arm of a split.';

create or replace view pgscore_data.split_prediction as
select e.model_id, e.version_id, e.key, e.event_time, m.pairing in ('latest_before_label', 'latest') as by_newest
  from pgscore_data.evaluation e join pgscore_data.monitor m using (model_id)
 where e.version_id in (select t.version_id from pgscore_data.split_time t)
   and (e.run_id in (select r.run_id from pgscore_data.run r where r.arm_of is not null and r.experiment_id is not null)
     or e.run_id < 0 and exists (select from pgscore_data.split_time t where t.version_id = e.version_id
                                    and e.event_time >= t.started_at and e.event_time < t.stopped_at));
comment on view pgscore_data.split_prediction is
'What arms of splits said, and labels judge. The experiment alone compares it, as no other version was asked about the entity. by_newest: '
'newer labels of the entity do not compare what others said before, either.';

create or replace function pgscore_data._find_common_labels(this_version int, other int, by_segment boolean, since timestamptz) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
begin atomic
  with edges as materialized (
    -- Appending an empty array decompresses the bins once, and not for every row.
    select b.mirrored || '{}'::double precision[] as mirrored from pgscore_data.score_bins b
  ), split as materialized (
    select s.* from pgscore_data.split_prediction s
     where s.model_id = (select c.model_id from pgscore_data.counted_version c where c.version_id = this_version)
  ), counted as not materialized (
    select e.* from pgscore_data.evaluation e
     where e.run_id is not null and e.event_time >= since
       and not exists (select from split s where s.version_id = e.version_id and s.key = e.key and s.event_time = e.event_time)
       and not exists (select from split s where s.by_newest and s.version_id <> e.version_id and s.key = e.key
                          and s.event_time > e.event_time and s.event_time <= e.known_at)
  ), labeled as materialized (
    -- 64 bits stand for the key.
    select e.version_id = other as is_other, hash_array_extended(e.key, 0) as entity, e.known_at, e.day,
           e.actual_class = e.predicted_class as is_hit,
           e.actual_class + 1 = x.positive_class as is_positive, e.predicted_class + 1 = x.positive_class as said_positive,
           e.score - e.actual as error, e.bin, case when by_segment then e.segments end as segments
      from counted e join pgscore_data.execution x using (version_id) where e.version_id in (this_version, other)
    union all
    select n.value_id = other, hash_array_extended(e.key, 0), e.known_at, e.day, t.label = t.truth, t.truth = 1 and n.task = 'binary',
           t.label = 1, case n.task when 'regression' then t.said - t.truth end,
           case n.task when 'binary' then pgscore_data._score_bin(t.said, b.mirrored) end, case when by_segment then e.segments end
      from pgscore_data.version_value n join counted e using (version_id) cross join edges b
     cross join lateral (
       select e.actual_values[n.position] as truth, e.predicted_values[n.position] as said,
              case n.task when 'binary' then e.predicted_values[cardinality(e.actual_values) + n.position] end as label) t
     where n.value_id in (this_version, other) and t.truth is not null
       and case n.task when 'binary' then t.label else t.said end is not null
  ), sliced as (
    select 0 as segment_id, j.* from labeled j
    union all
    select s.segment_id, j.* from labeled j cross join lateral unnest(j.segments) s (segment_id)
  )
  insert into pgscore_data.compared_prediction (segment_id, is_other, entity, day, is_hit, is_positive, said_positive, error, bin)
  select j.segment_id, j.is_other, j.entity, j.day, j.is_hit, j.is_positive, j.said_positive, j.error, j.bin
    from sliced j
   where exists (select from sliced o
                  where o.segment_id = j.segment_id and o.entity = j.entity and o.known_at = j.known_at and o.is_other <> j.is_other);
end;
comment on function pgscore_data._find_common_labels(int, int, boolean, timestamptz) is
  'Notes the predictions of two versions, or of two values, for times from since on, whose label judges both; by segment, too, those that '
  'are in it by both. Not what an arm said in a split, nor what was said of the entity before: see split_prediction.';

create or replace view pgscore_data.compared_entity as
select p.segment_id, p.is_other, p.entity,
       array[count(*), sum(p.is_hit::int), sum((p.said_positive and p.is_positive)::int), sum(p.said_positive::int),
             sum(p.is_positive::int), sum((p.said_positive or p.is_positive)::int),
             sum(abs(p.error)), sum(p.error ^ 2), sum(p.error ^ 4),
             sum(p.brier), sum(p.brier ^ 2), sum(p.log_loss), sum(p.log_loss ^ 2)]::float8[] as sums
  from pgscore_data.compared_prediction p group by p.segment_id, p.is_other, p.entity;
comment on view pgscore_data.compared_entity is 'Sums over the predictions of each entity by each of two versions.';

create or replace view pgscore_data.compared_sum as
select * from (values
  ('accuracy', 2, 1, null, true), ('precision_score', 3, 4, null, true), ('recall_score', 3, 5, null, true),
  ('f1_score', 3, 6, null, false), ('mae', 7, 1, 8, true), ('rmse', 8, 1, 9, false), ('mse', 8, 1, 9, true),
  ('brier_score', 10, 1, 11, true), ('log_loss', 12, 1, 13, true)) x (metric, part, whole, squares, is_mean);
comment on view pgscore_data.compared_sum is
'The sums of compared_entity that a metric is made of, by their positions: part / whole.  squares: the sum of the squares of part, for '
'metrics whose part is not 0 or 1.  is_mean: the metric is part / whole itself.';

create or replace view pgscore_data.compared_part as
with alike as (
  -- Entities of classifiers are all of a few kinds.
  select segment_id, a.sums as a, b.sums as b, count(*)::float8 as entities
    from (select * from pgscore_data.compared_entity e where not e.is_other) a
    full join (select * from pgscore_data.compared_entity e where e.is_other) b using (segment_id, entity)
   group by segment_id, a.sums, b.sums
)
select k.segment_id, x.metric, k.entities, k.a[x.part] as part, k.a[x.whole] as whole, k.a[x.squares] as squares,
       k.b[x.part] as other_part, k.b[x.whole] as other_whole, k.b[x.squares] as other_squares
  from alike k cross join pgscore_data.compared_sum x
 where coalesce(k.a[x.part], k.b[x.part]) is not null;
comment on view pgscore_data.compared_part is
'What so many entities each add to the metrics that are part / whole, of both versions; of F1 that is the share TP / (TP + FP + FN). '
'An entity of one arm of an experiment has no sums of the other.';

create or replace function pgscore_data._compare_parts()
returns table (segment_id int, is_other boolean, metric text, value double precision, low double precision, high double precision,
  n double precision, n_effective double precision, is_enough boolean, correlation double precision,
  standard_error double precision)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  with part as materialized (
    select * from pgscore_data.compared_part
  ), total as materialized (
    select p.segment_id, v.is_other, p.metric, sum(p.entities * v.part) as part, sum(p.entities * v.whole) as whole,
           sum(p.entities * v.squares) as squares,
           sum(p.entities * v.whole ^ 2) as whole2, sum(p.entities * v.whole * v.part) as part_whole, sum(p.entities * v.part ^ 2) as part2
      from part p
     cross join lateral (
       values (false, p.part, p.whole, p.squares), (true, p.other_part, p.other_whole, p.other_squares)) v (is_other, part, whole, squares)
     group by p.segment_id, v.is_other, p.metric having sum(p.entities * v.whole) > 0
  ), together as (
    select a.segment_id, a.metric, sum(p.entities * x.added * x.other_added)
             / nullif(sqrt(sum(p.entities * x.added ^ 2) * sum(p.entities * x.other_added ^ 2)), 0) as correlation
      from total a join total b on b.segment_id = a.segment_id and b.metric = a.metric and b.is_other
      join part p on p.segment_id = a.segment_id and p.metric = a.metric
     cross join lateral (
       select p.part - a.part / a.whole * p.whole as added, p.other_part - b.part / b.whole * p.other_whole as other_added) x
     where not a.is_other group by a.segment_id, a.metric
  )
  select t.segment_id, t.is_other, t.metric,
         case t.metric when 'f1_score' then 2 * x.value / (1 + x.value) when 'rmse' then sqrt(x.value) else x.value end,
         case t.metric when 'f1_score' then 2 * x.low / (1 + x.low) else x.low end,
         case t.metric when 'f1_score' then 2 * x.high / (1 + x.high) else x.high end,
         t.whole, e.n, t.whole >= 30 and x.low is not null, c.correlation, null::float8
    from total t left join together c using (segment_id, metric)
   cross join lateral (
     select case when t.squares is null then pgscore_data._effective_share(t.whole, t.part, t.whole2, t.part_whole, t.part2)
              else t.whole ^ 2 / t.whole2 end as n offset 0) e
   cross join lateral (
     select t.part / t.whole as value, i.low, i.high from pgscore_data._share_interval(t.part, t.whole, e.n) i where t.squares is null
     union all
     select t.part / t.whole, i.* from pgscore_data._mae_interval(t.whole, t.part, t.squares, e.n) i
      where t.metric in ('mae', 'brier_score', 'log_loss')
     union all
     select t.part / t.whole, i.* from pgscore_data._rmse_interval(t.whole, t.part, t.squares, e.n) i where t.metric = 'rmse'
     union all
     select t.part / t.whole, i.low ^ 2, i.high ^ 2 from pgscore_data._rmse_interval(t.whole, t.part, t.squares, e.n) i
      where t.metric = 'mse') x;
end;
comment on function pgscore_data._compare_parts() is
'The metrics that are part / whole, of both versions, with the correlation of both: that of what entities add to one and to the other.';

create or replace view pgscore_data.compared_bin as
with bin as (
  select p.segment_id, p.is_other, p.bin, (count(*) filter (where p.is_positive))::float8 as p,
         (count(*) filter (where not p.is_positive))::float8 as n
    from pgscore_data.compared_prediction p where p.bin is not null group by p.segment_id, p.is_other, p.bin
), ranked as (
  select b.*, sum(b.p) over w as pos, sum(b.n) over w as neg, sum(b.n) over (w order by b.bin) - b.n / 2 as n_below,
         sum(b.p) over (w order by b.bin desc) - b.p / 2 as p_above
    from bin b window w as (partition by b.segment_id, b.is_other)
)
select r.segment_id, r.is_other, r.bin, r.p, r.n, r.pos, r.neg, r.n_below / r.neg as beats, r.p_above / r.pos as loses,
       sum(r.p * r.n_below) over (partition by r.segment_id, r.is_other) / r.pos / r.neg as auc
  from ranked r where r.pos > 0 and r.neg > 0;
comment on view pgscore_data.compared_bin is
'Positives and negatives by score, with the share of negatives below a positive of that score, and of positives above a negative.';

create or replace function pgscore_data._compare_ranking()
returns table (segment_id int, is_other boolean, metric text, value double precision, low double precision, high double precision,
  n double precision, n_effective double precision, is_enough boolean, correlation double precision,
  standard_error double precision)
language sql stable
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
begin atomic
  with bin as materialized (
    select * from pgscore_data.compared_bin
  ), entity as materialized (
    select p.segment_id, p.is_other, p.entity,
           count(*) filter (where p.is_positive) as positives, count(*) filter (where not p.is_positive) as negatives,
           sum(case when p.is_positive then (b.beats - b.auc) / b.pos else (b.loses - b.auc) / b.neg end) as added
      from pgscore_data.compared_prediction p join bin b using (segment_id, is_other, bin)
     group by p.segment_id, p.is_other, p.entity
  ), total as (
    select b.segment_id, b.is_other, b.auc, b.pos, b.neg, sum(b.p * (b.beats - b.auc) ^ 2) / b.pos as beats_variance,
           sum(b.n * (b.loses - b.auc) ^ 2) / b.neg as loses_variance
      from bin b group by b.segment_id, b.is_other, b.auc, b.pos, b.neg
  ), effective as (
    select e.segment_id, e.is_other, sum(e.positives)::float8 ^ 2 / sum(e.positives ^ 2) as positives,
           sum(e.negatives)::float8 ^ 2 / sum(e.negatives ^ 2) as negatives
      from entity e group by e.segment_id, e.is_other
  ), together as (
    select segment_id, sum(a.added * b.added) / nullif(sqrt(sum(a.added ^ 2) * sum(b.added ^ 2)), 0) as correlation
      from (select * from entity e where not e.is_other) a full join (select * from entity e where e.is_other) b using (segment_id, entity)
     group by segment_id
  )
  select t.segment_id, t.is_other, 'roc_auc', t.auc, i.low, i.high, t.pos + t.neg, e.positives + e.negatives,
         least(t.pos, t.neg) >= 10 and t.pos + t.neg >= 30 and i.low is not null, c.correlation, i.standard_error
    from total t join effective e using (segment_id, is_other) left join together c using (segment_id)
   cross join lateral pgscore_data._auc_interval(t.auc, e.positives, e.negatives, t.beats_variance, t.loses_variance) i;
end;
comment on function pgscore_data._compare_ranking() is
'ROC AUC of both versions, with the correlation of both (DeLong, DeLong and Clarke-Pearson 1988).';

create or replace function pgscore_data._difference_margin(margin double precision, other_margin double precision,
  correlation double precision) returns double precision
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
-- Not greatest(0, …), which makes 0 of NULL.
return sqrt(abs(margin ^ 2 - 2 * correlation * margin * other_margin + other_margin ^ 2));
comment on function pgscore_data._difference_margin(double precision, double precision, double precision) is
'How far a bound of the difference of two values is from it, by how far bounds of both are from them.';

create or replace view pgscore_data.compared_result as
with found as materialized (
  select * from pgscore_data._compare_parts() union all select * from pgscore_data._compare_ranking()
)
select segment_id, metric, a.value, a.low as value_low, a.high as value_high, coalesce(a.n, 0) as n,
       b.value as other_value, b.low as other_low, b.high as other_high, coalesce(b.n, 0) as other_n,
       coalesce(a.is_enough and b.is_enough, false) as is_enough, least(a.n_effective, b.n_effective) as n_effective,
       -- The wider of two. MOVER's is too narrow near an AUC of 1, where a few positives score like negatives.
       a.value - b.value - greatest(pgscore_data._difference_margin(a.value - a.low, b.high - b.value, c.r), x.delong) as low,
       a.value - b.value + greatest(pgscore_data._difference_margin(a.high - a.value, b.value - b.low, c.r), x.delong) as high
  from (select * from found f where not f.is_other) a full join (select * from found f where f.is_other) b using (segment_id, metric)
 cross join lateral (
   select case when a.correlation > 0 then greatest(0, least(1, a.correlation) - 1 / sqrt(least(a.n_effective, b.n_effective)))
            else coalesce(a.correlation, 0) end as r) c
 cross join lateral (
   select 1.959963984540054 * pgscore_data._difference_margin(a.standard_error, b.standard_error, c.r) as delong) x;
comment on view pgscore_data.compared_result is
'What the predictions in compared_prediction come to, of both sides, with the 95 % interval of the difference.';
