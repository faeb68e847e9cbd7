-- What analysts read of a model's accuracy: one view a task and grain, additive cells turned into ratios with their intervals.
--
-- The views of three grains differ in a word, so one template makes them. Expressions are written out rather than called:
-- a function in a view needs EXECUTE of whoever reads it.

create or replace function pgscore_data._metric_meanings() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
return '{
  "model_name": "Name of the model.",
  "model_version": "Number of the version.",
  "segment_key": "Column that the predictions are split by; NULL: all of them. Every prediction is in the row of all and in one row of '
    'each column: to get the row of all only, where segment_key is null.",
  "segment_value": "Value of that column when the prediction was made; :missing: there was none, or it could not be read; :other: a value '
    'beyond the 200 most frequent of the first run. NULL: all of them.",
  "window_date": "First local day of the window, in the model''s time zone.",
  "window_start": "Where the window begins.",
  "window_end": "Where it ends; that instant belongs to the next one.",
  "n_predictions": "Predictions for times in the window, by finished runs and by calls of score() that are kept.",
  "n_labeled": "Predictions that a label judges: the one that stands for its entity and time.",
  "n_awaiting": "Predictions that a label may still come for.",
  "n_superseded": "Predictions without a label whose place another one has: made anew for the same time, or before the entity''s next '
    'prediction. n_predictions = n_labeled + n_awaiting + n_superseded.",
  "n_effective": "How many labelled predictions of independent entities tell as much as these: n_labeled where each entity is judged once '
    'in the window. Intervals go by it.",
  "is_dropped": "Whether the version was dropped.",
  "label_coverage": "n_labeled / (n_labeled + n_awaiting); NULL where both are 0.",
  "is_mature": "Whether there are labels and the labelled share has reached the minimum of the model''s monitor. Before that, ratios are '
    'provisional and usually biased: labels that come early are seldom like the others.",
  "true_positives": "Positives that were called so.",
  "false_positives": "Negatives that were called positive.",
  "false_negatives": "Positives that were called negative.",
  "true_negatives": "Negatives that were called so.",
  "accuracy": "Share of labelled predictions that were right.",
  "accuracy_ci_low": "Lower bound of the 95 % Wilson interval.",
  "accuracy_ci_high": "Upper bound.",
  "balanced_accuracy": "Mean of recall and specificity, of those that are defined.",
  "precision_score": "Of what was called positive, the share that was: TP / (TP + FP).",
  "precision_ci_low": "Lower bound of the 95 % Wilson interval.",
  "precision_ci_high": "Upper bound.",
  "recall_score": "Of the positives, the share that was found: TP / (TP + FN).",
  "recall_ci_low": "Lower bound of the 95 % Wilson interval.",
  "recall_ci_high": "Upper bound.",
  "f1_score": "Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).",
  "f1_ci_low": "Lower bound, from the Wilson interval of TP / (TP + FP + FN).",
  "f1_ci_high": "Upper bound.",
  "specificity": "Of the negatives, the share that was called so: TN / (TN + FP).",
  "specificity_ci_low": "Lower bound of the 95 % Wilson interval.",
  "specificity_ci_high": "Upper bound.",
  "mcc": "Matthews correlation coefficient.",
  "cohen_kappa": "Agreement beyond chance.",
  "roc_auc": "Probability that a positive is scored above a negative; ties count half.",
  "roc_auc_ci_low": "Lower bound of the 95 % interval: the wider one of Newcombe''s method 5 and of DeLong''s on the logit scale. NULL '
    'with less than two of a class.",
  "roc_auc_ci_high": "Upper bound.",
  "roc_auc_error_bound": "How far the value can be from that of the unbinned scores.",
  "average_precision": "Area under the precision-recall curve, without interpolation.",
  "average_precision_low": "Least value that the unbinned scores can give.",
  "average_precision_high": "Greatest value that they can give.",
  "ks_of_scores": "Greatest distance between the true and the false positive rate, at the ends of bins of scores: that of the unbinned '
    'scores is no less.",
  "ks_of_scores_error_bound": "How much greater the value of the unbinned scores can be.",
  "brier_score": "Mean squared distance of the probability from the truth.",
  "log_loss": "Mean of -ln of the probability that was given to the truth, clipped at 2.22e-16.",
  "ece": "Expected calibration error, ten bins of equal width.",
  "decision_threshold": "Probability from which the version calls positive, as its deployer gave it; NULL: its labels are the model''s '
    'own.",
  "positive_rate_predicted": "Share of labelled predictions that were called positive.",
  "positive_rate_predicted_ci_low": "Lower bound of the 95 % Wilson interval.",
  "positive_rate_predicted_ci_high": "Upper bound.",
  "positive_rate_actual": "Share of labelled predictions that were positive.",
  "positive_rate_actual_ci_low": "Lower bound of the 95 % Wilson interval.",
  "positive_rate_actual_ci_high": "Upper bound.",
  "macro_precision": "Mean of the classes'' precision, of those that are defined.",
  "macro_recall": "Mean of the classes'' recall, of those that are defined.",
  "macro_f1": "Mean of the classes'' F1, of those that are defined.",
  "weighted_precision": "Precision of the classes, weighted by how often each is true.",
  "weighted_recall": "Recall of the classes, weighted by how often each is true; equal to accuracy.",
  "weighted_f1": "F1 of the classes, weighted by how often each is true.",
  "n_classes_defined": "Classes with a recall: those that occurred.",
  "macro_roc_auc": "Mean of the classes'' ROC AUC, each against the others, of those that are defined.",
  "macro_roc_auc_error_bound": "How far the value can be from that of the unbinned probabilities.",
  "n_classes_defined_auc": "Classes with a ROC AUC: those that occurred while others did, too.",
  "top_2_accuracy": "Share of labelled predictions whose truth was among the two classes said to be likeliest; of equal ones the later in '
    'the model''s order comes first.",
  "top_3_accuracy": "The same of three; NULL for a model of no more classes.",
  "top_5_accuracy": "The same of five; NULL for a model of no more classes.",
  "micro_precision": "Right of all: where each prediction has one class, equal to accuracy.",
  "micro_recall": "Equal to accuracy, too.",
  "micro_f1": "Equal to accuracy, too.",
  "top_2_accuracy_ci_low": "Lower bound of the 95 % Wilson interval.",
  "top_2_accuracy_ci_high": "Upper bound.",
  "top_3_accuracy_ci_low": "Lower bound of the 95 % Wilson interval.",
  "top_3_accuracy_ci_high": "Upper bound.",
  "top_5_accuracy_ci_low": "Lower bound of the 95 % Wilson interval.",
  "top_5_accuracy_ci_high": "Upper bound.",
  "mae": "Mean absolute error.",
  "mae_ci_low": "Lower bound of the 95 % interval, on the log scale; the upper one allows for heavy tails. NULL of less than two, or '
    'where no prediction was off.",
  "mae_ci_high": "Upper bound.",
  "rmse": "Root of the mean squared error.",
  "rmse_ci_low": "Lower bound of the 95 % interval, on the log scale; the upper one allows for heavy tails. NULL of less than two, or '
    'where no prediction was off.",
  "rmse_ci_high": "Upper bound.",
  "bias": "Mean of prediction minus truth.",
  "r2": "Share of the variance of the truth that is explained.",
  "mape": "Mean of |error| / |truth|, over the rows whose truth is not 0.",
  "n_zero_actual": "Labelled predictions whose truth is 0.",
  "wape": "Sum of |error| / sum of |truth|.",
  "median_abs_error": "Median of the absolute error, within 1 %.",
  "p90_abs_error": "Ninth decile of the absolute error, within 1 %.",
  "pinball_loss": "Mean pinball loss of the quantile that the model predicts: what lies above the prediction counts q times, what lies '
    'below 1 - q times. NULL where no quantile is set.",
  "msle": "Mean squared logarithmic error: of ln(1 + prediction) - ln(1 + truth). NULL where one of them is -1 or less, or was counted '
    'before pgscore did this; pgscore.rebuild() counts anew.",
  "quantile": "The quantile that the model predicts, as set by pgscore.monitor(model, quantile => ...); NULL: none.",
  "max_abs_error": "Greatest absolute error, within 1 %.",
  "explained_variance": "As r2, but for a prediction that is off by the same everywhere: 1 - variance of the error / variance of the '
    'truth.",
  "actual_mean": "Mean of the truth.",
  "class_label": "The class.",
  "support": "Labelled predictions whose truth is this class.",
  "n_predicted": "Labelled predictions that were called this class.",
  "actual_class": "The class that was true.",
  "predicted_class": "The class that was said.",
  "n": "How many.",
  "share_of_actual": "Of what was this class, the share that was called so.",
  "share_of_actual_ci_low": "Lower bound of the 95 % Wilson interval.",
  "share_of_actual_ci_high": "Upper bound.",
  "undefined_reason": "Why ratios are NULL: no_labels, superseded (no label came before the next predictions of these entities), '
    'no_positive_labels, no_predicted_positives, one_class (all that was true, or all that was said), constant_target (a single row is '
    'one) no_probabilities (the model says labels only), too_many_classes (over 50: no ROC AUC) not_counted (some of the window was '
    'labelled before ROC AUC and ranks were counted: pgscore.rebuild() counts them) or not_by_segment (it is told of all predictions only)."
}'::jsonb;
comment on function pgscore_data._metric_meanings() is 'What the columns of the performance views mean.';

