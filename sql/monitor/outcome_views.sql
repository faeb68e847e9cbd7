-- Predictions beside outcomes: the newest pairs of regressions, as many as a plot can show, and the age of labels.
--
-- in: evaluation, read when a view is read, and cells. out: pgscore_bi.predicted_vs_actual, error_distribution, performance_by_label_age.

create or replace function pgscore_data._newest_meanings() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._detail_meanings() || '{
  "first_date": "Day of the oldest of the predictions.",
  "last_date": "Day of the newest.",
  "label_coverage": "Of all predictions for the days from first_date to last_date, the share whose truth is known.",
  "is_mature": "Whether that share has reached the minimum of the model''s monitor. Before that, labels that came early are seldom like '
    'the others.",
  "n_sampled": "How many predictions these are: 5,000, or all that are labelled.",
  "predicted_low": "Least prediction of the cell; NULL: it is open below.",
  "predicted_high": "Where it ends; NULL: it is open above.",
  "actual_low": "Least truth of the cell; NULL: it is open below.",
  "actual_high": "Where it ends; NULL: it is open above.",
  "error_low": "Least error of the bin; NULL: it is open below.",
  "error_high": "Where it ends; NULL: it is open above.",
  "n": "How many of these predictions are in it.",
  "share": "Share of those predictions."
}'::jsonb;
comment on function pgscore_data._newest_meanings() is 'What the columns of the views of newest predictions mean.';

