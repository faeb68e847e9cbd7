/** What alerts, estimates and comparisons look like to the page, whether their own views are there or not. */
export const OTHER_VIEWS = `
drop view if exists pgscore.alerts, pgscore_bi.alerts, pgscore_bi.alert_history, pgscore_bi.estimated_performance_daily, pgscore_bi.version_comparison cascade;
create view pgscore_bi.alerts as
select 'churn'::text as model_name, 1::bigint as model_version, a.name as alert, 'accuracy'::text as metric, 'day'::text as grain, null::text as column_name, a.state, a.state = 'firing' as is_raised, 'page'::text as severity,
       '2026-03-02 10:00+00'::timestamptz as since, 0.61::float8 as value, 0.7::float8 as lower_threshold, null::float8 as upper_threshold, 0.7::float8 as threshold, 'below'::text as direction, 224::bigint as n, '2026-03-01'::date as window_date
  from (values ('quiet', 'ok'), ('unknown', 'insufficient_data'), ('accuracy low', 'firing')) a (name, state);
create view pgscore_bi.alert_history as
select 'churn'::text as model_name, 1::bigint as model_version, 'accuracy low'::text as alert, 'resolved'::text as event, null::text as reason, 'page'::text as severity, 'accuracy'::text as metric,
       null::text as column_name, 0.75::float8 as value, 0.7::float8 as lower_threshold, null::float8 as upper_threshold, 248::bigint as n, '2026-01-01'::date as window_date, '2026-02-01 10:00+00'::timestamptz as event_at;
create view pgscore_bi.estimated_performance_daily as
select 'churn'::text as model_name, 1::bigint as model_version, d::date as window_date, 0.8::float8 as estimated_accuracy from generate_series('2026-03-01'::date, '2026-03-10', '1 day') d;
create view pgscore_bi.version_comparison as
select 'churn'::text as model_name, 1::bigint as model_version, 'predecessor'::text as compared_with, 0::bigint as other_version, 'accuracy'::text as metric, '2026-01-01'::date as first_date, '2026-02-28'::date as last_date,
       0.8::float8 as value_a, 0.7::float8 as value_b, 0.1::float8 as difference, 0.05::float8 as ci_low, 0.15::float8 as ci_high, 400::bigint as n_a, 400::bigint as n_b, 'better'::text as verdict, null::text as target, false as is_replayed,
       null::bigint as replay_run, null::text as in_training, null::text as undefined_reason;
grant select on all tables in schema pgscore_bi to pgscore_service;
`;
