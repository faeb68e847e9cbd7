-- What the verdict about a model goes by: its accuracy, segments, drift and labels.
-- in: the views of accuracy, drift and label coverage. out: judged_* views of one row a model, or a target of one.

create or replace view pgscore_data.judged_model as
select m.model_id, m.name, w.version_id, w.number, w.task,
       case when w.task in ('regression', 'multi_target') then 'mae' else 'accuracy' end as metric,
       exists (select from pgscore_data.alias a where a.version_id = w.version_id and a.alias = 'champion') as is_champion,
       m.time_zone, m.label_maturity, m.min_label_coverage, s.source_schema || '.' || s.source_name as label_source,
       t.trained_until
  from pgscore_data.visible_model m
  left join pgscore_data.watched_version w using (model_id)
  left join pgscore_data.trained_version t using (version_id)
  left join pgscore_data.label_source s using (model_id);
comment on view pgscore_data.judged_model is
'The models that the caller may see, each with the version that its verdict is about; none where no version is ready.';

create or replace view pgscore_data.judged_month as
select j.model_id, j.metric, p.target, p.segment_key, p.segment_value, p.window_date, p.n_labeled::float8 as n, p.value, p.ci_low,
       p.ci_high,
       case j.metric when 'mae' then p.value else 1 - p.value end as error,
       case j.metric when 'mae' then p.value - p.ci_low else p.ci_high - p.value end as below,
       case j.metric when 'mae' then p.ci_high - p.value else p.value - p.ci_low end as above
  from pgscore_data.judged_model j
 cross join lateral (
   select b.target, b.segment_key, b.segment_value, b.window_date, b.in_training, b.n_labeled, b.is_mature,
          b.accuracy as value, b.accuracy_ci_low as ci_low, b.accuracy_ci_high as ci_high
     from pgscore_bi.binary_performance_monthly b
    where b.model_name = j.name and b.model_version = j.number and (b.target is not null) = (j.task = 'multilabel')
   union all
   select null, c.segment_key, c.segment_value, c.window_date, c.in_training, c.n_labeled, c.is_mature, c.accuracy, c.accuracy_ci_low,
          c.accuracy_ci_high
     from pgscore_bi.multiclass_performance_monthly c where c.model_name = j.name and c.model_version = j.number
   union all
   select r.target, r.segment_key, r.segment_value, r.window_date, r.in_training, r.n_labeled, r.is_mature, r.mae, r.mae_ci_low,
          r.mae_ci_high
     from pgscore_bi.regression_performance_monthly r
    where r.model_name = j.name and r.model_version = j.number and (r.target is not null) = (j.task = 'multi_target')) p
 where p.is_mature and p.n_labeled >= 30 and p.in_training is not true;
comment on view pgscore_data.judged_month is
'The months that are mature and have 30 labels, of all predictions and of each segment; of several targets or labels of each. '
'A month that the version was trained on, even in part, is left out. '
'error is lower where the model is better: the share that is wrong, or mae. Its interval goes from error - below to error + above.';

-- The intervals of a weighted mean of months and of a difference are MOVER's (Zou and Donner 2008).
create or replace view pgscore_data.judged_accuracy as
with month as materialized (
  select m.*, row_number() over (partition by m.model_id, m.target order by m.window_date desc) as age
    from pgscore_data.judged_month m where m.segment_key is null
), before as (
  select m.model_id, m.target, count(*) as n_months, min(m.window_date) as first_window, max(m.window_date) as last_window,
         max(m.error) as worst_error,
         sum(m.n * m.error) / sum(m.n) as error, sqrt(sum((m.n * m.above) ^ 2)) / sum(m.n) as above
    from month m where m.age between 2 and 13 group by m.model_id, m.target
)
select m.model_id, m.metric, m.target, m.window_date, m.n, m.value, m.ci_low, m.ci_high, b.n_months, b.first_window, b.last_window,
       case m.metric when 'mae' then b.error else 1 - b.error end as reference_value,
       m.error - b.error as loss, (m.error - b.error) / nullif(b.error, 0) as growth, m.error > b.worst_error as is_worst,
       coalesce(m.error - b.error > sqrt(m.below ^ 2 + b.above ^ 2) and m.error >= 1.05 * b.error, false) as is_worse,
       (select min(w.window_date) from month w
         where w.model_id = m.model_id and w.target is not distinct from m.target and w.window_date > coalesce((
           select max(g.window_date) from month g
            where g.model_id = m.model_id and g.target is not distinct from m.target
              -- The mean of equal months may be rounded to less than each.
              and g.error <= b.error * (1 + 1e-12)), '-infinity')) as since
  from month m left join before b on b.model_id = m.model_id and b.target is not distinct from m.target
 where m.age = 1;
