-- What analysts read of features: how each lies, how far that is from the baseline, and how many have drifted.

create or replace function pgscore_data._drift_meanings() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._detail_meanings() || '{
  "feature_name": "The feature, as the model names it.",
  "feature_kind": "number or category; boolean features are categories.",
  "n": "Rows that finished runs read, for times in the window. Rows that could not be scored are among them: a feature that went missing '
    'may be why.",
  "n_baseline": "Rows of the baseline; of feature_change_* those of the window before.",
  "psi": "Population stability index: sum of (w - b) ln(w / b) over the shares w of the window and b of the baseline in the same bins, '
    'ten for a number. A share of nothing on one side counts as psi_floor.",
  "psi_noise_limit": "What psi stays below in at least 99 % of windows of this size where nothing has changed: (1/n + 1/n_baseline) times '
    'the 99.5 % quantile of chi-squared with as many degrees of freedom as bins that are not empty, less one; more where bins hold few '
    'rows, or none of one side.",
  "psi_floor": "What stood for a share of nothing in psi.",
  "js_distance_base2": "Jensen-Shannon distance, the root of the divergence to base 2: 0 for the same, 1 for nothing in common.",
  "ks_statistic": "Kolmogorov-Smirnov: greatest difference of the distribution functions at the edges of a hundred bins; what is missing '
    'is left out. NULL for a category.",
  "wasserstein_normed": "Wasserstein distance of the centers of a hundred bins, in standard deviations of the baseline (of at least '
    '0.001); what lies outside counts as at the edge. NULL for a category.",
  "tv_distance": "Total variation: half of the sum of |w - b|.",
  "l_infinity_distance": "Greatest |w - b|.",
  "chi2_statistic": "Pearson''s chi-squared of the two samples, without correction.",
  "cramers_v": "The root of chi2_statistic / (n + n_baseline).",
  "ks_p_value": "How likely at least such a ks_statistic is where nothing has changed, by its limit for large samples. Of many rows '
    'everything is significant: go by psi and its noise limit. NULL for a category.",
  "chi2_p_value": "How likely at least such a chi2_statistic is where nothing has changed. Of many rows everything is significant: go by '
    'psi and its noise limit, or by cramers_v.",
  "missing_rate": "Share of the rows where the feature is NULL or NaN.",
  "missing_rate_delta": "missing_rate, less that of the baseline.",
  "out_of_range_rate": "Share of the rows below or above all that the bins were made of. NULL for a category.",
  "new_category_rate": "Share of the rows with a category that the bins'' sample did not have. NULL for a number, and where there are too '
    'many categories to tell.",
  "mean": "Mean of the values. NULL for a category.",
  "mean_delta": "mean, less that of the baseline.",
  "comparison": "What the window is compared with: BASELINE, or CONSECUTIVE (the window before that has rows).",
  "baseline_source": "Where the baseline comes from: first_runs, window_before, training (statistics in the model''s metadata), table or '
    'history.",
  "status": "alert or warning: psi has reached the monitor''s limit (0.25 or 0.1) and psi_noise_limit. insufficient_data: fewer than 200 '
    'rows, or than 20 a bin, or no baseline. Of a data set: alert where half of the features have drifted, warning where one has.",
  "undefined_reason": "Why values are NULL: no_baseline (its runs are not complete yet), no_window_before, no_values (all are missing), '
    'no_baseline_values, no_window_before_values, or one_bin (all rows of both lie in one); of a data set insufficient_data (of no '
    'feature there are enough rows to tell).",
  "bin": "Position of the bin, from 0, which is what is missing.",
  "bin_label": "missing, below, above, other, the category, or the range of a number.",
  "bin_low": "Least number of the bin.",
  "bin_high": "Where the bin of a number ends.",
  "share": "Share of the window''s rows.",
  "baseline_share": "Share of the baseline''s rows.",
  "psi_contribution": "What the bin adds to psi.",
  "n_features": "Features with enough rows to tell.",
  "n_drifted": "Those whose status is warning or alert.",
  "drift_share": "n_drifted / n_features."
}'::jsonb;
comment on function pgscore_data._drift_meanings() is 'What the columns of the views of features mean.';

