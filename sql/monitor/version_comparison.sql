-- Which version is better, and by how much.
-- in: compared_metric, replay_metric, replay_month. out: pgscore_bi.version_comparison, replay_performance_monthly.

create or replace view pgscore_data.compared_kind as
select * from (values
  ('binary', 'accuracy'), ('binary', 'precision_score'), ('binary', 'recall_score'), ('binary', 'f1_score'), ('binary', 'roc_auc'),
  ('multiclass', 'accuracy'), ('regression', 'mae'), ('regression', 'rmse')) x (task, metric);
comment on view pgscore_data.compared_kind is 'By which metrics versions are compared.';

create or replace view pgscore_data.comparison as
with found as (
  select p.model_id, p.of_version as version_id, p.of_other as other_id, p.compared_with, k.task, k.metric, c.first_day, c.last_day,
         c.n_days, x.value, x.other_value, x.low, x.high, x.n, x.other_n, x.is_enough,
         case when c.error is null then c.compared_at end as compared_at,
         null::bigint as run_id, c.leaves_out, p.target
    from pgscore_data.version_pair p
    join pgscore_data.compared_kind k on k.task = p.task
    left join pgscore_data.compared_pair c on c.version_id = p.version_id and c.other_id = p.other_id
    left join pgscore_data.compared_metric x
      on x.version_id = p.version_id and x.other_id = p.other_id and x.segment_id = 0 and x.metric = k.metric
  union all
  select v.model_id, v.version_id, coalesce(r.other_id, a.version_id), 'champion', k.task, k.metric, r.first_day, r.last_day, r.n_days,
         x.value, x.other_value, x.low, x.high, x.n, x.other_n, x.is_enough,
         case when r.n_days is not null then r.compared_at end, r.run_id,
         exists (select from pgscore_data.replay_month m where m.run_id = r.run_id and m.in_training), null
    from pgscore_data.replay r
    join pgscore_data.run using (run_id)
    join pgscore_data.version v using (version_id)
    join pgscore_data.scored_version e using (version_id)
    join pgscore_data.compared_kind k on k.task = e.task
    left join pgscore_data.alias a on a.model_id = v.model_id and a.alias = 'champion'
    left join pgscore_data.replay_metric x on x.run_id = r.run_id and x.metric = k.metric
   where run.state = 'done'
)
select f.model_id, f.version_id, f.other_id, f.compared_with, f.task, f.metric, f.first_day, f.last_day, f.n_days, f.value, f.other_value,
       f.value - f.other_value as difference, f.low, f.high, f.n, f.other_n, f.is_enough, f.compared_at, f.run_id,
       case when f.first_day <= v.maybe_trained_until - interval '1 day' then 'unknown'
         when f.first_day <= o.maybe_trained_until - interval '1 day' then 'other_unknown'
         when f.leaves_out then 'left_out' when f.first_day is not null then 'none' end as in_training, f.target
  from found f
  join pgscore_data.trained_version v on v.version_id = f.version_id
  left join pgscore_data.trained_version o on o.version_id = f.other_id;
comment on view pgscore_data.comparison is 'All comparisons by all metrics: of versions, and of replays with the live champion.';

create or replace view pgscore_bi.version_comparison with (security_barrier) as
select m.name as model_name, v.number::bigint as model_version, p.compared_with, o.number::bigint as other_version, p.metric,
       (p.first_day at time zone m.time_zone)::date as first_date, (p.last_day at time zone m.time_zone)::date as last_date,
       coalesce(p.n_days, 0) as n_days,
       p.value as value_a, p.other_value as value_b, p.difference, p.low as ci_low, p.high as ci_high,
       coalesce(p.n, 0) as n_a, coalesce(p.other_n, 0) as n_b,
       case when not coalesce(p.is_enough, false) then 'insufficient_data'
         when p.low > 0 then case k.better when 'high' then 'better' when 'low' then 'worse' end
         when p.high < 0 then case k.better when 'high' then 'worse' when 'low' then 'better' end
         else 'no_difference' end as verdict,
       p.compared_at,
       case when p.value is null
         or p.other_value is null then case when p.compared_at is null then 'not_compared' when p.n_days = 0 then 'no_common_labels'
         when p.metric = 'precision_score' then 'no_predicted_positives'
           when p.metric in ('recall_score', 'f1_score') then 'no_positive_labels'
         when p.metric = 'roc_auc' then case when exists (select from pgscore_data.execution e
                                                           where e.version_id in (p.version_id, p.other_id) and not e.probabilities)
                                                                 then 'no_probabilities' else 'one_class' end
         else 'no_labels' end end as undefined_reason,
       p.run_id is not null as is_replayed, p.run_id as replay_run, p.in_training, p.target
  from pgscore_data.visible_model m
  join pgscore_data.comparison p using (model_id)
  join pgscore_data.metric_kind k using (metric)
  join pgscore_data.version v on v.version_id = p.version_id
  join pgscore_data.version o on o.version_id = p.other_id;