comment on view pgscore_data.judged_accuracy is
'The newest month of each model, or target of one, that can be judged, against up to twelve before it.
It is worse where the 95 % interval of the difference leaves no doubt, and errors grew by a twentieth at least.';

create or replace view pgscore_data.judged_drift as
with watched as (
  select j.model_id, j.name, j.number, s.set_id, j.time_zone,
         (select c.day from pgscore_data.cell_feature c where c.set_id = s.set_id order by c.day desc limit 1) as newest
    from pgscore_data.judged_model j join pgscore_data.feature_set s using (version_id)
), day as materialized (
  select w.model_id, 'day' as grain, d.*
    from watched w
   cross join lateral (
     select f.feature_name, f.window_date, f.psi, f.status from pgscore_bi.feature_drift_daily f
      where f.model_name = w.name and f.model_version = w.number and f.window_start >= w.newest - interval '92 days'
        and f.status <> 'insufficient_data' offset 0) d
), month as (
  select w.model_id, 'month' as grain, d.*
    from watched w
   cross join lateral (
     select min(x.start) as start from (
       select distinct date_trunc('month', c.day, w.time_zone) as start
         from pgscore_data.cell_feature c where c.set_id = w.set_id order by 1 desc limit 6) x) l
   cross join lateral (
     select f.feature_name, f.window_date, f.psi, f.status from pgscore_bi.feature_drift_monthly f
      where f.model_name = w.name and f.model_version = w.number and f.window_start >= l.start
        and f.status <> 'insufficient_data' offset 0) d
   where not exists (select from day x where x.model_id = w.model_id)
), recent as (
  select x.*, x.status <> 'ok' as is_off, row_number() over (partition by x.model_id, x.feature_name order by x.window_date desc) as age,
         count(*) filter (where x.status <> 'ok')
           over (partition by x.model_id, x.feature_name order by x.window_date rows 2 preceding) as n_off,
         max(x.window_date) filter (where x.status = 'ok') over (partition by x.model_id, x.feature_name) as last_ok
    from (select * from day union all select * from month) x
), feature as (
  select p.*, p.is_off and (p.grain = 'month' or p.n_off >= 2) as has_drifted,
         (select min(o.window_date) from recent o
           where o.model_id = p.model_id and o.feature_name = p.feature_name
             and o.window_date > coalesce(p.last_ok, '-infinity')) as since
    from recent p where p.age = 1
)
select distinct on (f.model_id) f.model_id, f.grain, f.feature_name, f.window_date, f.psi, f.status, f.since,
       count(*) over (partition by f.model_id) as n_features,
       count(*) filter (where f.has_drifted) over (partition by f.model_id) as n_drifted, f.has_drifted
  from feature f order by f.model_id, f.has_drifted desc, f.psi desc nulls last, f.feature_name;
comment on view pgscore_data.judged_drift is
'The feature of each model that is furthest from its baseline, and since when. Those that have drifted come first: on two of the newest '
'three days that have enough rows; or, if no day has enough, in the newest month that has.';

create or replace view pgscore_data.judged_labels as
select j.model_id, sum(c.n_labeled) as n_labeled, min(c.window_date) as first_date, max(c.window_date) as last_date,
       sum(c.n_labeled)::float8 / nullif(sum(c.n_labeled + c.n_awaiting), 0) as label_coverage,
       min(c.window_date) filter (where not c.is_mature and c.label_coverage is not null) as since,
       (case when sum(c.n_labeled) = 0 then null when 2 * sum(c.n_labeled_1_day) >= sum(c.n_labeled) then 1
          when 2 * sum(c.n_labeled_7_days) >= sum(c.n_labeled) then 7 when 2 * sum(c.n_labeled_30_days) >= sum(c.n_labeled) then 30
          when 2 * sum(c.n_labeled_90_days) >= sum(c.n_labeled) then 90 end)::float8 as label_delay_days
  from pgscore_data.judged_model j
 cross join lateral (
   select v.day from pgscore_data.cell_volume v
    where v.version_id = j.version_id and v.segment_id = 0 and v.n_predictions <> 0
      and v.day <= now() - interval '1 day' - j.label_maturity
    order by v.day desc limit 1) l
 cross join lateral (
   select x.* from pgscore_bi.label_coverage_daily x
    where x.model_name = j.name and x.model_version = j.number
      and x.window_start > l.day - interval '90 days' and x.window_start <= l.day offset 0) c
 group by j.model_id;
