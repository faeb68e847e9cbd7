-- Which version is better, and by how much.

create or replace view pgscore_data.compared_kind as
select * from (values
  ('binary', 'accuracy'), ('binary', 'precision_score'), ('binary', 'recall_score'), ('binary', 'f1_score'), ('binary', 'roc_auc'),
  ('multiclass', 'accuracy'), ('regression', 'mae'), ('regression', 'rmse')) x (task, metric);
comment on view pgscore_data.compared_kind is 'By which metrics versions are compared.';

create or replace view pgscore_data.compared_difference as
select x.version_id, x.other_id, x.segment_id, x.metric, x.value, x.other_value, x.n, x.other_n, x.is_enough,
       x.value - x.other_value as difference, x.value - x.other_value - b.below as low, x.value - x.other_value + b.above as high
  from pgscore_data.compared_metric x
 cross join lateral (
   select sqrt(greatest(0, l.a ^ 2 - 2 * x.correlation * l.a * l.b + l.b ^ 2)) as below,
          sqrt(greatest(0, h.a ^ 2 - 2 * x.correlation * h.a * h.b + h.b ^ 2)) as above
     from (values (x.value - x.value_low, x.other_high - x.other_value)) l (a, b),
          (values (x.value_high - x.value, x.other_value - x.other_low)) h (a, b)) b;
comment on view pgscore_data.compared_difference is
  'How far two versions are apart by a metric, with the 95 % interval of the difference.';

create or replace view pgscore_bi.version_comparison with (security_barrier) as
select m.name as model_name, v.number::bigint as model_version, p.compared_with, o.number::bigint as other_version, k.metric,
       (c.first_day at time zone mo.time_zone)::date as first_date, (c.last_day at time zone mo.time_zone)::date as last_date,
       coalesce(c.n_days, 0) as n_days,
       x.value as value_a, x.other_value as value_b, x.difference, x.low as ci_low, x.high as ci_high,
       coalesce(x.n, 0) as n_a, coalesce(x.other_n, 0) as n_b,
       case when not coalesce(x.is_enough, false) then 'insufficient_data'
         when x.low > 0 then case when k.task = 'regression' then 'worse' else 'better' end
         when x.high < 0 then case when k.task = 'regression' then 'better' else 'worse' end
         else 'no_difference' end as verdict,
       c.compared_at,
       case when x.value is null
         or x.other_value is null then case when c.compared_at is null then 'not_compared' when c.n_days = 0 then 'no_common_labels'
         when k.metric = 'precision_score' then 'no_predicted_positives'
           when k.metric in ('recall_score', 'f1_score') then 'no_positive_labels'
         when k.metric = 'roc_auc' then case when exists (select from pgscore_data.execution e
                                                           where e.version_id in (p.version_id, p.other_id) and not e.probabilities)
                                                                 then 'no_probabilities' else 'one_class' end
         else 'no_labels' end end as undefined_reason
  from pgscore_data.visible_model m
  join pgscore_data.monitor mo using (model_id)
  join pgscore_data.version v using (model_id)
  join pgscore_data.version_pair p using (version_id)
  join pgscore_data.version o on o.version_id = p.other_id
  join pgscore_data.compared_kind k on k.task = p.task
  left join pgscore_data.compared_pair c on c.version_id = p.version_id and c.other_id = p.other_id
  left join pgscore_data.compared_difference x
    on x.version_id = p.version_id and x.other_id = p.other_id and x.segment_id = 0 and x.metric = k.metric;
comment on view pgscore_bi.version_comparison is
'Whether a version is better than the champion and than the one before it, by each metric, over the labels that judge a prediction of '
'both. Other labels count for neither. The 95 % interval of the difference is made of the intervals of both values and of their '
'correlation (Zou 2007; for shares Newcombe 1998, Stat Med 17:2635, method 10). Labels of one entity are not taken for independent.';
do $$
begin
  perform pgscore_data._comment_columns('pgscore_bi.version_comparison', pgscore_data._detail_meanings() || '{
    "undefined_reason": "Why a value is NULL: not_compared (yet), no_common_labels, no_predicted_positives, no_positive_labels, '
      'one_class, or no_probabilities (a version says labels only), of one of them at least."
  }');
end
$$;
