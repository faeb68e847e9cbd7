import type { Step } from './tell.ts';

/** How many days July has: the canary is judged when all of them have their labels. */
const DAYS = 31;

/** A model of spring against the one of January: what it would have said, why a gate refuses it, and how a canary goes in summer. */
export const CHALLENGER: readonly Step[] = [
  {
    who: 'dana',
    say: 'The model of January decays in summer. A challenger learned from April to June.',
    sql: `select pgscore.deploy('air_time', $1, trained_until => '2013-07-01 00:00-04')`,
    file: 'air_time_spring.onnx',
  },
  { who: 'dana', say: '', sql: `call pgscore.wait_for_version('air_time@2')` },
  {
    who: 'ana',
    say: 'What would it have said all year? A replay scores the past again, and moves nothing that is live. Gates count those of deployers.',
    sql: `grant usage, create on schema flights to dana`,
  },
  { who: 'ana', say: '', sql: `grant select on flight_features to dana` },
  {
    who: 'dana',
    say: '',
    sql: `select pgscore.replay('air_time@2', source => 'flights.flight_features', event_time => 'scheduled_at', target_schema => 'flights') as run`,
    run: true,
  },
  {
    who: 'ana',
    say: 'Spring is better in summer and worse in winter. Nobody sees that from a model file; here it is a view.',
    sql: `select j.window_date, j.n_labeled, j.mae as january_model, s.value as spring_model, s.in_training
  from pgscore_bi.regression_performance_monthly j join pgscore_bi.replay_performance_monthly s using (model_name, window_date)
 where model_name = 'air_time' and j.model_version = 1 and s.metric = 'mae' order by j.window_date`,
    accuracyOf: 'air_time',
    after: `select from pgscore_bi.replay_performance_monthly where metric = 'mae' having sum(n_labeled) = 32735`,
  },
  {
    who: 'ana',
    say: 'The months before the end of its training are marked, and left out of the comparison. Over the others it is better.',
    sql: `select metric, first_date, last_date, value_a, value_b, ci_low, ci_high, verdict, in_training
  from pgscore_bi.version_comparison where model_name = 'air_time' and is_replayed order by metric`,
  },
  {
    who: 'dana',
    say: 'A gate says what a version must pass before it becomes the champion. By the replay this one would.',
    sql: `select pgscore.set_gate('air_time', 'not_worse', metric => 'mae', margin => 0.1, minimum_labels => 500)`,
  },
  { who: 'dana', say: '', sql: `select passed, low, high, reason from pgscore.check_gates('air_time@2')` },
  {
    who: 'ana',
    say: 'In winter the challenger scores beside the champion. Its predictions go to the history.',
    sql: `create view winter_flights as select * from flight_features where flight_date >= '2013-11-01'`,
  },
  {
    who: 'ana',
    say: '',
    sql: `select pgscore.score_table('air_time@2', 'winter_flights', key => 'flight_id', target => 'air_time_scores', event_time => 'scheduled_at') as run`,
    run: true,
  },
  {
    who: 'dana',
    say: 'Now there are labels that judge both versions, and the gate refuses the promotion.',
    sql: `select passed, low, high, reason from pgscore.check_gates('air_time@2')`,
    accuracyOf: 'air_time',
    after: `select from pgscore_bi.version_comparison where model_name = 'air_time' and not is_replayed and metric = 'mae' having min(n_a) > 5000`,
  },
  { who: 'dana', say: '', sql: `select pgscore.promote('air_time@2')`, refused: true },
  {
    who: 'dana',
    say: 'She can overrule a gate with a reason, which stays on record, and go back.',
    sql: `select pgscore.promote('air_time@2', force => true, reason => 'to try a rollback')`,
  },
  { who: 'dana', say: '', sql: `select pgscore.rollback('air_time')` },
  {
    who: 'ana',
    say: 'The demo does not wait for summer: the flights of July come again, from Monday on.',
    sql: `create table summer_flights as
select flight_id + 200000 as flight_id, flight_date + n as flight_date, scheduled_at + n * interval '1 day' as scheduled_at, carrier, origin,
       dest, distance, scheduled_minutes, departure_hour, arrival_hour, weekday, month, temp, wind_speed, precip, visib, pressure, seats
  from flight_features cross join (select (current_date - date '2013-07-01' + 6) / 7 * 7 as n) days where month = 7`,
  },
  { who: 'ana', say: '', sql: `alter table summer_flights add primary key (flight_id)` },
  {
    who: 'dana',
    say: 'A canary: the challenger answers for a fifth of the flights, and each flight stays in its arm.',
    sql: `select pgscore.start_experiment('air_time', kind => 'canary', arms => '{"air_time@2": 20}', split_by => '{flight_id}',
                                until => now() + interval '60 days') as experiment`,
  },
  {
    who: 'ana',
    say: '',
    sql: `select pgscore.score_table('air_time', 'summer_flights', target => 'air_time_summer', event_time => 'scheduled_at') as run`,
    run: true,
  },
  {
    who: 'ana',
    say: '',
    sql: `select model_version, count(*) from air_time_summer group by model_version order by model_version`,
  },
  {
    who: 'ana',
    say: 'They land.',
    sql: `insert into flight_arrivals (flight_id, air_time, landed_at)
select s.flight_id, a.air_time, a.landed_at + (s.scheduled_at - f.scheduled_at)
  from summer_flights s join flight_features f on f.flight_id = s.flight_id - 200000 join flight_arrivals a on a.flight_id = f.flight_id`,
  },
  {
    who: 'ana',
    say: 'Who is better may be asked every day: the interval holds at all times at once.',
    sql: `select last_date, entities, difference, always_valid_low, always_valid_high, verdict
  from pgscore_bi.experiment_results_daily
 where model_name = 'air_time' and model_version = 2 and metric = 'mae' and extract(isodow from last_date) in (1, 4) order by last_date`,
    accuracyOf: 'air_time',
    after: `select from pgscore_bi.experiment_results_daily where model_version = 2 and metric = 'mae' having count(*) = ${DAYS}`,
  },
  {
    who: 'ana',
    say: 'The canary is better, and the arms have the flights that they should have (srm_p_value).',
    sql: `select model_version, is_champion, entities, value, difference, srm_p_value, verdict
  from pgscore_bi.experiment_results where model_name = 'air_time' and metric = 'mae' order by model_version`,
  },
  {
    who: 'dana',
    say: 'The gate goes by the canary, and passes. stop_experiment() would promote it; the demo leaves it on, for the page to show.',
    sql: `select passed, low, high, reason from pgscore.check_gates('air_time@2')`,
  },
];