select pgscore_data._make_view('feature_drift_daily', $q$
select m.name as model_name, v.number::bigint as model_version, null::text as segment_key, null::text as segment_value,
       (d.day at time zone m.time_zone)::date as window_date, d.day as window_start,
       ((date_trunc('day', d.day at time zone m.time_zone) + interval '1 day') at time zone m.time_zone) as window_end,
       k.name as feature_name, k.kind as feature_kind, d.n, d.n_baseline,
       d.psi, d.psi_noise_limit, d.js_distance_base2, d.ks_statistic, d.wasserstein_normed, d.tv_distance, d.l_infinity_distance,
       d.chi2_statistic, d.cramers_v,
       d.missing_rate, d.missing_rate_delta, d.out_of_range_rate, d.new_category_rate, d.mean, d.mean_delta, 'BASELINE'::text as comparison,
       d.status, d.undefined_reason, d.psi_floor, s.baseline as baseline_source,
       d.ks_p_value, d.chi2_p_value
  from pgscore_data.visible_model m
  join pgscore_data.version v using (model_id)
  join pgscore_data.feature_set s using (version_id)
  join pgscore_data.feature_bins k using (set_id)
  join pgscore_data.drift_value d using (set_id, feature)$q$,
  'How far each feature of a version is from its baseline, by day.', pgscore_data._drift_meanings());

