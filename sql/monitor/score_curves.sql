-- How the scores of a binary classifier lie, whether they mean what they say, and what another threshold would do.
--
-- in: cell_score and score_log of days, score_curve of months.
-- out: pgscore_bi.score_distribution_daily, reliability_curve, threshold_curve, roc_curve.

create or replace function pgscore_data._curve_meanings() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._detail_meanings() || '{
  "target": "The label that the row is about, of a model that gives several; NULL: it gives one.",
  "n_labeled": "Predictions of the window whose truth is known.",
  "label_coverage": "n_labeled / (n_labeled + n_awaiting) of the window.",
  "is_mature": "Whether that share has reached the minimum of the model''s monitor: whatever is said of truth is provisional before. How '
    'all scores lie does not hang on it.",
  "undefined_reason": "Why ratios are NULL: no_positive_labels, one_class (all were positive), or no_predicted_positives (none reaches '
    'the threshold)."
}'::jsonb;
comment on function pgscore_data._curve_meanings() is 'What the columns of the views of scores mean.';

create or replace function pgscore_data._score_edge(edge text, score_unit text) returns text
language sql immutable
return format('case when %s is null then %s else %s end', score_unit, edge, pgscore_data._margin_at_sql(edge));
comment on function pgscore_data._score_edge(text, text) is 'The expression of the score at an edge of the bins.';

select pgscore_data._make_view('score_distribution_daily', format($q$
select m.name as model_name, v.number::bigint as model_version, w.window_date, w.day as window_start,
       %1$s as bin_low, %2$s as bin_high, c.outcome, c.n,
       (c.n / sum(c.n) over (partition by m.name, v.number::bigint, w.window_date, c.outcome))::float8 as share,
       null::text as segment_key, null::text as segment_value,
       (date_trunc('day', w.day at time zone m.time_zone) + interval '1 day') at time zone m.time_zone as window_end,
       l.n as n_labeled, l.n::float8 / nullif(l.n + w.n_awaiting, 0) as label_coverage,
       l.n > 0 and l.n >= m.min_label_coverage * (l.n + w.n_awaiting) as is_mature%3$s
  from pgscore_data.visible_model m
  join pgscore_data.version v using (model_id)
  join pgscore_data.scored_version e using (version_id)
  -- Days are few: from those that are asked for to their cells, and not from all cells to their days.
  -- By m, too: else the planner may read the cells of all models' versions before it asks whose they are.
 cross join lateral (select x.day, (x.day at time zone m.time_zone)::date as window_date, x.n_awaiting from pgscore_data.day_volume x
                      where v.model_id = m.model_id and x.version_id = v.version_id and x.segment_id = 0 offset 0) w
 cross join lateral (select coalesce(sum(x.n), 0)::bigint as n from pgscore_data.cell_outcome x
                      where x.version_id = v.version_id and x.segment_id = 0 and x.day = w.day) l
 cross join lateral (
    select x.bin, 'all' as outcome, x.n from pgscore_data.cell_score x where x.version_id = v.version_id and x.day = w.day and x.n <> 0
    union all
    select x.bin, 'positive', sum(x.n)::bigint from pgscore_data.cell_outcome_score x
     where x.version_id = v.version_id and x.day = w.day and x.positive group by x.bin having sum(x.n) <> 0
    union all
    select x.bin, 'negative', sum(x.n)::bigint from pgscore_data.cell_outcome_score x
     where x.version_id = v.version_id and x.day = w.day and not x.positive group by x.bin having sum(x.n) <> 0) c
  join pgscore_data.score_bin s using (bin)$q$ || pgscore_data._join_training('v.version_id'),
    pgscore_data._score_edge('s.low', 'e.score_unit'), pgscore_data._score_edge('s.high', 'e.score_unit'),
    pgscore_data._training_column('w.day')),
  'How the scores of a binary classifier lie, by day: all of them, and the labelled ones by what was true. Filter by model and day; a day '
  'has up to 1,500 bins.', pgscore_data._curve_meanings());