create or replace function pgscore_data._make_newest_view(view_name text, axes text[], share text, description text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $do$
declare
  bounds constant text := (
    select string_agg(format($q$case when c.%1$s_bin > 0 then c.low + (c.%1$s_bin - 1) * (c.high - c.low) / 24 end as %1$s_low,
           case when c.%1$s_bin < 25 then c.low + c.%1$s_bin * (c.high - c.low) / 24 end as %1$s_high$q$, a), ', ' order by n)
      from unnest(axes) with ordinality x (a, n));
  bins constant text := (
    select string_agg(format($q$case when n.%1$s < e.low then 0 when n.%1$s > e.high then 25 when n.%1$s = e.high then 24
           else width_bucket(n.%1$s, e.low, e.high, 24) end as %1$s_bin$q$, a), ', ' order by n)
      from unnest(axes) with ordinality x (a, n));
  grouped constant text := 'p.low, p.high, p.n_sampled, p.first_day, p.last_day, p.n_awaiting, p.n_labeled, p.'
    || array_to_string(axes, '_bin, p.') || '_bin';
begin
  perform pgscore_data._make_view(view_name, format($q$
    select m.name as model_name, v.number::bigint as model_version, (c.first_day at time zone m.time_zone)::date as first_date,
           (c.last_day at time zone m.time_zone)::date as last_date, c.n_sampled, %1$s, c.n%2$s,
           c.n_labeled / nullif(c.n_labeled + c.n_awaiting, 0) as label_coverage,
           c.n_labeled > 0 and c.n_labeled >= m.min_label_coverage * (c.n_labeled + c.n_awaiting) as is_mature%3$s
      from pgscore_data.visible_model m
      join pgscore_data.version v using (model_id)
      join pgscore_data.scored_version e on e.version_id = v.version_id and e.task = 'regression'
      join pgscore_data.trained_version tr on tr.version_id = v.version_id
      -- Version by version, so that whoever asks for one reads the pairs of no other.
     cross join lateral (
       with newest as (
         select x.score as predicted, x.actual, x.score - x.actual as error, x.day from pgscore_data.evaluation x
          where x.version_id = v.version_id order by x.event_time desc limit 5000
       ), ends as (
         select percentile_cont(0.01) within group (order by x.value) as low, percentile_cont(0.99) within group (order by x.value) as high,
                count(*) / %4$s as n_sampled, min(n.day) as first_day, max(n.day) as last_day
           from newest n cross join lateral (values (n.%5$s)) x (value)
       -- Once, and not for each of the pairs.
       ), covered as materialized (
         select e.*, (select sum(w.n_awaiting)::float8 from pgscore_data.day_volume w
                       where w.version_id = v.version_id and w.segment_id = 0 and w.day between e.first_day and e.last_day) as n_awaiting,
                (select sum(r.n)::float8 from pgscore_data.cell_regression r
                  where r.version_id = v.version_id and r.segment_id = 0 and r.day between e.first_day and e.last_day) as n_labeled
           from ends e
       ), binned as (
         select e.*, %6$s from newest n cross join covered e
       )
       select %7$s, count(*) as n from binned p group by %7$s) c$q$,
    bounds, share, pgscore_data._training_column('c.first_day'), cardinality(axes), array_to_string(axes, '), (n.'), bins, grouped),
    description, pgscore_data._newest_meanings());
end
$do$;
comment on function pgscore_data._make_newest_view(text, text[], text, text) is
  'Makes a view that counts the newest 5,000 pairs of each version of a regression in 24 bins along each axis: predicted, actual or error.';

select pgscore_data._make_newest_view('predicted_vs_actual', '{predicted,actual}', '',
'What each version of a regression said and what came of it, of its newest 5,000 labelled predictions: counts in a grid of 24 by 24 cells '
'of equal width, the same for both, from the first to the last hundredth of all values. What lies outside is counted in cells that are '
'open to that side. It is made when it is read, from pairs that an index finds, so that it costs the same whatever the history.');

select pgscore_data._make_newest_view('error_distribution', '{error}', ', c.n::float8 / c.n_sampled as share',
'How the errors of each version of a regression lie, prediction minus truth, of its newest 5,000 labelled predictions: 24 bins of equal '
'width from the first to the last hundredth of the errors, and what lies outside. It is made when it is read, from pairs that an index '
'finds.');

-- Performance on the labels that were known within a time: young and old windows compare fairly on labels that came as fast.

select pgscore_data._make_view('performance_by_label_age', format($q$
  with aged as (
    select m.name as model_name, v.number::bigint as model_version, (c.window_start at time zone m.time_zone)::date as window_date,
           b.label as label_age,
           s.segment_key, s.segment_value, c.window_start, m.time_zone, m.min_label_coverage, v.version_id, s.segment_id,
           sum(c.n_predictions)::float8 as n_predictions, sum(c.n_awaiting)::float8 as n_awaiting,
           sum(c.n_labeled)::float8 as n_labeled,
           sum(c.n)::float8 as n, sum(c.hits)::float8 as hits, sum(c.found)::float8 as found, sum(c.concerned)::float8 as concerned,
           sum(c.abs_error)::float8 as abs_error, sum(c.error2)::float8 as error2
      from pgscore_data.visible_model m
      join pgscore_data.version v using (model_id)
      join pgscore_data.scored_version e on e.version_id = v.version_id and e.task not in ('multi_target', 'multilabel')
      join pgscore_data.slice s using (model_id)
      cross join lateral (
        -- By m, too: else the planner may read the cells of all models' versions before it asks whose they are.
        -- F1 is of the positive class: of those that were it or were called it, what was found.
        select date_trunc('month', o.day, m.time_zone) as window_start, o.age_band, sum(o.n) as n,
               coalesce(sum(o.n) filter (where o.actual_class = o.predicted_class), 0) as hits,
               case when e.task = 'binary' then coalesce(sum(o.n) filter (where e.positive_class - 1 = o.actual_class
                     and e.positive_class - 1 = o.predicted_class), 0) end as found,
               case when e.task = 'binary' then coalesce(sum(o.n) filter (where e.positive_class - 1 in (o.actual_class,
                   o.predicted_class)), 0) end as concerned,
               null::numeric as abs_error, null::numeric as error2, null::numeric as n_predictions, null::numeric as n_awaiting,
               null::numeric as n_labeled
          from pgscore_data.cell_outcome o
         where v.model_id = m.model_id and o.version_id = v.version_id and o.segment_id = s.segment_id and o.n <> 0 group by 1, 2
        union all
        select date_trunc('month', r.day, m.time_zone), r.age_band, sum(r.n), null, null, null, sum(r.sum_abs_error), sum(r.sum_error2),
               null, null, null
          from pgscore_data.cell_regression r
         where v.model_id = m.model_id and r.version_id = v.version_id and r.segment_id = s.segment_id and r.n <> 0 group by 1, 2
        union all
        -- Whatever the age: so that each has its row where no label came as fast, too.
        select date_trunc('month', w.day, m.time_zone), 0, 0, null, null, null, null, null, sum(w.n_predictions), sum(w.n_awaiting),
               sum(w.n_labeled)
          from pgscore_data.day_labels w
         where v.model_id = m.model_id and w.version_id = v.version_id and w.segment_id = s.segment_id and w.n_predictions <> 0
        group by 1) c
      join (values (0, '1 day'), (1, '7 days'), (2, '30 days'), (3, '90 days'), (4, 'later')) b (age, label) on b.age >= c.age_band
     group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
  )
  select a.model_name, a.model_version, a.window_date, a.label_age, a.n::bigint as n_labeled, a.hits / nullif(a.n, 0) as accuracy,
         a.abs_error / nullif(a.n, 0) as mae, a.segment_key, a.segment_value,
         a.window_start, (date_trunc('month', a.window_start at time zone a.time_zone) + interval '1 month') at time zone a.time_zone
           as window_end,
         i.accuracy_low as accuracy_ci_low, i.accuracy_high as accuracy_ci_high,
         2 * a.found / nullif(a.found + a.concerned, 0) as f1_score, 2 * i.f1_low / (1 + i.f1_low) as f1_ci_low,
         2 * i.f1_high / (1 + i.f1_high) as f1_ci_high,
         %1$s as mae_ci_low, %2$s as mae_ci_high,
         a.n_predictions::bigint as n_predictions, a.n / nullif(a.n_labeled + a.n_awaiting, 0) as label_coverage,
         a.n > 0 and a.n >= a.min_label_coverage * (a.n_labeled + a.n_awaiting) as is_mature,
         case when a.n = 0 then 'no_labels' when a.concerned = 0 then 'no_positive_labels' end as undefined_reason,
         a.n_awaiting::bigint as n_awaiting, (a.n_predictions - a.n_labeled - a.n_awaiting)::bigint as n_superseded%3$s
    from aged a
   cross join lateral (select a.version_id) v$q$ || pgscore_data._join_training('a.version_id')
  || pgscore_data._join_repeats('''month''', 'a.segment_id', 'a.window_start', 'null::float8',
       '{{accuracy,a.hits,a.n,NULL},{f1,a.found,a.concerned,NULL}}'),
  pgscore_data._mae_bound('a.n', 'a.abs_error', 'a.error2', 'a.n ^ 2 / nullif(a.n + i.pairs2, 0)', '-'),
  pgscore_data._mae_bound('a.n', 'a.abs_error', 'a.error2', 'a.n ^ 2 / nullif(a.n + i.pairs2, 0)', '+'),
  pgscore_data._training_column('a.window_start')),
  'Performance on the labels that were known within a time, by month, also where none was: windows of different age compare fairly on '
  'labels of the same age. Of all predictions: where segment_key is null.',
  pgscore_data._detail_meanings() || '{
  "n_labeled": "Predictions whose truth was known within that time.",
  "label_coverage": "n_labeled of all that are labelled or awaiting: of labels of that age.",
  "is_mature": "Whether the share that was labelled within that time has reached the minimum of the model''s monitor. Where it has not, '
    'compare with the same label_age of other windows only: labels that come early are seldom like the others.",
  "undefined_reason": "Why ratios are NULL: no_labels (none came within that time), no_positive_labels (f1_score of a binary '
    'classifier: no positive, and none was called so)."
  }'::jsonb);
