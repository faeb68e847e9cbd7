-- What analysts read of accuracy before labels come: estimates beside what labels then said.
--
-- in: estimate, whose days add up to weeks and months; estimated_roc_auc of metric_value, which do not.
-- out: pgscore_bi.estimated_performance_*.

create or replace function pgscore_data._estimate_meanings() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._metric_meanings() || '{
  "n": "Predictions with a score: those that the estimate is about, labelled or not.",
  "estimated_accuracy": "Accuracy to expect of them.",
  "realized_accuracy": "Accuracy of those whose truth is known.",
  "estimated_precision_score": "Precision to expect; of three or more classes the mean over those that are predicted (macro), as '
    'realized_precision_score is then.",
  "realized_precision_score": "Precision of those whose truth is known.",
  "estimated_recall_score": "Recall to expect; of three or more classes the mean over those of which there is likely to be one (at least '
    '0.5 are to be expected).",
  "realized_recall_score": "Recall of those whose truth is known.",
  "estimated_f1_score": "F1 to expect; of three or more classes the mean over those that are predicted or likely to be there.",
  "realized_f1_score": "F1 of those whose truth is known.",
  "estimated_roc_auc": "Area under the ROC curve to expect; ties, and scores in one bin, count half. Of three or more classes the mean '
    'over each against the others, of those that are likely to be there.",
  "realized_roc_auc": "Area under the ROC curve of those whose truth is known.",
  "estimated_positive_rate": "Share of positives to expect; NULL for three or more classes.",
  "realized_positive_rate": "Share of positives of those whose truth is known; NULL for three or more classes.",
  "is_realized": "Whether the labelled share has reached the minimum of the model''s monitor: then look at what was realized.",
  "is_mature": "The same as is_realized, by the name that other views have for it. Estimates do not hang on it.",
  "is_calibrated": "Whether the scores were corrected by what past labels say of them. If not, they are taken as the probabilities that '
    'they claim to be.",
  "calibration": "isotonic: corrected (of three or more classes: at least one of them, each of 10 labels); not_needed: correction would '
    'have made them no truer; too_few_labels: less than 200 on the mature days of a year, or less than 10 of a class (of three or more: '
    'of every class), so that nobody knows whether scores mean what they say.",
  "calibrated_until": "Last day whose labels the correction was learned from. It is before the month of the window; only where there is '
    'nothing to learn from before, it may be later: then the first correction there is holds.",
  "undefined_reason": "Why estimates are NULL: no_probabilities (the model says labels only, or no prediction has a score), not_estimated '
    '(the next refresh will), too_many_classes (more than 50), not_counted (a classifier of three or more classes predicted before '
    'pgscore counted what they are made of), no_predicted_positives or one_class (no positive, or no negative, is to be expected)."
}'::jsonb;
comment on function pgscore_data._estimate_meanings() is 'What the columns of the view of estimates mean.';

