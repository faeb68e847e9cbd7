-- What a regression said beside what came of it: as many of the newest pairs as a plot can show.

create or replace view pgscore_bi.predicted_vs_actual with (security_barrier) as
select m.name as model_name, v.number::bigint as model_version, (c.first_day at time zone mo.time_zone)::date as first_date,
       (c.last_day at time zone mo.time_zone)::date as last_date, c.n_sampled,
       case when c.predicted_bin > 0 then c.low + (c.predicted_bin - 1) * (c.high - c.low) / 24 end as predicted_low,
       case when c.predicted_bin < 25 then c.low + c.predicted_bin * (c.high - c.low) / 24 end as predicted_high,
       case when c.actual_bin > 0 then c.low + (c.actual_bin - 1) * (c.high - c.low) / 24 end as actual_low,
       case when c.actual_bin < 25 then c.low + c.actual_bin * (c.high - c.low) / 24 end as actual_high,
       c.n, c.n_labeled / nullif(c.n_labeled + c.n_awaiting, 0) as label_coverage,
       c.n_labeled > 0 and c.n_labeled >= mo.min_label_coverage * (c.n_labeled + c.n_awaiting) as is_mature
  from pgscore_data.visible_model m
  join pgscore_data.monitor mo using (model_id)
  join pgscore_data.version v using (model_id)
  join pgscore_data.scored_version e on e.version_id = v.version_id and e.task = 'regression'
  -- Version by version, so that whoever asks for one reads the pairs of no other.
 cross join lateral (
   with newest as (
     select x.score as predicted, x.actual, x.day from pgscore_data.evaluation x
      where x.version_id = v.version_id order by x.event_time desc limit 5000
   ), ends as (
     select percentile_cont(0.01) within group (order by x.value) as low, percentile_cont(0.99) within group (order by x.value) as high,
            count(*) / 2 as n_sampled, min(n.day) as first_day, max(n.day) as last_day
       from newest n cross join lateral (values (n.predicted), (n.actual)) x (value)
   -- Once, and not for each of the pairs.
   ), covered as materialized (
     select e.*, (select sum(w.n_awaiting)::float8 from pgscore_data.day_volume w
                   where w.version_id = v.version_id and w.segment_id = 0 and w.day between e.first_day and e.last_day) as n_awaiting,
            (select sum(r.n)::float8 from pgscore_data.cell_regression r
              where r.version_id = v.version_id and r.segment_id = 0 and r.day between e.first_day and e.last_day) as n_labeled
       from ends e
   ), placed as (
     select e.*, case when n.predicted < e.low then 0 when n.predicted > e.high then 25 when n.predicted = e.high then 24
                   else width_bucket(n.predicted, e.low, e.high, 24) end as predicted_bin,
            case when n.actual < e.low then 0 when n.actual > e.high then 25 when n.actual = e.high then 24
              else width_bucket(n.actual, e.low, e.high, 24) end as actual_bin
       from newest n cross join covered e
   )
   select p.low, p.high, p.n_sampled, p.first_day, p.last_day, p.n_awaiting, p.n_labeled, p.predicted_bin, p.actual_bin, count(*) as n
     from placed p
    group by p.low, p.high, p.n_sampled, p.first_day, p.last_day, p.n_awaiting, p.n_labeled, p.predicted_bin, p.actual_bin) c;
comment on view pgscore_bi.predicted_vs_actual is
'What each version of a regression said and what came of it, of its newest 5,000 labelled predictions: counts in a grid of 24 by 24 cells '
'of equal width, the same for both, from the first to the last hundredth of all values. What lies outside is counted in cells that are '
'open to that side. It is made when it is read, from pairs that an index finds, so that it costs the same whatever the history.';
select pgscore_data._comment_columns('pgscore_bi.predicted_vs_actual', $${
  "model_name": "Name of the model.",
  "model_version": "Number of the version.",
  "first_date": "Day of the oldest of the predictions.",
  "last_date": "Day of the newest.",
  "label_coverage": "Of all predictions for the days from first_date to last_date, the share whose truth is known.",
  "is_mature":
      "Whether that share has reached the minimum of the model's monitor. Before that, labels that came early are seldom like the others.",
  "n_sampled": "How many predictions these are: 5,000, or all that are labelled.",
  "predicted_low": "Least prediction of the cell; NULL: it is open below.",
  "predicted_high": "Where it ends; NULL: it is open above.",
  "actual_low": "Least truth of the cell; NULL: it is open below.",
  "actual_high": "Where it ends; NULL: it is open above.",
  "n": "Predictions in the cell."
}$$);
