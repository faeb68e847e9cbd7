import { CHALLENGER } from './challenger.ts';
import type { Step } from './tell.ts';

/** What a data scientist (dana) and an analyst (ana) do with pgscore. A second model is deployed and scored while the labels of the first are counted. */
export const STORY: readonly Step[] = [
  {
    who: 'dana',
    say: 'Dana deploys her model: a scikit-learn pipeline, exported to ONNX. The file is checked before anything trusts it.',
    sql: `select pgscore.deploy('arrival_delay', $1)`,
    file: 'arrival_delay.onnx',
  },
  {
    who: 'dana',
    say: 'The check takes the real signature from a run of the model.',
    sql: `call pgscore.wait_for_version('arrival_delay@1')`,
  },
  {
    who: 'dana',
    say: '',
    sql: `select model, version, aliases, state, task, outputs, execution from pgscore.models`,
  },
  {
    who: 'dana',
    say: 'Every model is watched. Days are to be those of New York, where the flights leave.',
    sql: `select pgscore.monitor('arrival_delay', time_zone => 'America/New_York')`,
  },
  {
    who: 'ana',
    say: 'From now on the model is a function. This one is compiled: PostgreSQL computes it inside the query, service or not.',
    sql: `select f.flight_id, f.carrier, f.origin, f.dest, score('arrival_delay', f) from flight_features f where f.flight_date = '2013-07-04' order by f.flight_id limit 3`,
  },
  {
    who: 'ana',
    say: 'The service answers any model, in one round trip, with all that it says. Every answer is kept.',
    sql: `set pgscore.execution = online`,
  },
  {
    who: 'ana',
    say: '',
    sql: `select pgscore.predict('arrival_delay', f) from flight_features f where f.flight_id = 1`,
  },
  { who: 'ana', say: '', sql: `reset pgscore.execution` },
  {
    who: 'ana',
    say: 'Many rows at once, also those that her transaction has not committed yet:',
    sql: `select (s.features).flight_id, s.score, s.label, s.version from pgscore.score_rows('arrival_delay', array(select f from flight_features f where f.flight_date = '2013-07-04' order by f.flight_id)) s limit 3`,
  },
  {
    who: 'ana',
    say: 'Bound to a table, the model is a function of its rows, which an index can keep: the flights at the highest risk, none scored again.',
    sql: `grant usage on schema flights to pgscore_owner`,
  },
  { who: 'ana', say: '', sql: `select pgscore.bind('arrival_delay', 'flight_features')` },
  {
    who: 'ana',
    say: '',
    sql: `create index on flight_features (pgscore_models.arrival_delay_v1(flight_features))`,
  },
  {
    who: 'ana',
    say: '',
    sql: `select f.flight_id, f.carrier, f.dest, pgscore_models.arrival_delay_v1(f) as risk from flight_features f order by pgscore_models.arrival_delay_v1(f) desc limit 3`,
  },
  {
    who: 'ana',
    say: 'Ana, who may read the flights, asks for all of them to be scored. The service picks the request up at commit.',
    sql: `select pgscore.score_table('arrival_delay', 'flight_features', target => 'flight_delay_scores', event_time => 'scheduled_at') as run`,
    run: true,
  },
  {
    who: 'ana',
    say: 'Each flight has a prediction, in a view that Ana owns. score is the probability that it lands more than 15 minutes late.',
    sql: `select flight_id, score, label, model_version, event_time from flight_delay_scores order by flight_id limit 5`,
  },
  {
    who: 'ana',
    say: 'What happened is on record.',
    sql: `select run, model, state, rows_done, rows_failed, rows_per_second, cpu_seconds from pgscore.runs`,
  },
  {
    who: 'ana',
    say: 'The truth arrived later, in flight_arrivals. Ana says where; from now on accuracy follows every label, however late.',
    sql: `select pgscore.set_labels('arrival_delay', 'flight_arrivals', label => 'was_late', known_at => 'landed_at')`,
  },
  {
    who: 'dana',
    say: 'A second model predicts minutes in the air. It learned from January, and is asked all year.',
    sql: `select pgscore.deploy('air_time', $1, trained_until => '2013-02-01 00:00-05')`,
    file: 'air_time_january.onnx',
  },
  { who: 'dana', say: '', sql: `call pgscore.wait_for_version('air_time@1')` },
  { who: 'dana', say: '', sql: `select pgscore.monitor('air_time', time_zone => 'America/New_York')` },
  {
    who: 'ana',
    say: '',
    sql: `select pgscore.score_table('air_time', 'flight_features', target => 'air_time_scores', event_time => 'scheduled_at') as run`,
    run: true,
  },
  {
    who: 'ana',
    say: 'How long the flights took in the end is in the same table.',
    sql: `select pgscore.set_labels('air_time', 'flight_arrivals', label => 'air_time', known_at => 'landed_at')`,
  },
  {
    who: 'ana',
    say: 'By now each prediction of a delay has met its label. Accuracy alone misleads: it follows how many flights were late. How well the model ranks them (roc_auc) hardly moves.',
    sql: `select window_date, n_predictions, label_coverage, positive_rate_actual, accuracy, roc_auc from pgscore_bi.binary_performance_monthly where model_name = 'arrival_delay' order by window_date`,
    accuracyOf: 'arrival_delay',
  },
  {
    who: 'dana',
    say: 'The model learned from January to March, so its features are compared with those: the weather of summer is another.',
    sql: `select pgscore.set_baseline('arrival_delay', from_time => '2013-01-01', to_time => '2013-04-01')`,
  },
  {
    who: 'ana',
    say: '',
    sql: `select window_date, feature_name, psi, psi_noise_limit, status from pgscore_bi.feature_drift_monthly where model_name = 'arrival_delay' and status in ('warning', 'alert') order by psi desc limit 5`,
  },
  {
    who: 'ana',
    say: 'Alerts watch what is new, and say nothing of 2013. This is what they would have said: a blizzard, and days when many flights were late.',
    sql: `select alert, window_date, value, lower_threshold from pgscore.preview_monitor('arrival_delay') where event = 'firing' order by window_date`,
  },
  ...CHALLENGER,
  {
    who: 'ana',
    say: 'And the table is scored again every night.',
    sql: `select pgscore.schedule('nightly', '0 2 * * *', 'arrival_delay', 'flight_features', target => 'flight_delay_scores', event_time => 'scheduled_at')`,
  },
  { who: 'ana', say: '', sql: `select name, cron, model, source, target, state from pgscore.schedules` },
  {
    who: 'ana',
    say: 'Three nights: the same flights are scored again.',
    sql: `select pgscore.run_schedule('nightly') as run`,
    run: true,
  },
  { who: 'ana', say: '', sql: `select pgscore.run_schedule('nightly') as run`, run: true },
  { who: 'ana', say: '', sql: `select pgscore.run_schedule('nightly') as run`, run: true },
  {
    who: 'ana',
    say: 'Each flight still counts once. The accuracy does not move.',
    sql: `select window_date, n_predictions, n_labeled, n_superseded, label_coverage, accuracy from pgscore_bi.binary_performance_monthly where model_name = 'arrival_delay' order by window_date`,
    accuracyOf: 'arrival_delay',
  },
];

/** What goes on while the demo is looked at. */
export const WATCHING: readonly Step[] = [
  {
    who: 'ana',
    say: 'New flights come now, an hour of January 2014 a second. Each is scored as soon as it is written, and its truth comes when it has landed.',
    sql: `select pgscore.watch('arrival_delay', 'flight_features', target => 'flight_delay_live', event_time => 'scheduled_at')`,
  },
];
