-- What a data scientist (ada) and a data engineer (alice) do with pgscore, top to bottom, for psql.
-- Neither is a superuser; alice owns flight_features.

-- as ada
-- deploy: bytes in, checked by the service, never trusted before that
\lo_import demo/models/arrival_delay.onnx
select pgscore.deploy('arrival_delay', lo_get(:LASTOID));
call pgscore.wait_for_version('arrival_delay@1');
select * from pgscore.models;
select * from pgscore.describe_model('arrival_delay');

-- as alice
-- one value, synchronously, inside any query or transaction
select f.flight_id, score('arrival_delay', f) from flight_features f where f.flight_date = '2013-07-04' order by f.flight_id limit 5;
set pgscore.execution = online;
set pgscore.request_id = 'story';
select f.flight_id, score('arrival_delay', f) from flight_features f where f.flight_date = '2013-07-04' order by f.flight_id limit 5;
select pgscore.predict('arrival_delay', f) from flight_features f order by f.flight_id limit 1;
reset pgscore.execution;
select count(*) as flights, count(s.score) as scores from pgscore.score_rows('arrival_delay', array(select f from flight_features f where f.flight_date = '2013-07-04')) s;

-- a table that a model is bound to: typed functions, which the planner sees through
grant usage on schema alice to pgscore_owner;
select pgscore.bind('arrival_delay', 'flight_features');
select f.flight_id, pgscore_models.arrival_delay(f) as score from flight_features f where f.flight_date = '2013-07-04' order by f.flight_id limit 5;
select count(*) as flights, avg(score('arrival_delay', f)) as late from flight_features f;
create index flight_risk on flight_features (pgscore_models.arrival_delay_v1(flight_features));
select f.flight_id, f.dest, pgscore_models.arrival_delay_v1(f) as risk from flight_features f order by pgscore_models.arrival_delay_v1(f) desc limit 3;
drop index flight_risk;
select pgscore.unbind('arrival_delay', 'flight_features');

-- a whole table, as a durable request picked up through NOTIFY
select pgscore.score_table('arrival_delay', 'flight_features', target => 'flight_delay_scores', event_time => 'scheduled_at') as run \gset
call pgscore.wait_for_run(:run);
select * from flight_delay_scores limit 5;
select * from pgscore.runs;
select * from pgscore.run_errors;
select pgscore.cancel_run(:run) as too_late;
select pgscore.score_table('arrival_delay', 'flight_features', target => 'flight_delay_scores', event_time => 'scheduled_at') as run \gset
select pgscore.cancel_run(:run) as cancelled;

-- again and again
select pgscore.schedule('nightly', '0 2 * * *', 'arrival_delay', 'flight_features', target => 'flight_delay_scores', event_time => 'scheduled_at');
select * from pgscore.schedules;
select pgscore.pause_schedule('nightly');
select pgscore.resume_schedule('nightly');
select pgscore.run_schedule('nightly') as run \gset
call pgscore.wait_for_run(:run);
select name, outcome, run from pgscore.schedule_history;
select pgscore.unschedule('nightly');

-- as ada
-- change models without fear
\lo_import demo/models/arrival_delay.onnx
select pgscore.deploy('arrival_delay', lo_get(:LASTOID), positive_class => '0');
call pgscore.wait_for_version('arrival_delay@2');
\lo_import demo/models/arrival_delay.onnx
select pgscore.deploy('arrival_delay', lo_get(:LASTOID), threshold => 0.4);
call pgscore.wait_for_version('arrival_delay@3');
select pgscore.promote('arrival_delay@2');
select pgscore.rollback('arrival_delay');
select pgscore.set_alias('arrival_delay@3', 'challenger');
select pgscore.drop_version('arrival_delay@2');

-- as alice
select pgscore.score_table('arrival_delay@challenger', 'flight_features', target => 'flight_delay_scores', event_time => 'scheduled_at') as run \gset
call pgscore.wait_for_run(:run);
select model_version, count(*) as flights, count(*) filter (where label = '1') as late from flight_delay_scores_history group by 1 order by 1;
select model_version, count(*) as flights from flight_delay_scores group by 1;
select pgscore.drop_target('flight_delay_scores');
select * from pgscore.targets;
select request_id, model, version, count(*) as kept from pgscore.online_predictions group by 1, 2, 3;

-- as ada
select action, actor, version from pgscore.audit order by at;
