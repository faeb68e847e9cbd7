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

do $do$
declare
  g record;
begin
  for g in select * from (values ('daily', 'day'), ('weekly', 'week'), ('monthly', 'month')) x (suffix, grain) loop
    execute format('create or replace view pgscore_bi.class_performance_%s with (security_barrier) as ', g.suffix) || format($q$
      select m.name as model_name, v.number::bigint as model_version, s.segment_key, s.segment_value,
             (w.window_start at time zone mo.time_zone)::date as window_date, w.window_start,
             w.window_end, e.class_labels[c.class + 1] as class_label,
             c.support::bigint as support, c.predicted::bigint as n_predicted,
             c.hits / nullif(c.predicted, 0) as precision_score, c.hits / nullif(c.support, 0) as recall_score,
             2 * c.hits / nullif(c.support + c.predicted, 0) as f1_score,
             a.roc_auc, a.error_bound as roc_auc_error_bound,
             %2$s as precision_ci_low, %3$s as precision_ci_high, %4$s as recall_ci_low, %5$s as recall_ci_high,
             2 * q.low / (1 + q.low) as f1_ci_low, 2 * q.high / (1 + q.high) as f1_ci_high,
             case when c.n = 0 then 'no_labels' when c.support = 0 then 'no_positive_labels'
               when c.predicted = 0 then 'no_predicted_positives' when cardinality(e.class_labels) = 2 or a.roc_auc is not null then null
               when c.support = c.n then 'one_class' when not e.probabilities then 'no_probabilities'
                 when cardinality(e.class_labels) > 50 then 'too_many_classes'
               when s.segment_id <> 0 then 'not_by_segment' else 'not_counted' end as undefined_reason,
             c.n::bigint as n_labeled, c.n / nullif(c.n + w.n_awaiting, 0) as label_coverage,
             c.n > 0 and c.n >= mo.min_label_coverage * (c.n + w.n_awaiting) as is_mature
        from pgscore_data.visible_model m
        join pgscore_data.monitor mo using (model_id)
        join pgscore_data.version v using (model_id)
        join pgscore_data.scored_version e on e.version_id = v.version_id and e.task <> 'regression'
        join pgscore_data.slice s using (model_id)
       -- By m, too: else the planner may read the cells of all models' versions before it asks whose they are.
       cross join lateral (
         select y.*, (date_trunc(%1$L, y.window_start at time zone mo.time_zone) + interval '1 %1$s') at time zone mo.time_zone
             as window_end
           from (select date_trunc(%1$L, x.day, mo.time_zone) as window_start, sum(x.n_awaiting)::float8 as n_awaiting
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
          group by x.class) c$q$ || pgscore_data._repeats_from(g.grain, 's.segment_id', 'w.window_start') || $q$
       cross join lateral (select %6$s as low, %7$s as high) q
        left join pgscore_data.class_metric a on s.segment_id = 0 and a.version_id = v.version_id and a.grain = %1$L
          and a.window_start = w.window_start and a.class = c.class$q$, g.grain,
      pgscore_data._share('c.hits', 'c.predicted', '-'), pgscore_data._share('c.hits', 'c.predicted', '+'),
      pgscore_data._share('c.hits', 'c.support', '-'), pgscore_data._share('c.hits', 'c.support', '+'),
      pgscore_data._share('c.hits', '(c.support + c.predicted - c.hits)', '-'),
      pgscore_data._share('c.hits', '(c.support + c.predicted - c.hits)', '+'));
    execute format('comment on view pgscore_bi.class_performance_%s is %L', g.suffix,
      format('How right each version of a classifier was about each class, by %s and segment, also where there are no labels yet; of all '
             'predictions: where segment_key is null. roc_auc, of the class against the others, is of classifiers of three classes or '
             'more; binary_performance_%s has it of two.', g.grain, g.suffix));
    perform pgscore_data._comment_columns(format('pgscore_bi.class_performance_%s', g.suffix), pgscore_data._class_meanings());
  end loop;
end
$do$;