create or replace function pgscore_data._drift_between(parts text, comparison text, reason text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
-- The quantiles as a constant: a function in a view needs EXECUTE of whoever reads it.
return format($q$
  with total as (
    select p.*, nullif(sum(p.n) over whole, 0)::float8 as n_all, nullif(sum(p.b) over whole, 0)::float8 as m_all
      from %1$s p window whole as (partition by p.name, p.number, p.time_zone, p.set_id, p.window_start, p.feature, p.feature_name)
  ), share as (
    select t.*, t.n / t.n_all as w, t.b::float8 / t.m_all as pb, (t.n + t.b::float8) / (t.n_all + t.m_all) as expected,
           t.n > 0 or t.b > 0 as counts,
           -- As in _distances().
           t.n::float8 * t.b = 0
             and t.n * ln((t.n_all + t.m_all) / t.n_all) + t.b * ln((t.n_all + t.m_all) / t.m_all) < 6.907755278982137 as by_chance
      from total t
  ), floored as (
    select s.*, case s.w when 0 then s.psi_floor else s.w end as fw, case s.pb when 0 then s.psi_floor else s.pb end as fb from share s
  ), distance as (
    select f.name, f.number, f.time_zone, f.set_id, f.baseline, f.window_start, f.window_end, f.feature_name, f.kind, f.psi_floor,
           f.psi_warning, f.psi_alert, f.n_all, f.m_all, count(*) filter (where f.counts) as n_bins,
           sum((f.fw - f.fb) * ln(f.fw / f.fb)) filter (where f.counts) as psi,
           sum(least(1, 1 / (f.expected * least(f.n_all, f.m_all)))) filter (where f.counts and not f.by_chance) as sparse,
           coalesce(sum((f.fw - f.fb) * ln(f.fw / f.fb)) filter (where f.counts and f.by_chance), 0) as psi_by_chance,
           count(*) filter (where f.counts and not f.by_chance) as n_beyond_chance,
           sqrt(greatest(0, sum(case when f.pb > 0 then f.pb * ln(2 * f.pb / (f.pb + f.w)) else 0 end + case
               when f.w > 0 then f.w * ln(2 * f.w / (f.pb + f.w)) else 0 end)) / 2 / 0.6931471805599453) as js,
           sum(abs(f.w - f.pb)) / 2 as tv, max(abs(f.w - f.pb)) as l_infinity, sum(f.w) filter (where f.bin = 0) as missing,
           sum(f.pb) filter (where f.bin = 0) as missing_baseline,
           sum(f.w) filter (where f.bin in (1, 12)) as outside, sum(f.n_new)::float8 as n_new,
           sum(f.n) filter (where f.bin > 0) as n_values, sum(f.b) filter (where f.bin > 0) as m_values
      from floored f group by f.name, f.number, f.time_zone, f.set_id, f.baseline, f.window_start, f.window_end, f.feature_name, f.kind,
        f.psi_floor, f.psi_warning, f.psi_alert, f.n_all, f.m_all
  )
  select a.name as model_name, a.number::bigint as model_version, null::text as segment_key, null::text as segment_value,
         (a.window_start at time zone a.time_zone)::date as window_date, a.window_start, a.window_end,
         a.feature_name, a.kind as feature_kind, coalesce(a.n_all, 0)::bigint as n, coalesce(a.m_all, 0)::bigint as n_baseline, a.psi,
         l.noise as psi_noise_limit,
         case when a.m_all > 0 then a.js end as js_distance_base2, a.tv as tv_distance, a.l_infinity as l_infinity_distance,
         a.missing as missing_rate, a.missing - a.missing_baseline as missing_rate_delta,
         case a.kind when 'number' then a.outside end as out_of_range_rate, a.n_new / a.n_all as new_category_rate,
         %2$L::text as comparison,
         case when coalesce(a.m_all, 0) < 200 or coalesce(a.n_all, 0) < greatest(200, 20 * a.n_bins) then 'insufficient_data'
           when a.psi >= greatest(a.psi_alert, l.noise) then 'alert' when a.psi >= greatest(a.psi_warning, l.noise) then 'warning'
             else 'ok' end as status,
         case when a.m_all is null then %3$L when a.n_values = 0 then 'no_values' when a.m_values = 0 then %4$L
           when a.n_bins = 1 then 'one_bin' end as undefined_reason,
         a.psi_floor, a.baseline as baseline_source
    from distance a
   cross join lateral (
     select a.psi_by_chance + (1 / a.n_all + 1 / a.m_all) * (
              case when a.n_bins > 1 then (%5$L::double precision[])[greatest(1, a.n_beyond_chance - 1)] else 0 end
              + 3 * coalesce(a.sparse, 0)) as noise) l$q$,
  parts, comparison, reason, reason || '_values', array(select pgscore_data._chi2_995(df) from generate_series(1, 60) df));
comment on function pgscore_data._drift_between(text, text, text) is
  'The query for the distances between what windows held (n) and what they are compared with (b), from their parts; reason says why there '
  'are none where b is not there.';

do $do$
declare
  g pgscore_data.grain;
begin
  for g in select * from pgscore_data.grain loop
    execute format($q$
      create or replace view pgscore_data.feature_part_%1$s as
      select m.name, v.number, m.time_zone, m.psi_floor, m.psi_warning, m.psi_alert, s.set_id, s.baseline, w.window_start,
             (date_trunc('%2$s', w.window_start at time zone m.time_zone) + interval '1 %2$s') at time zone m.time_zone as window_end, p.*
        from pgscore_data.visible_model m
        join pgscore_data.version v using (model_id)
        join pgscore_data.feature_set s using (version_id)
       cross join lateral (select distinct date_trunc('%2$s', x.day, m.time_zone) as window_start from pgscore_data.cell_feature x
                            where x.set_id = s.set_id) w
       cross join lateral (
         select k.feature, k.name as feature_name, k.kind,
                case when x.slot = 1 then 0 when k.kind = 'number'
                  then case when x.slot = 2 then 1 when x.slot = k.n_bins + 3 then 12 else 1 + k.coarse[x.slot - 2] end
                  when x.slot in (2, k.n_bins + 3) then k.n_bins + 1 else x.slot - 2 end as bin,
                max(k.categories[x.slot - 2]) as category,
                min(case when x.slot = 3 then k.low when x.slot between 4 and k.n_bins + 2 then k.edges[x.slot - 3]
                      when x.slot = k.n_bins + 3 then k.high end) as low,
                max(case when x.slot = 2 then k.low when x.slot = k.n_bins + 2 then k.high when x.slot between 3
                      and k.n_bins + 1 then k.edges[x.slot - 2] end) as high,
                sum(x.n)::bigint as n, sum(b.counts[x.slot]) as b,
                sum(case when k.kind = 'category' and k.others is not null and x.slot = 2 then x.n end) as n_new
           from (select c.feature, u.slot, sum(u.n) as n
                   from pgscore_data.cell_feature c cross join lateral unnest(c.counts) with ordinality as u (n, slot)
                  where c.set_id = s.set_id and c.day >= w.window_start
                    and c.day < (date_trunc('%2$s', w.window_start at time zone m.time_zone) + interval '1 %2$s') at time zone m.time_zone
                  group by 1, 2) x
           join pgscore_data.feature_bins k on k.set_id = s.set_id and k.feature = x.feature
           left join pgscore_data.feature_baseline b on b.set_id = s.set_id and b.feature = x.feature and s.baseline_complete
          group by 1, 2, 3, 4) p$q$, g.suffix, g.grain);
    execute format('comment on view pgscore_data.feature_part_%s is %L', g.suffix,
                   format('What each feature of a version held in a %s, in the wider bins of its drift, beside the baseline.', g.grain));
  end loop;
end
$do$;

select pgscore_data._make_view('feature_distribution_' || g.suffix, format($q$
  with share as (
    select p.*, (p.n / nullif(sum(p.n) over whole, 0))::float8 as w, (p.b / nullif(sum(p.b) over whole, 0))::float8 as pb
      from pgscore_data.feature_part_%1$s p window whole
        as (partition by p.name, p.number, p.time_zone, p.set_id, p.window_start, p.feature, p.feature_name, p.kind)
  )
  select s.name as model_name, s.number::bigint as model_version, null::text as segment_key, null::text as segment_value,
         (s.window_start at time zone s.time_zone)::date as window_date, s.window_start, s.window_end,
         s.feature_name, s.kind as feature_kind, s.bin::bigint as bin,
         case when s.bin = 0 then 'missing' when s.kind = 'category' then coalesce(s.category, 'other') when s.bin = 1 then 'below'
           when s.bin = 12 then 'above' else s.low || ' to ' || s.high end as bin_label,
         s.low as bin_low, s.high as bin_high, s.n, s.w as share, s.pb as baseline_share,
         case when s.w = 0 and s.pb = 0 then 0 else (x.w - x.b) * ln(x.w / x.b) end as psi_contribution,
         case when s.pb is null then 'no_baseline' end as undefined_reason
    from share s
   cross join lateral (select case when s.w = 0 then s.psi_floor else s.w end as w,
                              case when s.pb = 0 then s.psi_floor else s.pb end as b) x
   where s.n > 0 or s.b > 0$q$, g.suffix),
  format('How each feature of a version lies, by %s, in the bins of its drift, beside the baseline. Filter by model, feature and %1$s.',
         g.grain), pgscore_data._drift_meanings()) from pgscore_data.grain g;

select pgscore_data._make_view('feature_change_' || g.suffix, pgscore_data._drift_between(format(
  '(select x.name, x.number, x.time_zone, x.psi_floor, x.psi_warning, x.psi_alert, x.set_id, ''window_before''::text as baseline, '
  'x.window_start, x.window_end, x.feature, x.feature_name, x.kind, x.bin, x.n, x.n_new, lag(x.n) over w as b
    from pgscore_data.feature_part_%s x window w as (partition by x.name, x.number, x.set_id, x.feature, x.feature_name, x.bin '
  'order by x.window_start))', g.suffix), 'CONSECUTIVE', 'no_window_before'),
  format('How far each feature of a version is from the %s before, the last one that has rows: a jump from one %1$s to the next, where '
         'feature_drift_%s says how far it has come from the baseline. Filter by model.', g.grain, g.suffix),
  pgscore_data._drift_meanings()) from pgscore_data.grain g;

select pgscore_data._make_view('feature_drift_' || g.suffix,
  pgscore_data._drift_between(format('pgscore_data.feature_part_%s', g.suffix), 'BASELINE', 'no_baseline'),
  format('How far each feature of a version is from its baseline, by %s: for models whose days have too few rows to tell.', g.grain),
  pgscore_data._drift_meanings()) from pgscore_data.grain g where g.grain <> 'day';

select pgscore_data._make_view('dataset_drift_' || g.suffix, format($q$
  select d.model_name, d.model_version, d.segment_key, d.segment_value, d.window_date, d.window_start, d.window_end,
         d.n_features, d.n_drifted, d.n_drifted::float8 / nullif(d.n_features, 0) as drift_share,
         case when d.n_features = 0 then 'insufficient_data' when d.n_drifted * 2 >= d.n_features then 'alert'
           when d.n_drifted > 0 then 'warning' else 'ok' end as status,
         d.n, case when d.n_features = 0 then 'insufficient_data' end as undefined_reason
    from (select x.model_name, x.model_version, x.segment_key, x.segment_value, x.window_date, x.window_start, x.window_end,
                 count(*) filter (where x.status <> 'insufficient_data') as n_features,
                 count(*) filter (where x.status in ('warning', 'alert')) as n_drifted, max(x.n) as n
            from pgscore_bi.feature_drift_%1$s x group by 1, 2, 3, 4, 5, 6, 7) d$q$, g.suffix),
  format('How many of a version''s features have drifted, by %s.', g.grain), pgscore_data._drift_meanings()) from pgscore_data.grain g;