do $do$
begin
  execute format($q$
create or replace view pgscore_data.curve_month as
select m.name as model_name, v.number::bigint as model_version, v.version_id, e.score_unit,
       (w.window_start at time zone m.time_zone)::date as window_date, w.window_start, w.window_end,
       c.n / nullif(c.n + p.n, 0) as label_coverage, c.n > 0 and c.n >= m.min_label_coverage * (c.n + p.n) as is_mature,
       coalesce((select r.pairs2 from pgscore_data.cell_repeat r
                  where r.version_id = v.version_id and r.segment_id = 0 and r.grain = 'month' and r.window_start = w.window_start),
                        0)::float8 as pairs2, v.target%s
  from pgscore_data.visible_model m
  join pgscore_data.counted_version v using (model_id)
  join pgscore_data.scored_version e using (version_id)
 cross join lateral (
   select y.window_start, (date_trunc('month', y.window_start at time zone m.time_zone) + interval '1 month') at time zone m.time_zone
       as window_end
     from (select distinct x.window_start from pgscore_data.score_curve x where x.version_id = v.version_id) y) w
 cross join lateral (
   select sum(x.n_awaiting + case when v.position is null then 0 else %s end)::float8 as n from pgscore_data.day_volume x
    where x.version_id = v.of_version and x.segment_id = 0 and x.day >= w.window_start and x.day < w.window_end) p
 cross join lateral (
   select coalesce(sum(x.n), 0)::float8 as n from pgscore_data.cell_outcome x
    where x.version_id = v.version_id and x.segment_id = 0 and x.day >= w.window_start and x.day < w.window_end) c$q$
    || pgscore_data._join_training('v.of_version'),
    pgscore_data._training_column('w.window_start'),
    pgscore_data._count_labeled('v.of_version') || ' - ' || pgscore_data._count_labeled('v.version_id'));
end
$do$;
comment on view pgscore_data.curve_month is
  'The months of binary classifiers, and of each label of those that give several, that have curves of scores, and whether their labels '
  'are there.';

select pgscore_data._make_view('reliability_curve', format($q$
select m.model_name, m.model_version, m.window_date, t.tenth / 10.0::float8 as bin_low, (t.tenth + 1) / 10.0::float8 as bin_high,
       t.n::bigint as n, t.sum_score / t.n as mean_score, t.positives / t.n as observed_rate,
       i.rate_low as ci_low, i.rate_high as ci_high, null::text as segment_key, null::text as segment_value, m.window_start, m.window_end,
       m.label_coverage, m.is_mature, m.target, m.in_training
  from pgscore_data.curve_month m
 cross join lateral (
   select c.hundredth / 10 as tenth, sum(c.n_positive + c.n_negative) as n, sum(c.n_positive) as positives,
          sum(c.sum_score) as sum_score
     from pgscore_data.score_curve c where c.version_id = m.version_id and c.window_start = m.window_start group by 1) t
 %s where m.score_unit is null$q$,
    pgscore_data._join_bounds('(select m.pairs2) i', '{{rate,t.positives,t.n,NULL}}')),
  'Whether probabilities mean what they say: for each tenth of the scores, how often the positive class was true, by month. None of a '
  'model without probabilities.', pgscore_data._curve_meanings());

create or replace function pgscore_data._cut_columns() returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return '(c.p + c.n)::bigint as n_labeled, case when c.p = 0 then ''no_positive_labels'' when c.n = 0 then ''one_class'' when c.tp + '
    'c.fp = 0 then ''no_predicted_positives'' end as undefined_reason'
  || pgscore_data._bound_columns('true_positive_rate') || pgscore_data._bound_columns('false_positive_rate')
  || pgscore_data._bound_columns('precision')
  || ', 2 * i.f1_low / (1 + i.f1_low) as f1_ci_low, 2 * i.f1_high / (1 + i.f1_high) as f1_ci_high';
comment on function pgscore_data._cut_columns() is
  'How many labels the ratios of a threshold rest on, why some are NULL, and their intervals: of c, which has tp and fp from the '
  'threshold on, of p positives and n negatives. Recall is the true positive rate.';

