-- Every labelled prediction with its truth.

create or replace view pgscore_bi.prediction_detail with (security_barrier) as
select m.name as model_name, v.number::bigint as model_version, array_to_string(e.key, ', ') as entity_key, e.event_time, e.score,
       x.class_labels[e.predicted_class + 1] as predicted,
       coalesce(x.class_labels[e.actual_class + 1], e.actual::text) as actual, e.score - e.actual as error,
       e.actual_class = e.predicted_class as is_correct, e.known_at,
       extract(epoch from greatest('0001-01-01 00:00+00', least('9999-12-31 00:00+00', e.known_at)) - e.event_time)::float8 / 86400
         as label_delay_days, case when e.run_id > 0 then e.run_id end as run,
       case when e.run_id < 0 then -e.run_id end as online_prediction, null::text as target
  from pgscore_data.visible_model m
  join pgscore_data.version v using (model_id)
  join pgscore_data.scored_version x using (version_id)
  join pgscore_data.evaluation e using (version_id)
 where e.actual_values is null
union all
select m.name, v.number, array_to_string(e.key, ', '), e.event_time, e.predicted_values[n.position],
       case n.task when 'binary' then e.predicted_values[cardinality(e.actual_values) + n.position]::text end,
       e.actual_values[n.position]::text,
       case n.task when 'regression' then e.predicted_values[n.position] - e.actual_values[n.position] end,
       case n.task when 'binary' then e.predicted_values[cardinality(e.actual_values) + n.position] = e.actual_values[n.position] end,
       e.known_at,
       extract(epoch from greatest('0001-01-01 00:00+00', least('9999-12-31 00:00+00', e.known_at)) - e.event_time)::float8 / 86400,
       case when e.run_id > 0 then e.run_id end, case when e.run_id < 0 then -e.run_id end, n.name
  from pgscore_data.visible_model m
  join pgscore_data.version v using (model_id)
  join pgscore_data.version_value n using (version_id)
  join pgscore_data.evaluation e using (version_id)
 where e.actual_values[n.position] is not null;
comment on view pgscore_bi.prediction_detail is
  'Every labelled prediction with its truth, of runs and of calls of score(); of several targets or labels a row each. Filter by model and '
  'by event_time.';
