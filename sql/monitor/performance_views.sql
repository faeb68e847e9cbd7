-- What analysts read of a model's accuracy: a view of each task, additive cells turned into ratios with their intervals, and of each grain.
--
-- in: cells of days, metric_value, class_metric, and the expressions of counted_windows.sql and intervals.sql.
-- out: pgscore_bi.binary_performance_*, regression_performance_*, multiclass_performance_*, multilabel_performance_*, class_performance_*.
-- Expressions are written out rather than called: a function in a view needs EXECUTE of whoever reads it.
--
-- binary_performance_daily is `select … from pgscore_data.binary_performance where grain = 'day'`, by _make_window_views(). The latter is:
--   select the window, ratios of c, bounds of i, metrics of a  _window_columns(), _bound_columns(), _counted_columns(), _training_column()
--     from m model, v version or a value of it, e its task, s slice, g grain, w window, c its cells                _from_windows()
--          tr until when the version was trained                                                                   _join_training()
--          i repeats of entities, n_effective, and low and high of each share                                      _join_repeats()
--          a AUC and others that are no sums                                                                       _join_metrics()
-- To see what comes of it: select pg_get_viewdef('pgscore_data.binary_performance', true);

select pgscore_data._make_window_views('binary_performance', 'select ' || pgscore_data._window_columns() || $q$,
    c.tp::bigint as true_positives, c.fp::bigint as false_positives, c.fn::bigint as false_negatives, c.tn::bigint as true_negatives,
    (c.tp + c.tn) / nullif(c.n, 0) as accuracy$q$ || pgscore_data._bound_columns('accuracy') || $q$,
    case when c.tp + c.fn = 0 then c.tn / nullif(c.tn + c.fp, 0) when c.tn + c.fp = 0 then c.tp / nullif(c.tp + c.fn, 0)
      else (c.tp / (c.tp + c.fn) + c.tn / (c.tn + c.fp)) / 2 end as balanced_accuracy,
    c.tp / nullif(c.tp + c.fp, 0) as precision_score$q$ || pgscore_data._bound_columns('precision') || $q$,
    c.tp / nullif(c.tp + c.fn, 0) as recall_score$q$ || pgscore_data._bound_columns('recall') || $q$,
    2 * c.tp / nullif(2 * c.tp + c.fp + c.fn, 0) as f1_score,
    2 * i.f1_low / (1 + i.f1_low) as f1_ci_low, 2 * i.f1_high / (1 + i.f1_high) as f1_ci_high,
    c.tn / nullif(c.tn + c.fp, 0) as specificity,
    (c.tp * c.tn - c.fp * c.fn) / nullif(sqrt((c.tp + c.fp) * (c.tp + c.fn) * (c.tn + c.fp) * (c.tn + c.fn)), 0) as mcc,
    2 * (c.tp * c.tn - c.fp * c.fn) / nullif((c.tp + c.fp) * (c.fp + c.tn) + (c.tp + c.fn) * (c.fn + c.tn), 0) as cohen_kappa,
    a.roc_auc, a.roc_auc_ci_low, a.roc_auc_ci_high, a.roc_auc_error_bound,
    a.average_precision, a.average_precision_low, a.average_precision_high, a.ks_of_scores,
    case when e.probabilities then c.brier / nullif(c.n, 0) end as brier_score,
    case when e.probabilities then c.log_loss / nullif(c.n, 0) end as log_loss,
    case when e.probabilities then a.ece end as ece,
    e.threshold as decision_threshold, (c.tp + c.fp) / nullif(c.n, 0) as positive_rate_predicted,
    (c.tp + c.fn) / nullif(c.n, 0) as positive_rate_actual,
    case when coalesce(c.n, 0) = 0 then case when w.n_awaiting = 0 then 'superseded' else 'no_labels' end
      when c.tp + c.fn = 0 then 'no_positive_labels' when c.tn + c.fp = 0 then 'one_class'
        when c.tp + c.fp = 0 then 'no_predicted_positives'
      when c.tn + c.fn = 0 then 'one_class' when not e.probabilities then 'no_probabilities'
        when s.segment_id <> 0 then 'not_by_segment' end as undefined_reason$q$
    || pgscore_data._bound_columns('specificity') || pgscore_data._bound_columns('positive_rate_predicted')
    || pgscore_data._bound_columns('positive_rate_actual') || ', a.ks_of_scores_error_bound'
    || pgscore_data._counted_columns() || ', i.n_effective, v.target'
    || pgscore_data._training_column('w.window_start') || pgscore_data._from_windows('binary', pgscore_data._binary_cells())
    || pgscore_data._join_training('v.of_version')
    || pgscore_data._join_repeats('g.grain', 's.segment_id', 'w.window_start',
      pgscore_data._n_effective('c.n', 'c.tp + c.tn', 'c.n + r2.pairs2', 'c.tp + c.tn + r2.hits_pairs', 'c.tp + c.tn + r2.hits2'),
      '{{accuracy,c.tp + c.tn,c.n,i.n_effective},{precision,c.tp,(c.tp + c.fp),NULL},'
      '{recall,c.tp,(c.tp + c.fn),NULL},{f1,c.tp,(c.tp + c.fp + c.fn),NULL},{specificity,c.tn,(c.tn + c.fp),NULL},'
      '{positive_rate_predicted,c.tp + c.fp,c.n,NULL},{positive_rate_actual,c.tp + c.fn,c.n,NULL}}')
    || pgscore_data._join_metrics($q$
           max(x.value) filter (where x.metric = 'roc_auc') as roc_auc, max(x.ci_low) filter (where x.metric = 'roc_auc') as roc_auc_ci_low,
           max(x.ci_high) filter (where x.metric = 'roc_auc') as roc_auc_ci_high,
           max(x.error_bound) filter (where x.metric = 'roc_auc') as roc_auc_error_bound,
           max(x.value) filter (where x.metric = 'average_precision') as average_precision,
           max(x.ci_low) filter (where x.metric = 'average_precision') as average_precision_low,
           max(x.ci_high) filter (where x.metric = 'average_precision') as average_precision_high,
           max(x.value) filter (where x.metric = 'ks_of_scores') as ks_of_scores,
           max(x.error_bound) filter (where x.metric = 'ks_of_scores') as ks_of_scores_error_bound,
           max(x.value) filter (where x.metric = 'ece') as ece$q$),
  'How right each version of a binary classifier was: one row a version, %1$s and segment, also where there are no labels yet. '
  'Windows go by the time that predictions are for, so late labels change old rows. Of all predictions: where segment_key is '
  'null.', pgscore_data._metric_meanings());