comment on view pgscore_data.judged_labels is
'How much of the truth is known of the newest 90 days whose labels are due, by label_maturity.';

create or replace function pgscore_data._number_text(value text, is_share text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format($q$case when %2$s then to_char(100 * %1$s, 'FM990.0') || ' %%'
  else to_char(%1$s, case when abs(%1$s) >= 1000 then 'FM999,999,999,999,990' when abs(%1$s) >= 100 then 'FM990.0'
         when abs(%1$s) >= 10 then 'FM90.00' else 'FM0.000' end) end$q$, value, is_share);
comment on function pgscore_data._number_text(text, text) is
'An expression for a number as people read it: a share as a percentage, another with four digits. '
'Written out, as a function in a view needs EXECUTE of whoever reads it.';

do $do$
declare
  of_month constant text := $q$a.metric <> 'mae'$q$;
begin
  execute format($q$
    create or replace view pgscore_data.judged_accuracy_text as
    select a.*, s.segment_key, s.segment_value, to_char(a.window_date, 'Mon YYYY') as month,
           case a.metric when 'mae' then 'Mean absolute error' else 'Accuracy' end || coalesce(' of ' || a.target, '') as title,
           row_number() over (partition by a.model_id order by a.is_worse desc, a.is_worse and a.is_worst desc, a.growth desc nulls last,
                                                               a.target) = 1 as is_first,
           count(*) over (partition by a.model_id) as n_targets,
           %1$s as value_text, %2$s || ' to ' || %3$s as interval_text, %4$s as before_text,
           case
             when a.first_window + a.n_months * interval '1 month' = a.window_date
               then case a.n_months when 1 then 'the month before' else format('the %%s months before', a.n_months) end
             -- Months that cannot be judged lie between.
             when a.n_months = 1 then to_char(a.first_window, 'Mon YYYY')
             else format('the %%s judged months of %%s to %%s', a.n_months, to_char(a.first_window, 'Mon YYYY'),
                         to_char(a.last_window, 'Mon YYYY')) end as before_name,
           ', most where ' || s.segment_key || ' is ' || s.segment_value || ' (' || %5$s || ' to ' || %6$s || ')' as segment_text
      from pgscore_data.judged_accuracy a
      -- Of a model that got worse, the segment that lost most beyond doubt, over the same months.
      left join lateral (
        select x.segment_key, x.segment_value, x.value, case a.metric when 'mae' then x.before else 1 - x.before end as reference_value
          from (select m.segment_key, m.segment_value, max(m.value) filter (where m.window_date = a.window_date) as value,
                       max(m.error) filter (where m.window_date = a.window_date) as error,
                       max(m.below) filter (where m.window_date = a.window_date) as below,
                       sum(m.n * m.error) filter (where m.window_date < a.window_date)
                         / sum(m.n) filter (where m.window_date < a.window_date) as before,
                       sqrt(sum((m.n * m.above) ^ 2) filter (where m.window_date < a.window_date))
                         / sum(m.n) filter (where m.window_date < a.window_date) as before_above
                  from pgscore_data.judged_month m
                 where m.model_id = a.model_id and m.target is not distinct from a.target and m.segment_key is not null
                   and m.window_date between a.first_window and a.window_date
                 group by m.segment_key, m.segment_value offset 0) x
         cross join lateral (select x.error - x.before - sqrt(x.below ^ 2 + x.before_above ^ 2) as loss) sure
         where a.is_worse and sure.loss > 0
         order by sure.loss desc, x.segment_key, x.segment_value limit 1) s on true$q$,
    pgscore_data._number_text('a.value', of_month), pgscore_data._number_text('a.ci_low', of_month),
    pgscore_data._number_text('a.ci_high', of_month), pgscore_data._number_text('a.reference_value', of_month),
    pgscore_data._number_text('s.reference_value', of_month), pgscore_data._number_text('s.value', of_month));
end
$do$;
comment on view pgscore_data.judged_accuracy_text is 'judged_accuracy with the texts that sentences of model_verdict are made of.';
