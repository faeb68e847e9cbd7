-- What SQL knows of each metric: its kind, its tasks, which values are better, its bounds.
-- The page has a list of its own, src/page/model-metrics.ts.

create or replace view pgscore_data.metric_kind as
select * from (values
  ('accuracy', 'performance', '{binary,multiclass}'::text[], 'high', 0::float8, 1::float8),
  ('balanced_accuracy', 'performance', '{binary}', 'high', 0, 1),
  ('precision_score', 'performance', '{binary}', 'high', 0, 1),
  ('recall_score', 'performance', '{binary}', 'high', 0, 1),
  ('f1_score', 'performance', '{binary}', 'high', 0, 1),
  ('specificity', 'performance', '{binary}', 'high', 0, 1),
  ('mcc', 'performance', '{binary,multiclass}', 'high', -1, 1),
  ('cohen_kappa', 'performance', '{binary,multiclass}', 'high', -1, 1),
  ('roc_auc', 'performance', '{binary}', 'high', 0, 1),
  ('average_precision', 'performance', '{binary}', 'high', 0, 1),
  ('ks_of_scores', 'performance', '{binary}', 'high', 0, 1),
  ('brier_score', 'performance', '{binary}', 'low', 0, 1),
  ('log_loss', 'performance', '{binary,multiclass}', 'low', 0, null),
  ('ece', 'performance', '{binary}', 'low', 0, 1),
  ('positive_rate_predicted', 'performance', '{binary}', 'neither', 0, 1),
  ('positive_rate_actual', 'performance', '{binary}', 'neither', 0, 1),
  ('macro_precision', 'performance', '{multiclass}', 'high', 0, 1),
  ('macro_recall', 'performance', '{multiclass}', 'high', 0, 1),
  ('macro_f1', 'performance', '{multiclass}', 'high', 0, 1),
  ('weighted_precision', 'performance', '{multiclass}', 'high', 0, 1),
  ('weighted_recall', 'performance', '{multiclass}', 'high', 0, 1),
  ('weighted_f1', 'performance', '{multiclass}', 'high', 0, 1),
  ('macro_roc_auc', 'performance', '{multiclass}', 'high', 0, 1),
  ('top_2_accuracy', 'performance', '{multiclass}', 'high', 0, 1),
  ('subset_accuracy', 'performance', '{multilabel}', 'high', 0, 1),
  ('mae', 'performance', '{regression}', 'low', 0, null),
  ('rmse', 'performance', '{regression}', 'low', 0, null),
  ('bias', 'performance', '{regression}', 'neither', null, null),
  ('r2', 'performance', '{regression}', 'high', null, 1),
  ('mape', 'performance', '{regression}', 'low', 0, null),
  ('wape', 'performance', '{regression}', 'low', 0, null),
  ('median_abs_error', 'performance', '{regression}', 'low', 0, null),
  ('p90_abs_error', 'performance', '{regression}', 'low', 0, null),
  ('pinball_loss', 'performance', '{regression}', 'low', 0, null),
  ('coverage', 'performance', '{regression}', 'neither', 0, 1),
  ('interval_coverage', 'performance', '{regression}', 'neither', 0, 1),
  ('msle', 'performance', '{regression}', 'low', 0, null),
  ('max_abs_error', 'performance', '{regression}', 'low', 0, null),
  ('explained_variance', 'performance', '{regression}', 'high', null, 1),
  ('actual_mean', 'performance', '{regression}', 'neither', null, null),
  ('mse', 'experiment', '{}', 'low', 0, null),
  ('n_predictions', 'integrity', null, 'neither', 0, null),
  ('label_coverage', 'integrity', null, 'high', 0, 1),
  ('failed_share', 'integrity', null, 'low', 0, 1),
  ('null_score_share', 'integrity', '{binary}', 'low', 0, 1),
  ('hours_since_scoring', 'feed', null, 'low', 0, null),
  ('hours_since_labels', 'feed', null, 'low', 0, null),
  ('minutes_behind', 'watch', null, 'low', 0, null),
  ('psi', 'drift', null, 'low', 0, null),
  ('drift_share', 'drift', null, 'low', 0, 1),
  ('missing_rate_delta', 'drift', null, 'low', -1, 1)
) x (metric, kind, tasks, better, least, most);
comment on view pgscore_data.metric_kind is
  'Each metric: which tasks have rules about it, NULL for all, whether a high or a low value is better, and between which bounds it lies.';

create or replace function pgscore_data._lower_is_better(metric text) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  better constant text := (select k.better from pgscore_data.metric_kind k where k.metric = $1);
begin
  if better is null or better = 'neither' then
    raise exception 'nothing says which values of metric % are better', quote_nullable(metric)
      using errcode = 'invalid_parameter_value', hint = 'The view pgscore_data.metric_kind says whether a high or a low value is better.';
  end if;
  return better = 'low';
end
$$;
comment on function pgscore_data._lower_is_better(text) is
  'Whether a low value of a metric is better. Refuses a metric of which that is not known.';

create or replace function pgscore_data._judged_as(task text) returns text[]
language sql immutable parallel safe
return case task when 'multi_target' then '{regression}'::text[] when 'multilabel' then '{multilabel,binary}' else array[task] end;
comment on function pgscore_data._judged_as(text) is
  'The tasks whose metrics a model of a task has. A target is judged as a regression, a label as a binary classifier.';