select pgscore_data._make_window_views('regression_performance', 'select ' || pgscore_data._window_columns() || format($q$,
    c.abs_error / nullif(c.n, 0) as mae, %s as mae_ci_low, %s as mae_ci_high,
    sqrt(c.error2 / nullif(c.n, 0)) as rmse,
    %s as rmse_ci_low, %s as rmse_ci_high,
    c.error / nullif(c.n, 0) as bias,
    case when c.n >= 2 then 1 - c.error2 / nullif(c.spread, 0) end as r2,
    c.relative / nullif(c.n - c.zeros, 0) as mape, c.zeros::bigint as n_zero_actual, c.abs_error / nullif(c.abs_actual, 0) as wape,
    a.median_abs_error, a.p90_abs_error, c.actual / nullif(c.n, 0) as actual_mean,
    case when coalesce(c.n, 0) = 0 then case when w.n_awaiting = 0 then 'superseded' else 'no_labels' end when c.n < 2
      or c.spread = 0 then 'constant_target' when s.segment_id <> 0 then 'not_by_segment' end as undefined_reason,
    a.max_abs_error, case when c.n >= 2 then 1 - c.error_spread / nullif(c.spread, 0) end as explained_variance,
    (l.quantile * c.short_of + (1 - l.quantile) * c.beyond) / nullif(c.n, 0) as pinball_loss, l.quantile,
    case when c.n_log = c.n then c.log_error2 / nullif(c.n, 0) end as msle$q$,
    pgscore_data._mae_bound('c.n', 'c.abs_error', 'c.error2', 'i.n_effective', '-'),
    pgscore_data._mae_bound('c.n', 'c.abs_error', 'c.error2', 'i.n_effective', '+'),
    pgscore_data._rmse_bound('c.n', 'c.error2', 'c.error4', 'i.n_effective', '-'),
    pgscore_data._rmse_bound('c.n', 'c.error2', 'c.error4', 'i.n_effective', '+'))
    || pgscore_data._counted_columns() || $q$, i.n_effective, v.target,
    case when l.quantile is not null then c.covered / nullif(c.n, 0) end as coverage$q$
    || pgscore_data._bound_columns('coverage', 'l.quantile is not null') || $q$,
    case when v.interval_level is not null then c.inside / nullif(c.n, 0) end as interval_coverage$q$
    || pgscore_data._bound_columns('interval_coverage', 'v.interval_level is not null') || ', v.interval_level'
    || pgscore_data._training_column('w.window_start') || pgscore_data._from_windows('regression', $q$
      select sum(x.n)::float8 as n, sum(x.sum_error)::float8 as error, sum(x.sum_abs_error)::float8 as abs_error,
             sum(x.sum_error2)::float8 as error2, sum(x.sum_error4)::float8 as error4,
             sum(x.sum_actual)::float8 as actual,
             ((sum(x.n) * sum(x.sum_actual2) - sum(x.sum_actual) * sum(x.sum_actual)) / nullif(sum(x.n), 0))::float8 as spread,
             ((sum(x.n) * sum(x.sum_error2) - sum(x.sum_error) * sum(x.sum_error)) / nullif(sum(x.n), 0))::float8 as error_spread,
             sum(x.sum_abs_actual)::float8 as abs_actual,
             sum(x.n_zero_actual)::float8 as zeros, sum(x.sum_relative_error)::float8 as relative,
             (sum(x.sum_abs_error - x.sum_error) / 2)::float8 as short_of, (sum(x.sum_abs_error + x.sum_error) / 2)::float8 as beyond,
             sum(x.n_log) as n_log, sum(x.sum_log_error2)::float8 as log_error2,
             sum(x.n_covered)::float8 as covered, sum(x.n_inside)::float8 as inside
        from pgscore_data.cell_regression x$q$)
    || pgscore_data._join_training('v.of_version')
    || pgscore_data._join_repeats('g.grain', 's.segment_id', 'w.window_start', 'c.n ^ 2 / nullif(c.n + r2.pairs2, 0)',
      '{{coverage,c.covered,c.n,i.n_effective},{interval_coverage,c.inside,c.n,i.n_effective}}')
    || ' cross join lateral (select case when v.position is null then coalesce(v.quantile, m.quantile) else v.quantile end as quantile) l'
    || pgscore_data._join_metrics($q$
           max(x.value) filter (where x.metric = 'median_abs_error') as median_abs_error,
           max(x.value) filter (where x.metric = 'p90_abs_error') as p90_abs_error,
           max(x.value) filter (where x.metric = 'max_abs_error') as max_abs_error$q$),
  'How far each version of a regression was off: one row a version, %1$s and segment, also where there are no labels yet. '
  'Windows go by the time that predictions are for, so late labels change old rows. Of all predictions: where segment_key is '
  'null.', pgscore_data._metric_meanings());

