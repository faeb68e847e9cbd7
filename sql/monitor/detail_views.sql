-- What analysts read beyond ratios: where a model stands now, what it confuses, how many labels it has, what was done to it.
-- out: pgscore_bi.confusion_matrix_daily, label_coverage_daily, current_model_health, model_events, refresh_log, rollup_audit.

create or replace function pgscore_data._detail_meanings() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._metric_meanings() || '{
  "task": "binary, multiclass, regression, multi_target, multilabel or embedding; a model of quantiles is a regression.",
  "is_champion": "Whether the bare model name means this version.",
  "last_scored_at": "When a run of the version was last done, or a call of score() was last asked that is kept.",
  "n_24h": "Predictions of runs that were done in the last 24 hours, and of calls since the hour in which these began.",
  "latest_window": "First day of the newest month that is mature, has 30 labels and is not in training.",
  "metric": "Which metric it is: accuracy of classifiers, mae of regressions.",
  "value": "Its value in that month.",
  "ci_low": "Lower bound of the 95 % interval.",
  "ci_high": "Upper bound.",
  "value_before": "Its value in the last such month before it.",
  "change": "value - value_before.",
  "roc_auc_now": "Area under the ROC curve in that month, of a binary classifier.",
  "roc_auc_now_ci_low": "Lower bound of its 95 % interval.",
  "label_source": "Table or view that the labels come from.",
  "freshness_seconds": "Seconds since a refresh last changed something.",
  "n_waiting": "Labels that the next refresh takes, counted to 100,000.",
  "open_alerts": "Alerts of the version that are raised now; of the champion, also those of the model.",
  "drift_share": "Share of the features that drifted on the newest day with enough rows to tell.",
  "previous_version": "Number of the ready version before this one.",
  "change_from_previous_version": "The metric of this version less that of the previous one, over the labels that judge both: '
    'version_comparison has its interval.",
  "label_age": "How old predictions were when their label became known, at most.",
  "bin_low": "Scores above this; where it is a hundredth, from it on.",
  "bin_high": "Scores up to this; where it is a hundredth, below it.",
  "outcome": "all predictions, or the labelled ones that were positive or negative.",
  "share": "Share of the window''s predictions of that outcome.",
  "mean_score": "Mean of the scores.",
  "observed_rate": "Share that was positive.",
  "threshold": "If positive were called from this score on; NULL: from none.",
  "true_positive_rate": "Of the positives, the share from it on.",
  "false_positive_rate": "Of the negatives, the share from it on.",
  "true_positive_rate_ci_low": "Lower bound of the 95 % Wilson interval; also of recall_score, which is the same.",
  "n_predicted_positive": "Labelled predictions from it on.",
  "predicted_positive_rate": "Of the labelled predictions, the share from it on.",
  "lift": "How many times as frequent positives are from it on as among all.",
  "is_replayed": "Whether value_a is of a replay: of what the version would have said.",
  "replay_run": "The run that replayed; NULL: none.",
  "compared_with": "champion: the version that the bare model name means, of a replay when it was asked for; or '
    'predecessor: the ready version before this one.",
  "other_version": "Number of the version that it is compared with.",
  "first_date": "First of the days that the predictions of model_version are for which the comparison rests on: those that a label judges '
    'which also judges one of other_version.",
  "last_date": "Last of them.",
  "n_days": "How many they are.",
  "value_a": "The metric of model_version over these predictions.",
  "value_b": "The metric of other_version over its predictions that the same labels judge.",
  "difference": "value_a - value_b.",
  "n_a": "Labelled predictions that value_a is a share or mean of: for precision those that were called positive, for recall the '
    'positives.",
  "n_b": "The same of value_b.",
  "verdict": "What model_version is against other_version: better or worse where the interval leaves out 0, no_difference where it does '
    'not, insufficient_data with less than 30 predictions (for roc_auc, less than 10 of each class) on either side, or no label that '
    'judges both.",
  "compared_at": "When they were compared; NULL: not yet. After set_labels() the row is of the earlier labels until it is compared again.",
  "expected_mature_on": "Day by which the labels should be there, by the monitor''s label_maturity.",
  "median_label_delay_days": "Days from a prediction''s time to its label, at the median, as the upper end of a band of 1, 7, 30 or 90 '
    'days; NULL beyond.",
  "n_labeled_1_day": "Those of them whose label was known within a day of the time that they are for.",
  "n_labeled_7_days": "Within 7 days: those of a day, too.",
  "n_labeled_30_days": "Within 30 days.",
  "n_labeled_90_days": "Within 90 days.",
  "entity_key": "Key of what was predicted.",
  "event_time": "The time that the prediction was for.",
  "known_at": "When the truth became known.",
  "label_delay_days": "Days from one to the other.",
  "score": "What the version said: the probability of the positive class, or the value.",
  "predicted": "The class it said.",
  "actual": "The truth.",
  "error": "Prediction minus truth.",
  "is_correct": "Whether they are the same class.",
  "run": "The run that made the prediction, of runs that say the same of a time the first; NULL for one that was asked for online.",
  "online_prediction": "Its prediction_id in pgscore.online_predictions, where score() or its like asked for it; NULL for one of a run.",
  "started_at": "When the refresh began.",
  "labels_changed": "Changed labels that it took.",
  "entities": "Entities whose pairs it looked at.",
  "pairs_removed": "Pairs that were taken apart.",
  "pairs_added": "Pairs that were made.",
  "runs_seen": "Finished runs whose predictions it counted.",
  "duration_ms": "How long it took.",
  "checked_at": "When the day was counted again.",
  "cells_checked": "Cells that were compared.",
  "cells_different": "Cells that were wrong: 0, unless there is a defect; pgscore.rebuild() repairs.",
  "time": "When.",
  "timeend": "Until when; NULL for an instant.",
  "text": "What happened.",
  "tags": "Words to filter by, comma-separated.",
  "view_name": "The view.",
  "column_name": "The column.",
  "data_type": "Its type.",
  "meaning": "What it means.",
  "formula": "How it is computed, of metrics.",
  "golden_reference": "What its values were compared with, of metrics: the views say the same to 12 digits, unless a bound is named."
}'::jsonb;
comment on function pgscore_data._detail_meanings() is 'What the columns of the detail views mean.';