select pgscore_data._make_window_views('estimated_performance', $q$
      select g.grain, m.name as model_name, v.number::bigint as model_version, s.segment_key, s.segment_value,
             (w.window_start at time zone m.time_zone)::date as window_date, w.window_start, w.window_end, w.n_predictions,
             coalesce(c.n, 0)::bigint as n_labeled, coalesce(c.n, 0)::float8 / nullif(coalesce(c.n, 0) + w.n_awaiting, 0) as label_coverage,
             coalesce(x.n, 0) as n,
             (x.n - x.false_positives - x.false_negatives) / x.n as estimated_accuracy,
             (c.n - c.fp - c.fn) / nullif(c.n, 0) as realized_accuracy,
             x.true_positives / nullif(x.true_positives + x.false_positives, 0) as estimated_precision_score,
             c.tp / nullif(c.tp + c.fp, 0) as realized_precision_score,
             x.true_positives / nullif(x.true_positives + x.false_negatives, 0) as estimated_recall_score,
             c.tp / nullif(c.tp + c.fn, 0) as realized_recall_score,
             2 * x.true_positives / nullif(2 * x.true_positives + x.false_positives + x.false_negatives, 0) as estimated_f1_score,
             2 * c.tp / nullif(2 * c.tp + c.fp + c.fn, 0) as realized_f1_score,
             l.roc_auc as estimated_roc_auc, a.roc_auc as realized_roc_auc,
             (x.true_positives + x.false_negatives) / x.n as estimated_positive_rate,
             (c.tp + c.fn) / nullif(c.n, 0) as realized_positive_rate,
             coalesce(c.n, 0) > 0 and c.n >= m.min_label_coverage * (c.n + w.n_awaiting) as is_realized,
             coalesce(k.state = 'isotonic', false) as is_calibrated, coalesce(k.state, 'too_few_labels') as calibration,
             (k.last_day at time zone m.time_zone)::date as calibrated_until,
             case when x.n is null then case when not e.probabilities then 'no_probabilities'
                    when exists (select from pgscore_data.cell_score y
                                  where y.version_id = v.version_id and y.day >= w.window_start and y.day < w.window_end)
                                        then 'not_estimated' else 'no_probabilities' end
               when l.is_due then 'not_estimated' when l.roc_auc is null then 'one_class'
                 when x.true_positives + x.false_positives = 0 then 'no_predicted_positives' end as undefined_reason,
             coalesce(c.n, 0) > 0 and c.n >= m.min_label_coverage * (c.n + w.n_awaiting) as is_mature$q$
    || pgscore_data._counted_columns() || pgscore_data._from_windows('binary', pgscore_data._binary_cells())
    || pgscore_data._join_metrics($q$
           max(x.value) filter (where x.metric = 'roc_auc') as roc_auc,
           max(x.value) filter (where x.metric = 'estimated_roc_auc') as estimated_roc_auc,
           count(*) filter (where x.metric = 'estimated_roc_auc') as n_estimated$q$)
    || $q$
        left join lateral (
          select y.state, y.last_day from pgscore_data.calibration_span y
           where y.version_id = v.version_id and y.from_day < w.window_end and y.to_day > w.window_start
           order by y.month desc limit 1) k on true
        left join lateral (
          select sum(y.n)::bigint as n, sum(y.true_positives) as true_positives, sum(y.false_positives) as false_positives,
                 sum(y.false_negatives) as false_negatives, max(y.roc_auc) as roc_auc
            from pgscore_data.estimate y where y.version_id = v.version_id and y.day >= w.window_start and y.day < w.window_end
              having count(*) > 0) x on true
       cross join lateral (select case g.grain when 'day' then x.roc_auc else a.estimated_roc_auc end as roc_auc,
                                  g.grain <> 'day' and a.n_estimated = 0 as is_due) l
       where s.segment_key is null and v.target is null
      union all
      select p.grain, p.model_name, p.model_version, p.segment_key, p.segment_value, p.window_date, p.window_start, p.window_end,
             p.n_predictions, p.n_labeled, p.label_coverage, coalesce(x.n, 0),
             x.accuracy, p.accuracy, x.macro_precision, p.macro_precision, x.macro_recall, p.macro_recall, x.macro_f1, p.macro_f1,
             l.roc_auc, p.macro_roc_auc, null, null, p.is_mature,
             coalesce(k.state = 'isotonic', false), coalesce(k.state, 'too_few_labels'), (k.last_day at time zone mo.time_zone)::date,
             case when x.n is null then case when not e.probabilities then 'no_probabilities'
                                          when cardinality(e.class_labels) > 50 then 'too_many_classes'
                  when exists (select from pgscore_data.cell_class_volume y
                                where y.version_id = v.version_id and y.day >= p.window_start and y.day < p.window_end) then 'not_estimated'
                                      else 'not_counted' end
               when l.is_due then 'not_estimated' when l.roc_auc is null then 'one_class' end, p.is_mature, p.n_awaiting,
             p.n_superseded, p.is_dropped
        from pgscore_data.multiclass_performance p
        join pgscore_data.version v using (version_id)
        join pgscore_data.monitor mo using (model_id)
        join pgscore_data.scored_version e using (version_id)
        left join lateral (
          select y.state, y.last_day from pgscore_data.calibration_span y
           where y.version_id = v.version_id and y.from_day < p.window_end and y.to_day > p.window_start
           order by y.month desc limit 1) k on true
        left join lateral (
          -- As in what is realized, a class that is not there is no part of a mean: one is likely to be there where at least half a
          -- prediction of it is to be expected.
          select max(y.n) as n, sum(y.tp) / max(y.n) as accuracy, avg(y.tp / nullif(y.tp + y.fp, 0)) as macro_precision,
                 avg(y.tp / nullif(y.tp + y.fn, 0)) filter (where y.tp + y.fn >= 0.5) as macro_recall,
                 avg(2 * y.tp / nullif(2 * y.tp + y.fp + y.fn, 0)) filter (where y.tp + y.fn >= 0.5 or y.tp + y.fp > 0) as macro_f1,
                 avg(y.roc_auc) filter (where y.tp + y.fn between 0.5 and y.n - 0.5) as roc_auc
            from (select sum(z.n)::bigint as n, sum(z.true_positives) as tp, sum(z.false_positives) as fp, sum(z.false_negatives) as fn,
                         max(z.roc_auc) as roc_auc
                    from pgscore_data.estimate z
                   where z.version_id = v.version_id and z.day >= p.window_start and z.day < p.window_end group by z.class) y
          having count(*) > 0) x on true
        left join pgscore_data.metric_value r on r.version_id = v.version_id and r.grain = p.grain and r.window_start = p.window_start
          and r.metric = 'estimated_roc_auc'
       cross join lateral (select case p.grain when 'day' then x.roc_auc else r.value end as roc_auc,
                                  p.grain <> 'day' and r.version_id is null as is_due) l
       where p.segment_key is null$q$,
'What the accuracy of each version of a classifier is likely to be, by %1$s, before labels come: from all scores of the %1$s and what '
'earlier labels say that such scores mean (CBPE: confidence-based performance estimation, after NannyML), with what labels then said '
'beside it. It holds as long as a score means what it meant: if other rows come (covariate shift), it sees the effect. It is blind to '
'concept drift: if the same rows turn out differently, it cannot know. Where scores are taken as they are and the threshold is 0.5, it '
'never says less than 0.5 of accuracy, since whoever is less than half sure of a class says the other. Three or more classes are as many '
'questions, one against the others, each with its own calibration; precision, recall, F1 and ROC AUC are means over the classes (macro), '
'and a probability is taken for what it says whichever class was said. Exact for the scores as they are binned: which side of the '
'threshold each prediction is on, and which class it says, is counted, not taken from its bin. Regressions have no estimate: it takes a '
'second model that predicts their error.', pgscore_data._estimate_meanings());