select pgscore_data._make_window_views('multiclass_performance', 'select ' || pgscore_data._window_columns() || $q$,
    k.hits / nullif(c.n, 0) as accuracy$q$ || pgscore_data._bound_columns('accuracy') || $q$,
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
    k.hits / nullif(c.n, 0) as micro_precision, k.hits / nullif(c.n, 0) as micro_recall, k.hits / nullif(c.n, 0) as micro_f1$q$
    || pgscore_data._bound_columns('top_2_accuracy', 'r.n = c.n')
    || pgscore_data._bound_columns('top_3_accuracy', 'r.n = c.n and cardinality(e.class_labels) > 3')
    || pgscore_data._bound_columns('top_5_accuracy', 'r.n = c.n and cardinality(e.class_labels) > 5')
    || pgscore_data._counted_columns() || ', i.n_effective' || pgscore_data._training_column('w.window_start')
    || pgscore_data._from_windows('multiclass', $q$
      select sum(x.n)::float8 as n, sum(x.sum_log_loss)::float8 as log_loss,
             sum(x.n) filter (where x.actual_class = x.predicted_class)::float8 as n_right
        from pgscore_data.cell_outcome x$q$)
    || pgscore_data._join_training('v.of_version')
    || $q$
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
            select z.class,
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
         where s.segment_id = 0 and x.version_id = v.version_id and x.grain = g.grain and x.window_start = w.window_start) a
      left join lateral (
        select sum(x.n)::float8 as n, coalesce(sum(x.n) filter (where x.rank <= 2), 0)::float8 as top2,
               coalesce(sum(x.n) filter (where x.rank <= 3), 0)::float8 as top3,
               coalesce(sum(x.n) filter (where x.rank <= 5), 0)::float8 as top5
          from pgscore_data.cell_rank x
         where x.version_id = v.version_id and x.segment_id = s.segment_id and x.day >= w.window_start and x.day < w.window_end
               having sum(x.n) > 0) r on true$q$
    || pgscore_data._join_repeats('g.grain', 's.segment_id', 'w.window_start', pgscore_data._n_effective(
      'c.n', 'coalesce(c.n_right, 0)', 'c.n + r2.pairs2', 'coalesce(c.n_right, 0) + r2.hits_pairs', 'coalesce(c.n_right, 0) + r2.hits2'),
      '{{accuracy,k.hits,c.n,i.n_effective},{top_2_accuracy,r.top2,r.n,NULL},{top_3_accuracy,r.top3,r.n,NULL},'
      '{top_5_accuracy,r.top5,r.n,NULL}}'),
  'How right each version of a classifier of three or more classes was: one row a version, %1$s and segment, also where there '
  'are no labels yet. Windows go by the time that predictions are for, so late labels change old rows. Of all predictions: '
  'where segment_key is null.', pgscore_data._metric_meanings());