select pgscore_data._make_view('confusion_matrix_daily', format($q$
  select m.name as model_name, v.number::bigint as model_version, s.segment_key, s.segment_value, w.window_date, w.day as window_start,
         ((date_trunc('day', w.day at time zone m.time_zone) + interval '1 day') at time zone m.time_zone) as window_end,
         e.class_labels[c.actual_class + 1] as actual_class, e.class_labels[c.predicted_class + 1] as predicted_class, c.n::bigint as n,
         c.n / c.support as share_of_actual,
         c.n_labeled::bigint as n_labeled, %1$s as label_coverage, %2$s as is_mature,
         i.share_low as share_of_actual_ci_low, i.share_high as share_of_actual_ci_high%3$s
    from pgscore_data.visible_model m
    join pgscore_data.version v using (model_id)
    join pgscore_data.scored_version e on e.version_id = v.version_id and e.task in ('binary', 'multiclass')
    join pgscore_data.slice s using (model_id)
    -- From the days that are asked for to their cells, and not from all cells to their days.
    -- By m, too: else the planner may read the cells of all models' versions before it asks whose they are.
   cross join lateral (
     select x.day, (x.day at time zone m.time_zone)::date as window_date, x.n_predictions, x.n_awaiting
       from pgscore_data.day_volume x
      where v.model_id = m.model_id and x.version_id = v.version_id and x.segment_id = s.segment_id and x.n_predictions <> 0 offset 0) w
   cross join lateral (
     select x.actual_class, x.predicted_class, sum(x.n)::float8 as n, sum(sum(x.n)::float8) over (partition by x.actual_class) as support,
            sum(sum(x.n)::float8) over () as n_labeled
       from pgscore_data.cell_outcome x where x.version_id = v.version_id and x.segment_id = s.segment_id and x.day = w.day and x.n <> 0
      group by x.actual_class, x.predicted_class) c$q$ || pgscore_data._join_training('v.version_id')
  || pgscore_data._join_repeats('''day''', 's.segment_id', 'w.day', 'null::float8', '{{share,c.n,c.support,NULL}}'),
  pgscore_data._coverage('c.n_labeled', 'w.n_awaiting'), pgscore_data._is_mature('c.n_labeled', 'w.n_awaiting'),
  pgscore_data._training_column('w.day')),
  'What each version of a classifier said and what was true, counted by day and segment. Of all predictions: where segment_key is null.',
  pgscore_data._detail_meanings());

