-- Which version is better: two of them over the same days, with an interval of the difference.

create or replace view pgscore_data.version_pair as
with ready as (
  select v.version_id, v.model_id, e.task, lag(v.version_id) over (partition by v.model_id order by v.number) as predecessor
    from pgscore_data.version v join pgscore_data.execution e using (version_id) where v.state = 'ready'
), pair as (
  select r.version_id, a.version_id as other_id, 'champion' as compared_with, r.task from ready r join pgscore_data.alias a on a.model_id = r.model_id and a.alias = 'champion' where a.version_id <> r.version_id
  union all
  select r.version_id, r.predecessor, 'predecessor', r.task from ready r where r.predecessor is not null
)
select p.version_id, p.other_id, p.compared_with, p.task from pair p join ready o on o.version_id = p.other_id and o.task = p.task;
comment on view pgscore_data.version_pair is 'Which versions are compared: each one with the champion of its model and with the one before it.';

create or replace function pgscore_data._shares_over(this_version int, days timestamptz[]) returns table (metric text, value double precision, low double precision, high double precision, n bigint, is_enough boolean)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  with counted as (
    select e.task, sum(c.n)::float8 as n, coalesce(sum(c.n) filter (where c.actual_class = c.predicted_class), 0)::float8 as hits,
           coalesce(sum(c.n) filter (where c.actual_class = c.predicted_class and c.actual_class + 1 = e.positive_class), 0)::float8 as tp,
           coalesce(sum(c.n) filter (where c.actual_class <> c.predicted_class and c.predicted_class + 1 = e.positive_class), 0)::float8 as fp,
           coalesce(sum(c.n) filter (where c.actual_class <> c.predicted_class and c.actual_class + 1 = e.positive_class), 0)::float8 as fn
      from pgscore_data.cell_outcome c join pgscore_data.execution e using (version_id)
     where c.version_id = this_version and c.segment_id = 0 and c.day = any (days)
     group by e.task
  )
  select x.metric, case x.metric when 'f1_score' then 2 * x.hits / (x.n + x.hits) else x.hits / x.n end,
         case x.metric when 'f1_score' then 2 * i.low / (1 + i.low) else i.low end, case x.metric when 'f1_score' then 2 * i.high / (1 + i.high) else i.high end, x.n::bigint, x.n >= 30
    from counted c
   cross join lateral (values ('accuracy', 'any', c.hits, c.n), ('precision_score', 'binary', c.tp, c.tp + c.fp), ('recall_score', 'binary', c.tp, c.tp + c.fn), ('f1_score', 'binary', c.tp, c.tp + c.fp + c.fn)) x (metric, task, hits, n)
   cross join lateral pgscore_data._share_interval(x.hits, x.n, x.n) i
   where x.task in ('any', c.task) and x.n > 0;
end;
comment on function pgscore_data._shares_over(int, timestamptz[]) is 'Accuracy, precision, recall and F1 of a version over some days, with Wilson intervals; F1 is 2q / (1 + q) of the share q = TP / (TP + FP + FN).';

create or replace function pgscore_data._errors_over(this_version int, days timestamptz[]) returns table (metric text, value double precision, low double precision, high double precision, n bigint, is_enough boolean)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  with summed as (
    select sum(c.n)::float8 as n, sum(c.sum_abs_error)::float8 as abs_error, sum(c.sum_error2)::float8 as error2, sum(c.sum_error4)::float8 as error4
      from pgscore_data.cell_regression c where c.version_id = this_version and c.segment_id = 0 and c.day = any (days) having sum(c.n) > 0
  )
  select x.metric, x.value, x.low, x.high, s.n::bigint, s.n >= 30 and x.low is not null
    from summed s
   cross join lateral pgscore_data._mae_interval(s.n, s.abs_error, s.error2, s.n) a
   cross join lateral pgscore_data._rmse_interval(s.n, s.error2, s.error4, s.n) q
   cross join lateral (values ('mae', s.abs_error / s.n, a.low, a.high), ('rmse', sqrt(s.error2 / s.n), q.low, q.high)) x (metric, value, low, high);
end;
comment on function pgscore_data._errors_over(int, timestamptz[]) is 'Mean absolute error and root mean squared error of a version over some days, with their intervals; not enough without one.';