-- A model of several labels as a whole; binary_performance_* have each of its labels.

select pgscore_data._make_window_views('multilabel_performance', 'select ' || pgscore_data._window_columns() || $q$,
    c.hits / nullif(c.judged, 0) as subset_accuracy$q$ || pgscore_data._bound_columns('subset_accuracy') || $q$,
    case when coalesce(c.judged, 0) = 0 then case when w.n_awaiting = 0 then 'superseded' else 'no_labels' end end as undefined_reason$q$
    || pgscore_data._counted_columns() || ', i.n_effective' || pgscore_data._training_column('w.window_start')
    || pgscore_data._from_windows('multilabel', $q$
      select sum(x.n)::float8 as n, coalesce(sum(x.n) filter (where x.predicted_class <= 1), 0)::float8 as judged,
             coalesce(sum(x.n) filter (where x.predicted_class = 0), 0)::float8 as hits
        from pgscore_data.cell_outcome x$q$)
    || pgscore_data._join_training('v.of_version')
    || pgscore_data._join_repeats('g.grain', 's.segment_id', 'w.window_start', pgscore_data._n_effective(
      'c.n', 'c.hits', 'c.n + r2.pairs2', 'c.hits + r2.hits_pairs', 'c.hits + r2.hits2'),
      '{{subset_accuracy,c.hits,c.judged,NULL}}'),
  'How often a model of several labels was right about all labels of a row, by %1$s and segment, also where the truth is not '
  'known yet. binary_performance_%2$s has each label. Of all predictions: where segment_key is null.',
  pgscore_data._metric_meanings() || '{
    "n_labeled": "Predictions of which the truth of one label at least is known.",
    "undefined_reason": "Why subset_accuracy is NULL: no_labels (of no row the truth of all labels is known), or superseded."
  }');

-- What analysts read of each class: the confusion matrix, seen from one class at a time.

create or replace function pgscore_data._class_meanings() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._metric_meanings() || '{
  "precision_score": "Of what was called this class, the share that was.",
  "recall_score": "Of what was this class, the share that was called so.",
  "f1_score": "Harmonic mean of precision and recall.",
  "f1_ci_low": "Lower bound, from the Wilson interval of hits / (support + n_predicted - hits).",
  "roc_auc": "Probability that one of this class has a higher probability of it than one of another; ties count half.",
  "undefined_reason": "Why ratios are NULL: no_labels, no_positive_labels (none was this class), no_predicted_positives (none was called '
    'so); of roc_auc only one_class (all were this class), no_probabilities, too_many_classes (over 50), not_by_segment or not_counted '
    '(pgscore.rebuild() counts)."
}'::jsonb;
comment on function pgscore_data._class_meanings() is 'What the columns of the class views mean.';

