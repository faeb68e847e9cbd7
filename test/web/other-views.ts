/** What alerts, drift and estimates without labels look like to the page, should the views of other parts not be there yet. */
export const OTHER_VIEWS = `
create or replace view pgscore_bi.alerts as
select 'firing'::text as state, 'churn'::text as model_name, 1::bigint as model_version, 'accuracy low'::text as rule, 'accuracy'::text as metric, 0.61::float8 as value, 0.7::float8 as threshold;
create or replace view pgscore_bi.alert_history as
select 'resolved'::text as state, 'churn'::text as model_name, 'accuracy low'::text as rule, '2026-03-01 10:00+00'::timestamptz as at;
create or replace view pgscore_bi.estimated_performance_daily as
select 'churn'::text as model_name, 1::bigint as model_version, d::date as window_date, 0.8::float8 as estimated_accuracy from generate_series('2026-03-01'::date, '2026-03-10', '1 day') d;
create or replace view pgscore_bi.feature_drift_daily as
select 'churn'::text as model_name, 1::bigint as model_version, d::date as window_date, f.name as feature_name, 500::bigint as n,
       f.psi * (1 + extract(day from d))::float8 as psi, 0.05::float8 as psi_noise_limit, case f.name when 'thin' then 'insufficient_data' else 'ok' end as status
  from generate_series('2026-03-01'::date, '2026-03-10', '1 day') d cross join (values ('age', 0.001), ('income', 0.09), ('thin', 0.01)) f (name, psi);
create or replace view pgscore_bi.feature_distribution_daily as
select model_name, model_version, window_date, feature_name, b.bin_label, b.n, b.share, b.baseline_share
  from pgscore_bi.feature_drift_daily cross join (values ('to 10', 100::bigint, 0.2::float8, 0.5::float8), ('to 20', 400, 0.8, 0.5)) b (bin_label, n, share, baseline_share);
grant select on all tables in schema pgscore_bi to pgscore_service;
`;