do $do$
declare
  g record;
  wilson constant text := 'pgscore_data._wilson';
begin
  for g in select * from (values ('daily', 'day', 'day'), ('weekly', 'week', 'week'), ('monthly', 'month', 'month')) x (suffix, grain,
      word) loop
    execute format('create or replace view pgscore_bi.%I with (security_barrier) as select ', 'binary_performance_' || g.suffix)
      || pgscore_data._window_columns() || format($q$,
        c.tp::bigint as true_positives, c.fp::bigint as false_positives, c.fn::bigint as false_negatives, c.tn::bigint as true_negatives,
        (c.tp + c.tn) / nullif(c.n, 0) as accuracy, %s as accuracy_ci_low, %s as accuracy_ci_high,
        case when c.tp + c.fn = 0 then c.tn / nullif(c.tn + c.fp, 0) when c.tn + c.fp = 0 then c.tp / nullif(c.tp + c.fn, 0)
          else (c.tp / (c.tp + c.fn) + c.tn / (c.tn + c.fp)) / 2 end as balanced_accuracy,
        c.tp / nullif(c.tp + c.fp, 0) as precision_score, %s as precision_ci_low, %s as precision_ci_high,
        c.tp / nullif(c.tp + c.fn, 0) as recall_score, %s as recall_ci_low, %s as recall_ci_high,
        2 * c.tp / nullif(2 * c.tp + c.fp + c.fn, 0) as f1_score,
        2 * q.low / (1 + q.low) as f1_ci_low, 2 * q.high / (1 + q.high) as f1_ci_high,
        c.tn / nullif(c.tn + c.fp, 0) as specificity,
        (c.tp * c.tn - c.fp * c.fn) / nullif(sqrt((c.tp + c.fp) * (c.tp + c.fn) * (c.tn + c.fp) * (c.tn + c.fn)), 0) as mcc,
        2 * (c.tp * c.tn - c.fp * c.fn) / nullif((c.tp + c.fp) * (c.fp + c.tn) + (c.tp + c.fn) * (c.fn + c.tn), 0) as cohen_kappa,
        auc.value as roc_auc, auc.ci_low as roc_auc_ci_low, auc.ci_high as roc_auc_ci_high, auc.error_bound as roc_auc_error_bound,
        ap.value as average_precision, ap.ci_low as average_precision_low, ap.ci_high as average_precision_high, ks.value as ks_of_scores,
        case when e.probabilities then c.brier / nullif(c.n, 0) end as brier_score,
        case when e.probabilities then c.log_loss / nullif(c.n, 0) end as log_loss, ece.value as ece,
        e.threshold as decision_threshold, (c.tp + c.fp) / nullif(c.n, 0) as positive_rate_predicted,
        (c.tp + c.fn) / nullif(c.n, 0) as positive_rate_actual,
        case when coalesce(c.n, 0) = 0 then case when w.n_awaiting = 0 then 'superseded' else 'no_labels' end
          when c.tp + c.fn = 0 then 'no_positive_labels' when c.tn + c.fp = 0 then 'one_class'
            when c.tp + c.fp = 0 then 'no_predicted_positives'
          when c.tn + c.fn = 0 then 'one_class' when not e.probabilities then 'no_probabilities'
            when s.segment_id <> 0 then 'not_by_segment' end as undefined_reason,
        %s as specificity_ci_low, %s as specificity_ci_high, %s as positive_rate_predicted_ci_low, %s as positive_rate_predicted_ci_high,
        %s as positive_rate_actual_ci_low, %s as positive_rate_actual_ci_high,
        ks.error_bound as ks_of_scores_error_bound$q$,
        pgscore_data._wilson('c.tp + c.tn', 'c.n', 'i.n_effective', '-'), pgscore_data._wilson('c.tp + c.tn', 'c.n', 'i.n_effective', '+'),
        pgscore_data._share('c.tp', '(c.tp + c.fp)', '-'), pgscore_data._share('c.tp', '(c.tp + c.fp)', '+'),
        pgscore_data._share('c.tp', '(c.tp + c.fn)', '-'), pgscore_data._share('c.tp', '(c.tp + c.fn)', '+'),
        pgscore_data._share('c.tn', '(c.tn + c.fp)', '-'), pgscore_data._share('c.tn', '(c.tn + c.fp)', '+'),
        pgscore_data._share('c.tp + c.fp', 'c.n', '-'), pgscore_data._share('c.tp + c.fp', 'c.n', '+'),
        pgscore_data._share('c.tp + c.fn', 'c.n', '-'), pgscore_data._share('c.tp + c.fn', 'c.n', '+'))
      || pgscore_data._counted_columns() || ', i.n_effective' || pgscore_data._windows_from(g.grain, 'binary', $q$
        select sum(x.n)::float8 as n, coalesce(sum(x.n) filter (where x.actual_class = e.positive_class - 1
                                                                  and x.predicted_class = e.positive_class - 1), 0)::float8 as tp,
               coalesce(sum(x.n) filter (where x.actual_class <> e.positive_class - 1 and x.predicted_class = e.positive_class - 1),
                        0)::float8 as fp,
               coalesce(sum(x.n) filter (where x.actual_class = e.positive_class - 1 and x.predicted_class <> e.positive_class - 1),
                        0)::float8 as fn,
               coalesce(sum(x.n) filter (where x.actual_class <> e.positive_class - 1 and x.predicted_class <> e.positive_class - 1),
                        0)::float8 as tn,
               sum(x.sum_brier)::float8 as brier, sum(x.sum_log_loss)::float8 as log_loss
          from pgscore_data.cell_outcome x
         where x.version_id = v.version_id and x.segment_id = s.segment_id and x.day >= w.window_start and x.day < w.window_end$q$)
      || pgscore_data._repeats_from(g.grain, 's.segment_id', 'w.window_start',
        pgscore_data._n_effective('c.n', 'c.tp + c.tn', 'c.n + r2.pairs2', 'c.tp + c.tn + r2.hits_pairs', 'c.tp + c.tn + r2.hits2'))
      || format($q$
        cross join lateral (select %s as low, %s as high) q$q$, pgscore_data._share('c.tp', '(c.tp + c.fp + c.fn)', '-'),
          pgscore_data._share('c.tp', '(c.tp + c.fp + c.fn)', '+'))
      || (select string_agg(format(' left join pgscore_data.metric_value %1$s on %1$s.version_id = v.version_id and %1$s.grain = %3$L and '
                                   '%1$s.window_start = w.window_start and %1$s.metric = %2$L and s.segment_id = 0',
           j.alias, j.metric, g.grain), '')
      from (values ('auc', 'roc_auc'), ('ap', 'average_precision'), ('ks', 'ks_of_scores'), ('ece', 'ece')) j (alias, metric));
    execute format('comment on view pgscore_bi.%I is %L', 'binary_performance_' || g.suffix,
      format('How right each version of a binary classifier was: one row a version, %s and segment, also where there are no labels yet. '
             'Windows go by the time that predictions are for, so late labels change old rows. Of all predictions: where segment_key is '
             'null.', g.word));
    perform pgscore_data._comment_columns(format('pgscore_bi.%I', 'binary_performance_' || g.suffix), pgscore_data._metric_meanings());

    execute format('create or replace view pgscore_bi.%I with (security_barrier) as select ', 'regression_performance_' || g.suffix)
      || pgscore_data._window_columns() || format($q$,
        c.abs_error / nullif(c.n, 0) as mae, %s as mae_ci_low, %s as mae_ci_high,
        sqrt(c.error2 / nullif(c.n, 0)) as rmse,
        %s as rmse_ci_low, %s as rmse_ci_high,
        c.error / nullif(c.n, 0) as bias,
        case when c.n >= 2 then 1 - c.error2 / nullif(c.spread, 0) end as r2,
        c.relative / nullif(c.n - c.zeros, 0) as mape, c.zeros::bigint as n_zero_actual, c.abs_error / nullif(c.abs_actual, 0) as wape,
        med.value as median_abs_error, p90.value as p90_abs_error, c.actual / nullif(c.n, 0) as actual_mean,
        case when coalesce(c.n, 0) = 0 then case when w.n_awaiting = 0 then 'superseded' else 'no_labels' end when c.n < 2
          or c.spread = 0 then 'constant_target' when s.segment_id <> 0 then 'not_by_segment' end as undefined_reason,
        most.value as max_abs_error, case when c.n >= 2 then 1 - c.error_spread / nullif(c.spread, 0) end as explained_variance,
        (mo.quantile * c.short_of + (1 - mo.quantile) * c.beyond) / nullif(c.n, 0) as pinball_loss, mo.quantile,
        case when c.n_log = c.n then c.log_error2 / nullif(c.n, 0) end as msle$q$,
        pgscore_data._mae_bound('c.n', 'c.abs_error', 'c.error2', 'i.n_effective', '-'),
        pgscore_data._mae_bound('c.n', 'c.abs_error', 'c.error2', 'i.n_effective', '+'),
        pgscore_data._rmse_bound('c.n', 'c.error2', 'c.error4', 'i.n_effective', '-'),
        pgscore_data._rmse_bound('c.n', 'c.error2', 'c.error4', 'i.n_effective', '+'))
      || pgscore_data._counted_columns() || ', i.n_effective' || pgscore_data._windows_from(g.grain, 'regression', $q$
        select sum(x.n)::float8 as n, sum(x.sum_error)::float8 as error, sum(x.sum_abs_error)::float8 as abs_error,
               sum(x.sum_error2)::float8 as error2, sum(x.sum_error4)::float8 as error4,
               sum(x.sum_actual)::float8 as actual,
               ((sum(x.n) * sum(x.sum_actual2) - sum(x.sum_actual) * sum(x.sum_actual)) / nullif(sum(x.n), 0))::float8 as spread,
               ((sum(x.n) * sum(x.sum_error2) - sum(x.sum_error) * sum(x.sum_error)) / nullif(sum(x.n), 0))::float8 as error_spread,
               sum(x.sum_abs_actual)::float8 as abs_actual,
               sum(x.n_zero_actual)::float8 as zeros, sum(x.sum_relative_error)::float8 as relative,
               (sum(x.sum_abs_error - x.sum_error) / 2)::float8 as short_of, (sum(x.sum_abs_error + x.sum_error) / 2)::float8 as beyond,
               sum(x.n_log) as n_log, sum(x.sum_log_error2)::float8 as log_error2
          from pgscore_data.cell_regression x
         where x.version_id = v.version_id and x.segment_id = s.segment_id and x.day >= w.window_start and x.day < w.window_end$q$)
      || pgscore_data._repeats_from(g.grain, 's.segment_id', 'w.window_start', 'c.n ^ 2 / nullif(c.n + r2.pairs2, 0)')
      || (select string_agg(format(' left join pgscore_data.metric_value %1$s on %1$s.version_id = v.version_id and %1$s.grain = %3$L and '
                                   '%1$s.window_start = w.window_start and %1$s.metric = %2$L and s.segment_id = 0',
           j.alias, j.metric, g.grain), '')
      from (values ('med', 'median_abs_error'), ('p90', 'p90_abs_error'), ('most', 'max_abs_error')) j (alias, metric));
    execute format('comment on view pgscore_bi.%I is %L', 'regression_performance_' || g.suffix,
      format('How far each version of a regression was off: one row a version, %s and segment, also where there are no labels yet. '
             'Windows go by the time that predictions are for, so late labels change old rows. Of all predictions: where segment_key is '
             'null.', g.word));
    perform pgscore_data._comment_columns(format('pgscore_bi.%I', 'regression_performance_' || g.suffix), pgscore_data._metric_meanings());

    execute format('create or replace view pgscore_bi.%I with (security_barrier) as select ', 'multiclass_performance_' || g.suffix)
      || pgscore_data._window_columns() || format($q$,
        k.hits / nullif(c.n, 0) as accuracy, %s as accuracy_ci_low, %s as accuracy_ci_high,
        k.macro_precision, k.macro_recall, k.macro_f1, k.weighted_precision, k.weighted_recall, k.weighted_f1,
        (c.n * k.hits - k.chance) / nullif(sqrt((c.n ^ 2 - k.predicted2) * (c.n ^ 2 - k.actual2)), 0) as mcc,
        (c.n * k.hits - k.chance) / nullif(c.n ^ 2 - k.chance, 0) as cohen_kappa,
        case when e.probabilities then c.log_loss / nullif(c.n, 0) end as log_loss, coalesce(k.n_classes_defined, 0) as n_classes_defined,
        case when coalesce(c.n, 0) = 0 then case when w.n_awaiting = 0 then 'superseded' else 'no_labels' end
          when c.n ^ 2 in (k.actual2, k.predicted2) then 'one_class' when not e.probabilities then 'no_probabilities'
          when r.n is distinct from c.n then 'not_counted' when cardinality(e.class_labels) > 50 then 'too_many_classes'
            when s.segment_id <> 0 then 'not_by_segment' end as undefined_reason,
        a.macro_roc_auc, a.error_bound as macro_roc_auc_error_bound, a.n_classes_defined as n_classes_defined_auc,
        case when r.n = c.n then r.top2 / r.n end as top_2_accuracy,
        case when r.n = c.n and cardinality(e.class_labels) > 3 then r.top3 / r.n end as top_3_accuracy,
        case when r.n = c.n and cardinality(e.class_labels) > 5 then r.top5 / r.n end as top_5_accuracy,
        k.hits / nullif(c.n, 0) as micro_precision, k.hits / nullif(c.n, 0) as micro_recall, k.hits / nullif(c.n, 0) as micro_f1,
        case when r.n = c.n then %s end as top_2_accuracy_ci_low, case when r.n = c.n then %s end as top_2_accuracy_ci_high,
        case when r.n = c.n and cardinality(e.class_labels) > 3 then %s end as top_3_accuracy_ci_low,
        case when r.n = c.n and cardinality(e.class_labels) > 3 then %s end as top_3_accuracy_ci_high,
        case when r.n = c.n and cardinality(e.class_labels) > 5 then %s end as top_5_accuracy_ci_low,
        case when r.n = c.n and cardinality(e.class_labels) > 5 then %s end as top_5_accuracy_ci_high$q$,
        pgscore_data._wilson('k.hits', 'c.n', 'i.n_effective', '-'), pgscore_data._wilson('k.hits', 'c.n', 'i.n_effective', '+'),
        pgscore_data._share('r.top2', 'r.n', '-'), pgscore_data._share('r.top2', 'r.n', '+'),
        pgscore_data._share('r.top3', 'r.n', '-'), pgscore_data._share('r.top3', 'r.n', '+'),
        pgscore_data._share('r.top5', 'r.n', '-'), pgscore_data._share('r.top5', 'r.n', '+'))
      || pgscore_data._counted_columns() || ', i.n_effective' || pgscore_data._windows_from(g.grain, 'multiclass', $q$
        select sum(x.n)::float8 as n, sum(x.sum_log_loss)::float8 as log_loss,
               sum(x.n) filter (where x.actual_class = x.predicted_class)::float8 as n_right
          from pgscore_data.cell_outcome x
         where x.version_id = v.version_id and x.segment_id = s.segment_id and x.day >= w.window_start and x.day < w.window_end$q$)
      || pgscore_data._repeats_from(g.grain, 's.segment_id', 'w.window_start', pgscore_data._n_effective(
        'c.n', 'coalesce(c.n_right, 0)', 'c.n + r2.pairs2', 'coalesce(c.n_right, 0) + r2.hits_pairs', 'coalesce(c.n_right, 0) + r2.hits2'))
      || format($q$
        left join lateral (
          select sum(y.hits) as hits, avg(y.hits / nullif(y.predicted, 0)) as macro_precision,
                 avg(y.hits / nullif(y.support, 0)) as macro_recall,
                 avg(2 * y.hits / nullif(y.support + y.predicted, 0)) as macro_f1,
                 case when sum(y.support) filter (where y.predicted > 0) = 0 then 0
                   else sum(y.support * (y.hits / nullif(y.predicted, 0))) / sum(y.support) filter (where y.predicted > 0) end
                     as weighted_precision,
                 sum(y.hits) / nullif(sum(y.support), 0) as weighted_recall,
                 sum(y.support * (2 * y.hits / nullif(y.support + y.predicted, 0))) / nullif(sum(y.support), 0) as weighted_f1,
                 sum(y.support * y.predicted) as chance, sum(y.support ^ 2) as actual2, sum(y.predicted ^ 2) as predicted2,
                 count(*) filter (where y.support > 0) as n_classes_defined
            from (
              select z.class, sum(x.n) filter (where x.actual_class = z.class and x.predicted_class = z.class)::float8 as h,
                     coalesce(sum(x.n) filter (where x.actual_class = z.class and x.predicted_class = z.class), 0)::float8 as hits,
                     coalesce(sum(x.n) filter (where x.actual_class = z.class), 0)::float8 as support,
                     coalesce(sum(x.n) filter (where x.predicted_class = z.class), 0)::float8 as predicted
                from generate_series(0, cardinality(e.class_labels) - 1) z (class)
                join pgscore_data.cell_outcome x on x.version_id = v.version_id and x.segment_id = s.segment_id and x.day >= w.window_start
                 and x.day < w.window_end and z.class in (x.actual_class, x.predicted_class)
               group by z.class) y) k on true
        cross join lateral (
          select avg(x.roc_auc) as macro_roc_auc, avg(x.error_bound) as error_bound, count(x.roc_auc) as n_classes_defined
            from pgscore_data.class_metric x
           where s.segment_id = 0 and x.version_id = v.version_id and x.grain = '%1$s' and x.window_start = w.window_start) a
        left join lateral (
          select sum(x.n)::float8 as n, coalesce(sum(x.n) filter (where x.rank <= 2), 0)::float8 as top2,
                 coalesce(sum(x.n) filter (where x.rank <= 3), 0)::float8 as top3,
                 coalesce(sum(x.n) filter (where x.rank <= 5), 0)::float8 as top5
            from pgscore_data.cell_rank x
           where x.version_id = v.version_id and x.segment_id = s.segment_id and x.day >= w.window_start and x.day < w.window_end
                 having sum(x.n) > 0) r on true$q$, g.grain);
    execute format('comment on view pgscore_bi.%I is %L', 'multiclass_performance_' || g.suffix,
      format('How right each version of a classifier of three or more classes was: one row a version, %s and segment, also where there '
             'are no labels yet. Windows go by the time that predictions are for, so late labels change old rows. Of all predictions: '
             'where segment_key is null.', g.word));
    perform pgscore_data._comment_columns(format('pgscore_bi.%I', 'multiclass_performance_' || g.suffix), pgscore_data._metric_meanings());
  end loop;
end
$do$;
