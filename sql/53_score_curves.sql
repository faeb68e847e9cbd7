-- How the scores of a binary classifier lie, whether they mean what they say, and what another threshold would do.

create or replace view pgscore_bi.score_distribution_daily with (security_barrier) as
select m.name as model_name, v.number::bigint as model_version, w.window_date, w.day as window_start,
       s.low as bin_low, s.high as bin_high, c.outcome, c.n,
       (c.n / sum(c.n) over (partition by m.name, v.number::bigint, w.window_date, c.outcome))::float8 as share,
       null::text as segment_key, null::text as segment_value, (date_trunc('day', w.day at time zone mo.time_zone) + interval '1 day') at time zone mo.time_zone as window_end
  from pgscore_data.visible_model m
  join pgscore_data.monitor mo using (model_id)
  join pgscore_data.version v using (model_id)
  -- Days are few: from those that are asked for to their cells, and not from all cells to their days.
 cross join lateral (select x.day, (x.day at time zone mo.time_zone)::date as window_date from pgscore_data.cell_volume x where x.version_id = v.version_id and x.segment_id = 0 offset 0) w
 cross join lateral (
    select x.bin, 'all' as outcome, x.n from pgscore_data.cell_score x where x.version_id = v.version_id and x.day = w.day and x.n <> 0
    union all
    select x.bin, 'positive', sum(x.n)::bigint from pgscore_data.cell_outcome_score x where x.version_id = v.version_id and x.day = w.day and x.positive group by x.bin having sum(x.n) <> 0
    union all
    select x.bin, 'negative', sum(x.n)::bigint from pgscore_data.cell_outcome_score x where x.version_id = v.version_id and x.day = w.day and not x.positive group by x.bin having sum(x.n) <> 0) c
  join pgscore_data.score_bin s using (bin);
comment on view pgscore_bi.score_distribution_daily is 'How the scores of a binary classifier lie, by day: all of them, and the labelled ones by what was true. Filter by model and day; a day has up to 1,500 bins.';

do $do$
begin
  execute format($q$
    create or replace view pgscore_bi.reliability_curve with (security_barrier) as
    with tenth as (
      select m.name as model_name, v.number::bigint as model_version, (c.window_start at time zone mo.time_zone)::date as window_date, c.window_start, mo.time_zone,
             c.hundredth / 10 as tenth, sum(c.n_positive + c.n_negative) as n, sum(c.n_positive) as positives, sum(c.sum_score) as sum_score
        from pgscore_data.visible_model m
        join pgscore_data.monitor mo using (model_id)
        join pgscore_data.version v using (model_id)
        join pgscore_data.score_curve c using (version_id)
       group by 1, 2, 3, 4, 5, 6
    )
    select t.model_name, t.model_version, t.window_date, t.tenth / 10.0::float8 as bin_low, (t.tenth + 1) / 10.0::float8 as bin_high, t.n::bigint as n, t.sum_score / t.n as mean_score, t.positives / t.n as observed_rate,
           %1$s as ci_low, %2$s as ci_high, null::text as segment_key, null::text as segment_value, t.window_start, (date_trunc('month', t.window_start at time zone t.time_zone) + interval '1 month') at time zone t.time_zone as window_end
      from tenth t$q$, pgscore_data._wilson('t.positives', 't.n', '-'), pgscore_data._wilson('t.positives', 't.n', '+'));
end
$do$;
comment on view pgscore_bi.reliability_curve is 'Whether probabilities mean what they say: for each tenth of the scores, how often the positive class was true, by month.';

