-- How the errors of a regression lie, to both sides: of as many of the newest pairs as predicted_vs_actual shows.

create or replace view pgscore_bi.error_distribution with (security_barrier) as
select m.name as model_name, v.number::bigint as model_version, (c.first_day at time zone mo.time_zone)::date as first_date,
       (c.last_day at time zone mo.time_zone)::date as last_date, c.n_sampled,
       case when c.bin > 0 then c.low + (c.bin - 1) * (c.high - c.low) / 24 end as error_low,
       case when c.bin < 25 then c.low + c.bin * (c.high - c.low) / 24 end as error_high,
       c.n, c.n::float8 / c.n_sampled as share, c.n_labeled / nullif(c.n_labeled + c.n_awaiting, 0) as label_coverage,
       c.n_labeled > 0 and c.n_labeled >= mo.min_label_coverage * (c.n_labeled + c.n_awaiting) as is_mature
  from pgscore_data.visible_model m
  join pgscore_data.monitor mo using (model_id)
  join pgscore_data.version v using (model_id)
  join pgscore_data.scored_version e on e.version_id = v.version_id and e.task = 'regression'
 cross join lateral (
   with newest as (
     select x.score - x.actual as error, x.day from pgscore_data.evaluation x where x.version_id = v.version_id order by x.event_time desc
      limit 5000
   ), ends as (
     select percentile_cont(0.01) within group (order by n.error) as low, percentile_cont(0.99) within group (order by n.error) as high,
            count(*) as n_sampled, min(n.day) as first_day, max(n.day) as last_day from newest n
   -- Once, and not for each of the pairs.
   ), covered as materialized (
     select e.*, (select sum(w.n_awaiting)::float8 from pgscore_data.day_volume w
                   where w.version_id = v.version_id and w.segment_id = 0 and w.day between e.first_day and e.last_day) as n_awaiting,
            (select sum(r.n)::float8 from pgscore_data.cell_regression r
              where r.version_id = v.version_id and r.segment_id = 0 and r.day between e.first_day and e.last_day) as n_labeled
       from ends e
   ), placed as (
     select e.*, case when n.error < e.low then 0 when n.error > e.high then 25 when n.error = e.high then 24
                   else width_bucket(n.error, e.low, e.high, 24) end as bin from newest n cross join covered e
   )
   select p.low, p.high, p.n_sampled, p.first_day, p.last_day, p.n_awaiting, p.n_labeled, p.bin, count(*) as n
     from placed p group by p.low, p.high, p.n_sampled, p.first_day, p.last_day, p.n_awaiting, p.n_labeled, p.bin) c;
comment on view pgscore_bi.error_distribution is
'How the errors of each version of a regression lie, prediction minus truth, of its newest 5,000 labelled predictions: 24 bins of equal '
'width from the first to the last hundredth of the errors, and what lies outside. It is made when it is read, from pairs that an index '
'finds.';
select pgscore_data._comment_columns('pgscore_bi.error_distribution', $${
  "model_name": "Name of the model.",
  "model_version": "Number of the version.",
  "first_date": "Day of the oldest of the predictions.",
  "last_date": "Day of the newest.",
  "label_coverage": "Of all predictions for the days from first_date to last_date, the share whose truth is known.",
  "is_mature":
      "Whether that share has reached the minimum of the model's monitor. Before that, labels that came early are seldom like the others.",
  "n_sampled": "How many predictions these are: 5,000, or all that are labelled.",
  "error_low": "Least error of the bin; NULL: it is open below.",
  "error_high": "Where it ends; NULL: it is open above.",
  "n": "Predictions in the bin.",
  "share": "Share of those predictions."
}$$);