create or replace function pgscore_data._ranking_over(this_version int, days timestamptz[]) returns table (metric text, value double precision, low double precision, high double precision, n bigint, is_enough boolean)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  with bins as (
    select c.bin, coalesce(sum(c.n) filter (where c.positive), 0)::float8 as p, coalesce(sum(c.n) filter (where not c.positive), 0)::float8 as n
      from pgscore_data.cell_outcome_score c where c.version_id = this_version and c.day = any (days) group by c.bin having sum(c.n) <> 0
  ), ranked as (
    select b.*, sum(b.p) over () as pos, sum(b.n) over () as neg, sum(b.n) over (order by b.bin) - b.n / 2 as n_below, sum(b.p) over (order by b.bin desc) - b.p / 2 as p_above from bins b
  ), averaged as (
    select r.*, sum(r.p * r.n_below) over () / nullif(r.pos * r.neg, 0) as auc from ranked r
  ), summed as (
    select max(a.auc) as auc, max(a.pos) as pos, max(a.neg) as neg,
           sum(a.p * (a.n_below / nullif(a.neg, 0) - a.auc) ^ 2) / nullif(max(a.pos), 0) as beats_variance, sum(a.n * (a.p_above / nullif(a.pos, 0) - a.auc) ^ 2) / nullif(max(a.neg), 0) as loses_variance
      from averaged a having count(*) > 0
  )
  select 'roc_auc', s.auc, i.low, i.high, (s.pos + s.neg)::bigint, least(s.pos, s.neg) >= 10 and s.pos + s.neg >= 30
    from summed s cross join lateral pgscore_data._auc_interval(s.auc, s.pos, s.neg, s.beats_variance, s.loses_variance) i;
end;
comment on function pgscore_data._ranking_over(int, timestamptz[]) is 'ROC AUC of a version over some days, with its interval.';

create or replace function pgscore_data._metrics_over(this_version int, days timestamptz[]) returns table (metric text, value double precision, low double precision, high double precision, n bigint, is_enough boolean)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select * from pgscore_data._shares_over(this_version, days) union all select * from pgscore_data._errors_over(this_version, days) union all select * from pgscore_data._ranking_over(this_version, days);
end;
comment on function pgscore_data._metrics_over(int, timestamptz[]) is 'What a version came to over some days.';