select pgscore_data._make_view('threshold_curve', format($q$
with counted as (
  select m.*, %3$s as threshold, c.tp, c.fp, y.p, y.n
    from pgscore_data.curve_month m
   cross join lateral (
     select array_agg(x.hundredth) as hundredth, array_agg(x.n_positive) as positives, array_agg(x.n_negative) as negatives,
            sum(x.n_positive) as p, sum(x.n_negative) as n
       from pgscore_data.score_curve x where x.version_id = m.version_id and x.window_start = m.window_start) y
   cross join generate_series(0, 99) t
   cross join lateral (
     select coalesce(sum(x.p), 0) as tp, coalesce(sum(x.n), 0) as fp
       from unnest(y.hundredth, y.positives, y.negatives) as x (hundredth, p, n) where x.hundredth >= t) c
)
select c.model_name, c.model_version, c.window_date, c.threshold, c.tp / nullif(c.p, 0) as true_positive_rate,
       c.fp / nullif(c.n, 0) as false_positive_rate,
       c.tp / nullif(c.tp + c.fp, 0) as precision_score, c.tp / nullif(c.p, 0) as recall_score,
       2 * c.tp / nullif(c.tp + c.fp + c.p, 0) as f1_score, (c.tp + c.fp)::bigint as n_predicted_positive,
       (c.tp + c.fp) / nullif(c.p + c.n, 0) as predicted_positive_rate,
       c.tp / nullif(c.tp + c.fp, 0) / nullif(c.p / nullif(c.p + c.n, 0), 0) as lift,
       null::text as segment_key, null::text as segment_value, c.window_start, c.window_end, c.label_coverage, c.is_mature, %1$s,
       c.target, c.in_training
  from counted c %2$s$q$,
    pgscore_data._cut_columns(), pgscore_data._join_bounds('(select c.pairs2) i',
      '{{true_positive_rate,c.tp,c.p,NULL},{false_positive_rate,c.fp,c.n,NULL},'
      '{precision,c.tp,(c.tp + c.fp),NULL},{f1,c.tp,(c.fp + c.p),NULL}}'),
    pgscore_data._score_edge('(t / 100.0::float8)', 'm.score_unit')),
  'What a binary classifier would have done with another threshold, in steps of 0.01, by month: positive is what scores at least so much. '
  'Also its ROC curve (true against false positive rate), its precision-recall curve, and its gain and lift (true positive rate, and '
  'lift, against predicted_positive_rate).', pgscore_data._curve_meanings());

select pgscore_data._make_view('roc_curve', format($q$
with above as (
  select m.*, s.threshold, sum(s.n_positive) over upto as tp, sum(s.n_negative) over upto as fp, sum(s.n_positive) over whole as p,
         sum(s.n_negative) over whole as n
    from pgscore_data.curve_month m
   cross join lateral (
     select %3$s as threshold, x.n_positive, x.n_negative
       from pgscore_data.score_curve x
      where x.version_id = m.version_id and x.window_start = m.window_start
     union all select null, 0, 0) s
  window whole as (partition by m.version_id, m.window_date),
  upto as (partition by m.version_id, m.window_date order by s.threshold desc)
)
select c.model_name, c.model_version, null::text as segment_key, null::text as segment_value, c.window_date, c.window_start,
       c.window_end,
       c.threshold, c.tp / nullif(c.p, 0) as true_positive_rate, c.fp / nullif(c.n, 0) as false_positive_rate,
       c.tp / nullif(c.tp + c.fp, 0) as precision_score, c.tp / nullif(c.p, 0) as recall_score,
       2 * c.tp / nullif(c.tp + c.fp + c.p, 0) as f1_score, (c.tp + c.fp)::bigint as n_predicted_positive,
       c.label_coverage, c.is_mature, %1$s, c.target, c.in_training
  from above c %2$s$q$,
    pgscore_data._cut_columns(), pgscore_data._join_bounds('(select c.pairs2) i',
      '{{true_positive_rate,c.tp,c.p,NULL},{false_positive_rate,c.fp,c.n,NULL},'
      '{precision,c.tp,(c.tp + c.fp),NULL},{f1,c.tp,(c.fp + c.p),NULL}}'),
    pgscore_data._score_edge('(x.hundredth / 100.0::float8)', 'm.score_unit')),
  'The ROC curve of a binary classifier, by month: a point for each hundredth of the scores that some have, and the one where nothing is '
  'called positive, which has no threshold. precision_score against recall_score is its precision-recall curve. roc_auc comes from finer '
  'bins: where all scores are below 0.01 the curve has two points.', pgscore_data._curve_meanings());
