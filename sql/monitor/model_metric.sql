-- Every metric of every window as a row of its own: what alerts stand on, and dashboards that take the metric as a variable.
--
-- in: the performance and drift views, whose columns become rows, and cell_volume. out: pgscore_bi.model_metric.

do $do$
begin
  execute 'create or replace view pgscore_data.drift_series as ' || (
    select string_agg(format($q$
      select f.model_name, f.model_version, f.window_date, f.window_start, f.window_end, x.metric, f.feature_name::text as column_name,
             x.value, f.n, x.noise_limit, f.undefined_reason, %2$L::text as grain
        from pgscore_bi.feature_drift_%1$s f
       cross join lateral (
         select (f.missing_rate * f.n + (f.missing_rate - f.missing_rate_delta) * f.n_baseline) / nullif(f.n + f.n_baseline, 0)
             as missing) p
       cross join lateral (values
         ('psi', f.psi, f.psi_noise_limit),
         ('missing_rate_delta', f.missing_rate_delta, 2.5758293035489 * sqrt(greatest(0,
            p.missing * (1 - p.missing)) * (1::float8 / nullif(f.n, 0) + 1::float8 / nullif(f.n_baseline, 0)))))
           x (metric, value, noise_limit)
      union all
      select d.model_name, d.model_version, d.window_date, d.window_start, d.window_end, 'drift_share', null, d.drift_share, d.n,
             null::float8, d.undefined_reason, %2$L
        from pgscore_bi.dataset_drift_%1$s d$q$, g.suffix, g.grain), ' union all ')
      from pgscore_data.grain g);
end
$do$;
comment on view pgscore_data.drift_series is
  'Drift for model_metric and for alerts: a row a window and feature with metric psi or missing_rate_delta, or '
  'a window with metric drift_share. noise_limit is what the metric reaches by chance: of missing_rate_delta, at 99 % of the normal limit '
  'for two shares.';