create or replace view pgscore_bi.label_coverage_daily with (security_barrier) as
select m.name as model_name, v.number::bigint as model_version, (w.day at time zone m.time_zone)::date as window_date,
       w.day as window_start, w.n_predictions, coalesce(c.n, 0)::bigint as n_labeled,
       coalesce(c.n, 0)::float8 / nullif(coalesce(c.n, 0) + w.n_awaiting, 0) as label_coverage,
       coalesce(c.n, 0) > 0 and c.n >= m.min_label_coverage * (c.n + w.n_awaiting) as is_mature,
       (case when c.n is null then null when c.upto0 * 2 >= c.n then 1 when c.upto1 * 2 >= c.n then 7 when c.upto2 * 2 >= c.n then 30
          when c.upto3 * 2 >= c.n then 90 end)::float8 as median_label_delay_days,
       ((date_trunc('day', w.day at time zone m.time_zone) + interval '1 day') + m.label_maturity)::date as expected_mature_on,
       null::text as segment_key, null::text as segment_value,
       (date_trunc('day', w.day at time zone m.time_zone) + interval '1 day') at time zone m.time_zone as window_end,
       coalesce(c.upto0, 0)::bigint as n_labeled_1_day, coalesce(c.upto1, 0)::bigint as n_labeled_7_days,
       coalesce(c.upto2, 0)::bigint as n_labeled_30_days, coalesce(c.upto3, 0)::bigint as n_labeled_90_days,
       w.n_awaiting, (w.n_predictions - coalesce(c.n, 0) - w.n_awaiting)::bigint as n_superseded
  from pgscore_data.visible_model m
  join pgscore_data.version v using (model_id)
  join pgscore_data.day_volume w using (version_id)
  left join lateral (
    select sum(x.n) as n, sum(x.n) filter (where x.age_band <= 0) as upto0, sum(x.n) filter (where x.age_band <= 1) as upto1,
           sum(x.n) filter (where x.age_band <= 2) as upto2, sum(x.n) filter (where x.age_band <= 3) as upto3
      from (select o.age_band, o.n from pgscore_data.cell_outcome o where o.version_id = v.version_id and o.segment_id = 0 and o.day = w.day
            union all select r.age_band, r.n from pgscore_data.cell_regression r
      where r.version_id = v.version_id and r.segment_id = 0 and r.day = w.day) x
    having sum(x.n) > 0) c on true
 where w.segment_id = 0 and w.n_predictions <> 0;
comment on view pgscore_bi.label_coverage_daily is
  'How much of the truth is known, by the day that predictions are for, how long it took, and by when the rest should be.';