comment on view pgscore_bi.version_comparison is
'Whether a version is better than the champion and than the one before it, by each metric, over the labels that judge a prediction of '
'both. Other labels count for neither. The 95 % interval of the difference is made of the intervals of both values and of their '
'correlation (Zou 2007; for shares Newcombe 1998, Stat Med 17:2635, method 10); that of ROC AUC also leaves open what DeLong 1988 does. '
'Labels of one entity are not taken for independent. '
'Where is_replayed, model_version replayed the past, and other_version, the champion when the replay was asked for, predicted live. '
'A model of several targets or labels has rows of each, which target names.';
select pgscore_data._comment_columns('pgscore_bi.version_comparison', pgscore_data._detail_meanings() || '{
  "metric": "Which metric it is: accuracy, precision_score, recall_score, f1_score or roc_auc; mae or rmse of regressions.",
  "in_training": "Whether predictions are for a time that one of both versions was trained on. none; left_out: some are, and are left out '
    'here; unknown: some are for days before the deploy of model_version, which does not say until when it was trained, so it may have '
    'seen the answers; other_unknown: the same of other_version. NULL: nothing is compared.",
  "undefined_reason": "Why a value is NULL: not_compared (yet), no_common_labels, no_predicted_positives, no_positive_labels, '
    'one_class, or no_probabilities (a version says labels only), of one of them at least.",
  "target": "The target or label that the row is about, of a model that gives several; NULL: it gives one."
}');

create or replace view pgscore_bi.replay_performance_monthly with (security_barrier) as
with valued as (
  select r.*, v.model_id, v.number, k.metric, case k.metric
         when 'accuracy' then r.n_hits::float8 / nullif(r.n_labeled, 0)
         when 'precision_score' then r.n_true_positive::float8 / nullif(r.n_said_positive, 0)
         when 'recall_score' then r.n_true_positive::float8 / nullif(r.n_positive, 0)
         when 'f1_score' then 2.0::float8 * r.n_true_positive / nullif(r.n_positive + r.n_said_positive, 0)
         when 'mae' then r.sum_abs_error / nullif(r.n_labeled, 0)
         when 'rmse' then sqrt(r.sum_error2 / nullif(r.n_labeled, 0)) end as value
    from pgscore_data.replay_month r
    join pgscore_data.run using (run_id)
    join pgscore_data.version v using (version_id)
    join pgscore_data.scored_version e using (version_id)
    join pgscore_data.compared_kind k on k.task = e.task and k.metric <> 'roc_auc'
)
select r.run_id as replay_run, m.name as model_name, r.number::bigint as model_version,
       (r.month at time zone m.time_zone)::date as window_date, r.month as window_start, x.window_end,
       null::text as segment_key, null::text as segment_value, r.in_training, r.n_predictions, r.n_labeled,
       r.n_labeled::float8 / nullif(r.n_labeled + r.n_awaiting, 0) as label_coverage,
       r.n_labeled > 0 and r.n_labeled >= m.min_label_coverage * (r.n_labeled + r.n_awaiting) as is_mature, r.metric, r.value,
       coalesce(p.from_time > r.month, false) or coalesce(p.to_time < x.window_end, false)
         or count(*) over (partition by r.run_id, r.month, r.metric) > 1 as is_partial,
       o.number::bigint as live_version, coalesce(l.n_labeled, 0) as n_live_labeled, l.value as live_value,
       r.n_awaiting, r.n_predictions - r.n_labeled - r.n_awaiting as n_superseded
  from valued r
  join pgscore_data.replay p using (run_id)
  join pgscore_data.visible_model m using (model_id)
 cross join lateral (
   select (date_trunc('month', r.month at time zone m.time_zone) + interval '1 month') at time zone m.time_zone as window_end) x
  left join pgscore_data.version o on o.version_id = p.other_id
  left join valued l on l.is_live and (l.run_id, l.month, l.metric) = (r.run_id, r.month, r.metric)
   and l.in_training is not distinct from r.in_training
 where not r.is_live;
comment on view pgscore_bi.replay_performance_monthly is
'What replays came to by month, over all labels that judge a replayed prediction, and beside it what the champion came to live over those '
'of them that judge both.';
select pgscore_data._comment_columns('pgscore_bi.replay_performance_monthly', pgscore_data._detail_meanings() || '{
  "window_date": "First day of the month, of the times that its predictions are for.",
  "in_training": "Whether they are for a time that the version, or live_version, was trained on: it may have seen the answers. NULL: '
    'they are older than the version, which does not say until when it was trained. A month in which its training data end has two rows '
    'a metric.",
  "n_predictions": "Replayed predictions without an error.",
  "n_labeled": "Those that a label judges.",
  "label_coverage": "Of the predictions that a label judges or may still judge, the share that one judges.",
  "value": "The metric.",
  "is_partial": "Whether the row is of a part of the month: the window begins or ends in it, or the version was trained in it.",
  "live_version": "The version that was champion when the replay was asked for; NULL: it is not compared yet.",
  "n_live_labeled": "Labels that judge both a replayed and a live prediction.",
  "live_value": "The metric of the live predictions of live_version over these labels."
}');