create or replace function pgscore_data._compare_pair(this_version int, other int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  began timestamptz := clock_timestamp();
  days timestamptz[] := array(select a.day from pgscore_data._mature_days(this_version) a join pgscore_data._mature_days(other) b using (day));
begin
  delete from pgscore_data.compared_pair p where p.version_id = this_version and p.other_id = other;
  insert into pgscore_data.compared_pair (version_id, other_id, compared_at, compare_seconds, n_days, first_day, last_day)
  select this_version, other, began, 0, cardinality(days), min(d), max(d) from unnest(days) d;
  insert into pgscore_data.compared_metric (version_id, other_id, metric, value, value_low, value_high, n, other_value, other_low, other_high, other_n, is_enough)
  select this_version, other, metric, a.value, a.low, a.high, coalesce(a.n, 0), b.value, b.low, b.high, coalesce(b.n, 0), coalesce(a.is_enough and b.is_enough, false)
    from pgscore_data._metrics_over(this_version, days) a full join pgscore_data._metrics_over(other, days) b using (metric);
  update pgscore_data.compared_pair p set compare_seconds = extract(epoch from clock_timestamp() - began) where p.version_id = this_version and p.other_id = other;
end
$$;
comment on function pgscore_data._compare_pair(int, int) is 'Compares two versions over the days that are mature for both.';

create or replace function pgscore_data._compare_versions(patient boolean) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set work_mem = '64MB'
as $$
declare
  pair record;
begin
  -- All days of two versions are read: at most a twentieth of the time goes into that.
  select v.version_id, v.other_id into pair
    from pgscore_data.version_pair v
    left join pgscore_data.compared_pair p using (version_id, other_id)
    join pgscore_data.calibration_check a on a.version_id = v.version_id
    join pgscore_data.calibration_check b on b.version_id = v.other_id
   where p.compared_at is null or greatest(a.changed_at, b.changed_at) > p.compared_at and (not patient or clock_timestamp() > p.compared_at + p.compare_seconds * interval '20 seconds')
   order by p.compared_at nulls first limit 1;
  if not found or not pgscore_data._take_turn('cells') then
    return false;
  end if;
  perform pgscore_data._compare_pair(pair.version_id, pair.other_id);
  return true;
end
$$;
comment on function pgscore_data._compare_versions(boolean) is 'Compares one pair of versions whose labels changed since they were compared; true where another may wait. patient: not before twenty times as long has passed as it took.';

create or replace view pgscore_bi.version_comparison with (security_barrier) as
select m.name as model_name, v.number::bigint as model_version, p.compared_with, o.number::bigint as other_version, k.metric,
       (c.first_day at time zone mo.time_zone)::date as first_date, (c.last_day at time zone mo.time_zone)::date as last_date, coalesce(c.n_days, 0) as n_days,
       x.value as value_a, x.other_value as value_b, x.value - x.other_value as difference,
       x.value - x.other_value - sqrt((x.value - x.value_low) ^ 2 + (x.other_high - x.other_value) ^ 2) as ci_low,
       x.value - x.other_value + sqrt((x.value_high - x.value) ^ 2 + (x.other_value - x.other_low) ^ 2) as ci_high,
       coalesce(x.n, 0) as n_a, coalesce(x.other_n, 0) as n_b,
       case when not coalesce(x.is_enough, false) then 'insufficient_data'
         when x.value - x.other_value > sqrt((x.value - x.value_low) ^ 2 + (x.other_high - x.other_value) ^ 2) then case when k.task = 'regression' then 'worse' else 'better' end
         when x.other_value - x.value > sqrt((x.value_high - x.value) ^ 2 + (x.other_value - x.other_low) ^ 2) then case when k.task = 'regression' then 'better' else 'worse' end
         else 'no_difference' end as verdict,
       c.compared_at,
       case when x.value is null or x.other_value is null then case when c.compared_at is null then 'not_compared' when c.n_days = 0 then 'no_common_mature_day'
         when k.metric = 'precision_score' then 'no_predicted_positives' when k.metric in ('recall_score', 'f1_score') then 'no_positive_labels'
         when k.metric = 'roc_auc' then case when exists (select from pgscore_data.execution e where e.version_id in (p.version_id, p.other_id) and not e.probabilities) then 'no_probabilities' else 'one_class' end
         else 'no_labels' end end as undefined_reason
  from pgscore_data.visible_model m
  join pgscore_data.monitor mo using (model_id)
  join pgscore_data.version v using (model_id)
  join pgscore_data.version_pair p using (version_id)
  join pgscore_data.version o on o.version_id = p.other_id
  join (values ('binary', 'accuracy'), ('binary', 'precision_score'), ('binary', 'recall_score'), ('binary', 'f1_score'), ('binary', 'roc_auc'), ('multiclass', 'accuracy'), ('regression', 'mae'), ('regression', 'rmse')) k (task, metric) on k.task = p.task
  left join pgscore_data.compared_pair c on c.version_id = p.version_id and c.other_id = p.other_id
  left join pgscore_data.compared_metric x on x.version_id = p.version_id and x.other_id = p.other_id and x.metric = k.metric;
comment on view pgscore_bi.version_comparison is
'Whether a version is better than the champion and than the one before it, by each metric, over the days that are mature for both. The 95 % interval is that of a difference between independent samples, made of the intervals of both values (Newcombe 1998, method 11, for shares; Zou and Donner 2008 for the others). Versions that scored the same entities are not independent: their true interval is narrower as a rule, so that a verdict of better or worse stands, and no_difference may be due to that. Two versions that scored different entities on the same days differ by these, too.';
do $$
begin
  perform pgscore_data._comment_columns('pgscore_bi.version_comparison', pgscore_data._detail_meanings() || '{
    "undefined_reason": "Why a value is NULL: not_compared (yet), no_common_mature_day, no_predicted_positives, no_positive_labels, one_class, or no_probabilities (a version says labels only), of one of them at least."
  }');
end
$$;

-- Nothing of ours reads it any more.
do $$
begin
  drop table if exists pgscore_data.cell_outcome_score_before;
exception
  when dependent_objects_still_exist then
    raise warning 'pgscore_data.cell_outcome_score_before stays, as views that others made read it; drop them, then it' using detail = sqlerrm;
end
$$;