create or replace view pgscore_bi.current_model_health with (security_barrier) as
with performance as (
  select p.model_name, p.model_version, 'accuracy' as metric, p.window_date, p.accuracy as value, p.accuracy_ci_low as ci_low,
         p.accuracy_ci_high as ci_high, p.roc_auc, p.roc_auc_ci_low, p.roc_auc_ci_high, p.is_mature, p.n_labeled, p.in_training
    from pgscore_bi.binary_performance_monthly p where p.segment_key is null and p.target is null
  union all select p.model_name, p.model_version, 'accuracy', p.window_date, p.accuracy, p.accuracy_ci_low, p.accuracy_ci_high, null, null,
    null, p.is_mature, p.n_labeled, p.in_training from pgscore_bi.multiclass_performance_monthly p where p.segment_key is null
  union all select p.model_name, p.model_version, 'mae', p.window_date, p.mae, p.mae_ci_low, p.mae_ci_high, null, null, null, p.is_mature,
    p.n_labeled, p.in_training from pgscore_bi.regression_performance_monthly p where p.segment_key is null and p.target is null
), mature as (
  select p.*, row_number() over (partition by p.model_name, p.model_version order by p.window_date desc) as age,
         lead(p.value) over (partition by p.model_name, p.model_version order by p.window_date desc) as value_before
    from performance p where p.is_mature and p.n_labeled >= 30 and p.in_training is not true
)
select m.name as model_name, v.number::bigint as model_version, coalesce(v.signature ->> 'kind', v.signature ->> 'task') as task,
       exists (select from pgscore_data.alias a where a.version_id = v.version_id and a.alias = 'champion') as is_champion,
       greatest((select max(r.finished_at) from pgscore_data.run r
                  where r.version_id = v.version_id and r.state = 'done' and not r.is_replay),
         (select h.last_at from pgscore_data.online_hour h where h.version_id = v.version_id order by h.hour desc limit 1))
           as last_scored_at,
       ((select coalesce(sum(r.rows_done - r.rows_failed), 0) from pgscore_data.run r
          where r.version_id = v.version_id and r.state = 'done' and not r.is_replay
            and r.finished_at > now() - interval '24 hours')
         + (select coalesce(sum(h.n_predictions), 0) from pgscore_data.online_hour h
             where h.version_id = v.version_id and h.hour > now() - interval '25 hours'))::bigint as n_24h,
       w.n_predictions, w.n_labeled, w.n_labeled::float8 / nullif(w.n_labeled + w.n_awaiting, 0) as label_coverage,
       p.window_date as latest_window, p.metric, p.value, p.ci_low, p.ci_high, p.value_before, p.value - p.value_before as change,
       p.roc_auc as roc_auc_now,
       s.source_schema || '.' || s.source_name as label_source,
       extract(epoch from now() - (select max(l.started_at) from pgscore_data.refresh_log l))::float8 as freshness_seconds,
       (select count(*) from (select from pgscore_data.label_change c where c.model_id = m.model_id limit 100000) c) as n_waiting,
       (select count(*) from pgscore_data.alert a
         where a.model_id = m.model_id and a.state in ('firing', 'no_data') and (a.version_id = v.version_id
          or a.version_id = 0 and exists (select from pgscore_data.alias x where x.version_id = v.version_id and x.alias = 'champion')))
            as open_alerts,
       (select (count(*) filter (where d.status in ('warning', 'alert')))::float8 / nullif(count(*), 0)
          from pgscore_data.feature_set f
         cross join lateral (select x.day from pgscore_data.drift_value x
                              where x.set_id = f.set_id and x.status <> 'insufficient_data' order by x.day desc limit 1) l
          join pgscore_data.drift_value d on d.set_id = f.set_id and d.day = l.day and d.status <> 'insufficient_data'
         where f.version_id = v.version_id) as drift_share,
       b.number::bigint as previous_version, b.change as change_from_previous_version,
       p.n_labeled as n, case when p.value is null then case when w.n_predictions = 0 then 'no_predictions'
                                                          when w.n_labeled = 0 then 'no_labels'
                                                          when e.task in ('multi_target', 'multilabel') then 'several_values'
                                                            else 'no_mature_window' end end as undefined_reason,
       p.roc_auc_ci_low as roc_auc_now_ci_low, p.roc_auc_ci_high as roc_auc_now_ci_high,
       w.n_awaiting, w.n_predictions - w.n_labeled - w.n_awaiting as n_superseded
  from pgscore_data.visible_model m
  join pgscore_data.version v using (model_id)
  join pgscore_data.execution e using (version_id)
  left join pgscore_data.label_source s using (model_id)
  left join mature p on p.model_name = m.name and p.model_version = v.number and p.age = 1
  left join lateral (
    select o.number, x.value - x.other_value as change
      from pgscore_data.version o
      left join pgscore_data.compared_metric x on x.version_id = v.version_id and x.other_id = o.version_id
        and x.metric = case e.task when 'regression' then 'mae' else 'accuracy' end
     where o.model_id = m.model_id and o.state = 'ready' and o.number < v.number order by o.number desc limit 1) b on true
 cross join lateral (
   select coalesce((select sum(x.n_predictions) from pgscore_data.cell_volume x where x.version_id = v.version_id and x.segment_id = 0),
                   0)::bigint as n_predictions,
          coalesce((select sum(x.n) from pgscore_data.cell_open x
                     where x.version_id = v.version_id and x.segment_id = 0 and x.closes_at > now()), 0)::bigint as n_awaiting,
          (coalesce((select sum(x.n) from pgscore_data.cell_outcome x where x.version_id = v.version_id and x.segment_id = 0),
                    0) + coalesce((select sum(x.n) from pgscore_data.cell_regression x
                                    where x.version_id = v.version_id and x.segment_id = 0), 0))::bigint as n_labeled) w
 where v.state = 'ready';
