-- What the columns of the views of accuracy mean.

create or replace function pgscore_data._metric_meanings() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
return '{
  "model_name": "Name of the model.",
  "model_version": "Number of the version.",
  "segment_key": "Column that the predictions are split by; NULL: all of them. Every prediction is in the row of all, and one of a run '
    'that kept segments is in one row of each column: to get the row of all only, where segment_key is null.",
  "segment_value": "Value of that column when the prediction was made; :missing: there was none, or it could not be read; :other: a value '
    'beyond the 200 most frequent of the first run. NULL: all of them.",
  "window_date": "First local day of the window, in the model''s time zone.",
  "window_start": "Where the window begins.",
  "window_end": "Where it ends; that instant belongs to the next one.",
  "n_predictions": "Predictions for times in the window, by finished runs and by calls of score() that are kept.",
  "n_labeled": "Predictions that a label judges: the one that stands for its entity and time.",
  "n_awaiting": "Predictions that a label may still come for.",
  "n_superseded": "Predictions without a label whose place another one has: made anew for the same time, or before the entity''s next '
    'prediction; and calls without a key, which no label can find. n_predictions = n_labeled + n_awaiting + n_superseded.",
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
  "balanced_accuracy": "Mean of recall and specificity, of those that are defined.",
  "precision_score": "Of what was called positive, the share that was: TP / (TP + FP).",
  "recall_score": "Of the positives, the share that was found: TP / (TP + FN).",
  "f1_score": "Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).",
  "f1_ci_low": "Lower bound, from the Wilson interval of TP / (TP + FP + FN).",
  "specificity": "Of the negatives, the share that was called so: TN / (TN + FP).",
  "mcc": "Matthews correlation coefficient.",
  "cohen_kappa": "Agreement beyond chance.",
  "roc_auc": "Probability that a positive is scored above a negative; ties count half.",
  "roc_auc_ci_low": "Lower bound of the 95 % interval: the wider one of Newcombe''s method 5 and of DeLong''s on the logit scale. NULL '
    'with less than two of a class.",
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
  "positive_rate_actual": "Share of labelled predictions that were positive.",
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
  "mae": "Mean absolute error.",
  "mae_ci_low": "Lower bound of the 95 % interval, on the log scale; the upper one allows for heavy tails. NULL of less than two, or '
    'where no prediction was off.",
  "rmse": "Root of the mean squared error.",
  "rmse_ci_low": "Lower bound of the 95 % interval, on the log scale; the upper one allows for heavy tails. NULL of less than two, or '
    'where no prediction was off.",
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
  "quantile": "The quantile that is predicted: of a model of quantiles by its name, else as set by pgscore.monitor(model, '
    'quantile => ...); NULL: none.",
  "subset_accuracy": "Of the predictions whose truth is known of every label, the share that was right about all of them.",
  "target": "Which value of a row the metrics are of, where a model gives several: a target, a label or a quantile; NULL: the score of the '
    'model.",
  "coverage": "Share of the truth that is no more than the prediction: as large as the quantile, if that is right. NULL where no quantile '
    'is known.",
  "interval_coverage": "Share of the truth that lies between the lowest and the highest quantile, these included.",
  "interval_level": "What interval_coverage should be: the highest quantile less the lowest.",
  "max_abs_error": "Greatest absolute error, within 1 %.",
  "explained_variance": "As r2, but for a prediction that is off by the same everywhere: 1 - variance of the error / variance of the '
    'truth.",
  "actual_mean": "Mean of the truth.",
  "in_training": "Whether it is for a time that the version was trained on, so that it may have seen the answers: a window begins before '
    'its trained_until. NULL: not known, as the version does not say, and it is older than its deploy.",
  "class_label": "The class.",
  "support": "Labelled predictions whose truth is this class.",
  "n_predicted": "Labelled predictions that were called this class.",
  "actual_class": "The class that was true.",
  "predicted_class": "The class that was said.",
  "n": "How many.",
  "share_of_actual": "Of what was this class, the share that was called so.",
  "undefined_reason": "Why ratios are NULL: no_labels, superseded (no label came before the next predictions of these entities, '
    'or calls had no key), '
    'no_positive_labels, no_predicted_positives, one_class (all that was true, or all that was said), constant_target (a single row is '
    'one), no_probabilities (the model says labels, or margins), too_many_classes (over 50: no ROC AUC), not_counted (some of the window '
    'was labelled before ROC AUC and ranks were counted: pgscore.rebuild() counts them) or not_by_segment (it is of all predictions only)."
}'::jsonb;
comment on function pgscore_data._metric_meanings() is 'What the columns of the performance views mean.';