create or replace view pgscore_bi.threshold_curve with (security_barrier) as
with months as (
  select m.name as model_name, v.number::bigint as model_version, (c.window_start at time zone mo.time_zone)::date as window_date, c.window_start, mo.time_zone,
         array_agg(c.hundredth) as hundredth, array_agg(c.n_positive) as p, array_agg(c.n_negative) as n, sum(c.n_positive) as all_p, sum(c.n_negative) as all_n
    from pgscore_data.visible_model m
    join pgscore_data.monitor mo using (model_id)
    join pgscore_data.version v using (model_id)
    join pgscore_data.score_curve c using (version_id)
   group by 1, 2, 3, 4, 5
), counted as (
  select y.model_name, y.model_version, y.window_date, y.window_start, y.time_zone, t / 100.0::float8 as threshold, c.tp, c.fp, y.all_p as p, y.all_n as n
    from months y cross join generate_series(0, 99) t
   cross join lateral (
     select coalesce(sum(x.p), 0) as tp, coalesce(sum(x.n), 0) as fp from unnest(y.hundredth, y.p, y.n) as x (hundredth, p, n) where x.hundredth >= t) c
)
select c.model_name, c.model_version, c.window_date, c.threshold, c.tp / nullif(c.p, 0) as true_positive_rate, c.fp / nullif(c.n, 0) as false_positive_rate,
       c.tp / nullif(c.tp + c.fp, 0) as precision_score, c.tp / nullif(c.p, 0) as recall_score, 2 * c.tp / nullif(c.tp + c.fp + c.p, 0) as f1_score, (c.tp + c.fp)::bigint as n_predicted_positive,
       (c.tp + c.fp) / nullif(c.p + c.n, 0) as predicted_positive_rate, c.tp / nullif(c.tp + c.fp, 0) / nullif(c.p / nullif(c.p + c.n, 0), 0) as lift,
       null::text as segment_key, null::text as segment_value, c.window_start, (date_trunc('month', c.window_start at time zone c.time_zone) + interval '1 month') at time zone c.time_zone as window_end
  from counted c;
comment on view pgscore_bi.threshold_curve is 'What a binary classifier would have done with another threshold, in steps of 0.01, by month: also its ROC curve (true against false positive rate), its precision-recall curve, and its gain and lift (true positive rate, and lift, against predicted_positive_rate).';

create or replace view pgscore_bi.roc_curve with (security_barrier) as
with step as (
  select m.name as model_name, v.number::bigint as model_version, c.window_start, mo.time_zone, (c.window_start at time zone mo.time_zone)::date as window_date, c.hundredth / 100.0::float8 as threshold, c.n_positive, c.n_negative
    from pgscore_data.visible_model m
    join pgscore_data.monitor mo using (model_id)
    join pgscore_data.version v using (model_id)
    join pgscore_data.score_curve c using (version_id)
  union all
  select m.name, v.number::bigint, c.window_start, mo.time_zone, (c.window_start at time zone mo.time_zone)::date, 1, 0, 0
    from pgscore_data.visible_model m
    join pgscore_data.monitor mo using (model_id)
    join pgscore_data.version v using (model_id)
   cross join lateral (select distinct x.window_start from pgscore_data.score_curve x where x.version_id = v.version_id) c
), above as (
  select s.*, sum(s.n_positive) over upto as tp, sum(s.n_negative) over upto as fp, sum(s.n_positive) over whole as p, sum(s.n_negative) over whole as n
    from step s
  window whole as (partition by s.model_name, s.model_version, s.window_date), upto as (partition by s.model_name, s.model_version, s.window_date order by s.threshold desc)
)
select a.model_name, a.model_version, null::text as segment_key, null::text as segment_value, a.window_date, a.window_start, (date_trunc('month', a.window_start at time zone a.time_zone) + interval '1 month') at time zone a.time_zone as window_end,
       a.threshold, a.tp / nullif(a.p, 0) as true_positive_rate, a.fp / nullif(a.n, 0) as false_positive_rate,
       a.tp / nullif(a.tp + a.fp, 0) as precision_score, a.tp / nullif(a.p, 0) as recall_score, 2 * a.tp / nullif(a.tp + a.fp + a.p, 0) as f1_score, (a.tp + a.fp)::bigint as n_predicted_positive
  from above a;
comment on view pgscore_bi.roc_curve is 'The ROC curve of a binary classifier, by month: a point for each hundredth of the scores that some have, and the one where nothing is called positive. precision_score against recall_score is its precision-recall curve. roc_auc comes from finer bins: where all scores are below 0.01 the curve has two points.';

do $$
declare
  view text;
begin
  foreach view in array '{score_distribution_daily,reliability_curve,threshold_curve,roc_curve}'::text[] loop
    perform pgscore_data._comment_columns(format('pgscore_bi.%I', view), pgscore_data._detail_meanings());
  end loop;
end
$$;