select pgscore_data._make_window_views('class_performance', format($q$
      select g.grain, m.name as model_name, v.number::bigint as model_version, s.segment_key, s.segment_value,
             (w.window_start at time zone m.time_zone)::date as window_date, w.window_start,
             w.window_end, e.class_labels[c.class + 1] as class_label,
             c.support::bigint as support, c.predicted::bigint as n_predicted,
             c.hits / nullif(c.predicted, 0) as precision_score, c.hits / nullif(c.support, 0) as recall_score,
             2 * c.hits / nullif(c.support + c.predicted, 0) as f1_score,
             a.roc_auc, a.error_bound as roc_auc_error_bound%1$s%2$s,
             2 * i.f1_low / (1 + i.f1_low) as f1_ci_low, 2 * i.f1_high / (1 + i.f1_high) as f1_ci_high,
             case when c.n = 0 then 'no_labels' when c.support = 0 then 'no_positive_labels'
               when c.predicted = 0 then 'no_predicted_positives' when cardinality(e.class_labels) = 2 or a.roc_auc is not null then null
               when c.support = c.n then 'one_class' when not e.probabilities then 'no_probabilities'
                 when cardinality(e.class_labels) > 50 then 'too_many_classes'
               when s.segment_id <> 0 then 'not_by_segment' else 'not_counted' end as undefined_reason,
             c.n::bigint as n_labeled, c.n / nullif(c.n + w.n_awaiting, 0) as label_coverage,
             c.n > 0 and c.n >= m.min_label_coverage * (c.n + w.n_awaiting) as is_mature%3$s
        from pgscore_data.visible_model m
        join pgscore_data.version v using (model_id)
        join pgscore_data.scored_version e on e.version_id = v.version_id and e.task in ('binary', 'multiclass')
        join pgscore_data.slice s using (model_id)
       cross join pgscore_data.grain g
       -- By m, too: else the planner may read the cells of all models' versions before it asks whose they are.
       cross join lateral (
         select y.*, (date_trunc(g.grain, y.window_start at time zone m.time_zone) + g.length) at time zone m.time_zone as window_end
           from (select date_trunc(g.grain, x.day, m.time_zone) as window_start, sum(x.n_awaiting)::float8 as n_awaiting
                   from pgscore_data.day_volume x
                  where v.model_id = m.model_id and x.version_id = v.version_id and x.segment_id = s.segment_id and x.n_predictions <> 0
                 group by 1) y) w
       cross join lateral (
         -- A cell counts for the class that was true and for the one that was said: each is read once, whatever the number of classes.
         select x.class, sum(x.support) as support, sum(x.predicted) as predicted, sum(x.hits) as hits, sum(sum(x.support)) over () as n
           from (select k as class, 0::float8 as support, 0::float8 as predicted, 0::float8 as hits
                   from generate_series(0, cardinality(e.class_labels) - 1) k
                 union all
                 select y.class, y.support, y.predicted, y.hits
                   from (select o.actual_class, o.predicted_class, sum(o.n)::float8 as n from pgscore_data.cell_outcome o
                          where o.version_id = v.version_id and o.segment_id = s.segment_id and o.day >= w.window_start
                            and o.day < w.window_end group by 1, 2) o
                  cross join lateral (values (o.actual_class::int, o.n, 0::float8,
                                              case when o.actual_class = o.predicted_class then o.n else 0 end),
                                              (o.predicted_class, 0, o.n, 0)) y (class, support, predicted, hits)) x
          group by x.class) c$q$ || pgscore_data._join_training('v.version_id')
    || pgscore_data._join_repeats('g.grain', 's.segment_id', 'w.window_start', 'null::float8',
      '{{precision,c.hits,c.predicted,NULL},{recall,c.hits,c.support,NULL},{f1,c.hits,(c.support + c.predicted - c.hits),NULL}}') || $q$
        left join pgscore_data.class_metric a on s.segment_id = 0 and a.version_id = v.version_id and a.grain = g.grain
          and a.window_start = w.window_start and a.class = c.class$q$,
    pgscore_data._bound_columns('precision'), pgscore_data._bound_columns('recall'), pgscore_data._training_column('w.window_start')),
  'How right each version of a classifier was about each class, by %1$s and segment, also where there are no labels yet; of all '
  'predictions: where segment_key is null. roc_auc, of the class against the others, is of classifiers of three classes or '
  'more; binary_performance_%2$s has it of two.', pgscore_data._class_meanings());
