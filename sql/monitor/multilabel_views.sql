-- What analysts read of a model of several labels as a whole. binary_performance_* have each of its labels.

do $do$
declare
  g record;
begin
  for g in select * from (values ('daily', 'day'), ('weekly', 'week'), ('monthly', 'month')) x (suffix, grain) loop
    execute format('create or replace view pgscore_bi.multilabel_performance_%s with (security_barrier) as select ', g.suffix)
      || pgscore_data._window_columns() || format($q$,
        c.hits / nullif(c.judged, 0) as subset_accuracy, %s as subset_accuracy_ci_low, %s as subset_accuracy_ci_high,
        case when coalesce(c.judged, 0) = 0 then case when w.n_awaiting = 0 then 'superseded' else 'no_labels' end end
          as undefined_reason$q$,
        pgscore_data._share('c.hits', 'c.judged', '-'), pgscore_data._share('c.hits', 'c.judged', '+'))
      || pgscore_data._counted_columns() || ', i.n_effective' || pgscore_data._windows_from(g.grain, 'multilabel', $q$
        select sum(x.n)::float8 as n, coalesce(sum(x.n) filter (where x.predicted_class <= 1), 0)::float8 as judged,
               coalesce(sum(x.n) filter (where x.predicted_class = 0), 0)::float8 as hits
          from pgscore_data.cell_outcome x
         where x.version_id = v.version_id and x.segment_id = s.segment_id and x.day >= w.window_start and x.day < w.window_end$q$)
      || pgscore_data._repeats_from(g.grain, 's.segment_id', 'w.window_start', pgscore_data._n_effective(
        'c.n', 'c.hits', 'c.n + r2.pairs2', 'c.hits + r2.hits_pairs', 'c.hits + r2.hits2'));
    execute format('comment on view pgscore_bi.multilabel_performance_%s is %L', g.suffix,
      format('How often a model of several labels was right about all labels of a row, by %s and segment, also where the truth is not '
             'known yet. binary_performance_%s has each label. Of all predictions: where segment_key is null.', g.grain, g.suffix));
    perform pgscore_data._comment_columns(format('pgscore_bi.multilabel_performance_%s', g.suffix), pgscore_data._metric_meanings() || '{
      "n_labeled": "Predictions of which the truth of one label at least is known.",
      "undefined_reason": "Why subset_accuracy is NULL: no_labels (of no row the truth of all labels is known), or superseded."
    }');
  end loop;
end
$do$;