create or replace function pgscore_data._tall_part(task text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
return format($q$
  select p.model_name, p.model_version, p.grain, p.segment_key, p.segment_value, p.window_date, p.window_start, p.window_end,
         x.metric, %5$s as column_name,
         x.value, x.ci_low, x.ci_high, x.error_bound, x.n, %1$s as least_class, null::float8 as noise_limit, p.is_mature,
         case when x.value is null then p.undefined_reason end as undefined_reason, p.label_coverage, p.in_training
    from pgscore_data.%2$I p cross join lateral (values %3$s) x (metric, value, ci_low, ci_high, error_bound, n)%4$s$q$,
  case task when 'binary' then 'least(p.true_positives + p.false_negatives, p.true_negatives + p.false_positives)' else 'null::bigint' end,
  task || '_performance',
  (select string_agg(format('(%L, p.%I::float8, %s, %s, %s, %s)', k.metric, k.metric, c.low, c.high, c.error_bound,
            case k.kind when 'performance' then 'p.n_labeled' else 'p.n_predictions' end), ', ' order by k.metric)
     from pgscore_data.metric_kind k
    cross join lateral (select format('pgscore_data.%I', task || '_performance')::regclass as view,
                               regexp_replace(k.metric, '^(precision|recall|f1)_score$', '\1') as base) w
    cross join lateral (
      select coalesce(max('p.' || a.attname) filter (where a.attname = w.base || '_ci_low'), 'null::float8') as low,
             coalesce(max('p.' || a.attname) filter (where a.attname = w.base || '_ci_high'), 'null::float8') as high,
             coalesce(max('p.' || a.attname) filter (where a.attname = w.base || '_error_bound'), 'null::float8') as error_bound,
             bool_or(a.attname = k.metric) as is_there
        from pg_attribute a where a.attrelid = w.view) c
    where c.is_there),
  case task when 'regression' then $q$
    where case when x.metric in ('pinball_loss', 'coverage') then p.quantile is not null
            when p.target is not null and p.quantile is not null then false
            when x.metric = 'interval_coverage' then p.interval_level is not null
            when x.metric = 'n_predictions' then p.target is null
            when x.metric = 'msle' then x.value is not null else true end$q$
    when 'binary' then $q$ where p.target is null or x.metric <> 'n_predictions'$q$ end,
  case when task in ('binary', 'regression') then 'p.target' else 'null::text' end);
comment on function pgscore_data._tall_part(text) is
  'The query that turns the columns of a performance view into rows, each with the interval that stands beside it.';

do $do$
begin
  execute 'create or replace view pgscore_data.counted_series with (security_barrier) as '
    || (select string_agg(pgscore_data._tall_part(t.task), ' union all ')
          from (values ('binary'), ('multiclass'), ('regression'), ('multilabel')) t (task))
    || format($q$
      union all
      select m.name, v.number::bigint, 'day', s.segment_key, s.segment_value, (c.day at time zone m.time_zone)::date, c.day,
             (date_trunc('day', c.day at time zone m.time_zone) + interval '1 day') at time zone m.time_zone,
             x.metric, null, x.hits / nullif(x.n, 0), %1$s, %2$s, null, x.n, null, null, true, case when x.n = 0 then 'no_predictions' end,
             null::float8, null::boolean
        from pgscore_data.visible_model m
        join pgscore_data.version v using (model_id)
        join pgscore_data.scored_version e using (version_id)
        join pgscore_data.slice s using (model_id)
       -- Apart, lest the planner read the cells of all slices of a version.
       cross join lateral (
         select x.* from pgscore_data.cell_volume x where x.version_id = v.version_id and x.segment_id = s.segment_id offset 0) c
       cross join lateral (
         values ('failed_share', c.n_failed::float8, c.n_predictions + c.n_failed, true),
                ('null_score_share', (c.n_predictions - c.n_scored)::float8, c.n_predictions, e.task = 'binary' and e.probabilities
                 and c.segment_id = 0)) x (metric, hits, n, is_defined)
       where x.is_defined and x.n > 0
      union all
      select m.name, v.number::bigint, g.grain, s.segment_key, s.segment_value, (w.window_start at time zone m.time_zone)::date,
             w.window_start, (date_trunc(g.grain, w.window_start at time zone m.time_zone) + g.length) at time zone m.time_zone,
             'n_predictions', null, w.n::float8, null, null, null, w.n, null, null, true, null, null, null
        from pgscore_data.visible_model m
        join pgscore_data.version v using (model_id)
        join pgscore_data.scored_version e on e.version_id = v.version_id and e.task in ('multi_target', 'embedding')
        join pgscore_data.slice s using (model_id)
       cross join pgscore_data.grain g
       cross join lateral (
         select date_trunc(g.grain, c.day, m.time_zone) as window_start, sum(c.n_predictions)::bigint as n
           from pgscore_data.cell_volume c
          where c.version_id = v.version_id and c.segment_id = s.segment_id and c.n_predictions <> 0 group by 1) w
       $q$, pgscore_data._wilson('x.hits', 'x.n', '-'), pgscore_data._wilson('x.hits', 'x.n', '+'));
end
$do$;
comment on view pgscore_data.counted_series is
  'Every metric of every window as a row, without drift: with it, planning takes half as long again.';

create or replace view pgscore_data.metric_series with (security_barrier) as
select * from pgscore_data.counted_series
union all
select d.model_name, d.model_version, d.grain, null, null, d.window_date, d.window_start, d.window_end, d.metric, d.column_name,
       d.value, null, null, null, d.n, null, d.noise_limit, true, d.undefined_reason, null, null
  from pgscore_data.drift_series d;
comment on view pgscore_data.metric_series is 'Every metric of every window as a row, before what rules say of it.';

create or replace view pgscore_bi.model_metric with (security_barrier) as
select s.model_name, s.model_version, s.grain, s.segment_key, s.segment_value, s.window_date, s.window_start, s.window_end, s.metric,
       s.column_name,
       s.value, s.ci_low, s.ci_high, s.error_bound, s.n, t.lower_threshold, t.upper_threshold, t.is_breach, s.undefined_reason, s.is_mature,
       s.noise_limit, s.label_coverage, s.in_training
  from pgscore_data.metric_series s
  join pgscore_data.model m on m.name = s.model_name
  join pgscore_data.version v on v.model_id = m.model_id and v.number = s.model_version
  left join lateral (
    select max(w.lower_threshold) as lower_threshold, min(w.upper_threshold) as upper_threshold, bool_or(w.is_breach) as is_breach
      from pgscore_data.alert_window w
     where s.segment_key is null and w.model_id = m.model_id and w.version_id = v.version_id and w.metric = s.metric and w.grain = s.grain
       and w.column_name = coalesce(s.column_name, '') and w.window_start = s.window_start) t on true;
comment on view pgscore_bi.model_metric is
  'Every metric as a row: a version, grain, window, segment, metric and column; of all predictions: where segment_key is null. The '
  'thresholds are those of the tightest rule that looked at the window. Filter by model, grain and metric.';