comment on view pgscore_bi.current_model_health is
  'Where each version of each model stands now: the first thing to look at. One row a version.';

create or replace view pgscore_bi.model_events with (security_barrier) as
select a.at as "time", null::timestamptz as timeend, a.model || coalesce('@' || a.version, '') || ': ' || a.action
    || coalesce(' ' || nullif(a.detail ->> 'alias', ''), '') || ' by ' || a.actor
    || coalesce(', arms ' || (a.detail ->> 'arms'), '')
    || coalesce(case when (a.detail ->> 'force')::boolean then ', forced: ' else ', because: ' end || (a.detail ->> 'reason'), '')
    || coalesce(', not passed: ' || (select string_agg(rtrim(f, '.'), '; ') from jsonb_array_elements_text(a.detail -> 'failed') f),
                '') as text,
       concat_ws(',', 'pgscore', a.action, a.model) as tags
  from pgscore_data.audit a join pgscore_data.visible_model m on m.name = a.model
 where a.action in ('deploy', 'promote', 'rollback', 'set_alias', 'drop_version', 'monitor', 'monitor_features', 'set_baseline', 'rebuild',
                    'set_alert', 'drop_alert', 'start_experiment', 'set_arms', 'stop_experiment')
union all
select e.at, null, m.name || coalesce('@' || v.number, '') || ': ' || e.rule || ' ' || e.event || coalesce(' (' || e.reason || ')', '')
    || coalesce(', ' || e.metric || ' ' || round(e.value::numeric, 4), ''),
       concat_ws(',', 'pgscore', 'alert', e.event, m.name)
  from pgscore_data.alert_event e join pgscore_data.visible_model m using (model_id) left join pgscore_data.version v using (version_id)
 where e.event <> 'reminder';
comment on view pgscore_bi.model_events is 'What was done to models and what alerts said of them, in the shape of Grafana''s annotations.';

create or replace view pgscore_bi.refresh_log as
select l.started_at, l.labels_changed, l.entities, l.pairs_removed, l.pairs_added, l.runs_seen, l.duration_ms
  from pgscore_data.refresh_log l;
comment on view pgscore_bi.refresh_log is 'Refreshes that changed something, of all models.';

create or replace view pgscore_bi.rollup_audit with (security_barrier) as
select m.name as model_name, v.number::bigint as model_version, (a.day at time zone m.time_zone)::date as window_date, a.checked_at,
       a.cells_checked, a.cells_different
  from pgscore_data.rollup_audit a join pgscore_data.version v using (version_id) join pgscore_data.visible_model m using (model_id);
comment on view pgscore_bi.rollup_audit is 'Days that were counted again at night, and how many cells were wrong.';

select pgscore_data._comment_columns(v.name::regclass, pgscore_data._detail_meanings())
  from unnest('{pgscore_bi.prediction_detail,pgscore_bi.label_coverage_daily,pgscore_bi.model_events,pgscore_bi.refresh_log,'
              'pgscore_bi.rollup_audit}'::text[]) v (name);
select pgscore_data._comment_columns('pgscore_bi.current_model_health', pgscore_data._detail_meanings() || '{
  "n": "Labelled predictions of that month: those that value rests on.",
  "undefined_reason": "Why value is NULL: no_predictions, no_labels, several_values (model_verdict has the target that is worst), or '
    'no_mature_window (no month after the training data has 30 labels and the share that its monitor asks for)."
}');
