/** One thing that happens in the demo: who does it, what it is for, and the SQL. */
export type Step = {
  readonly who: 'dana' | 'ana';
  readonly say: string;
  readonly sql: string;
  /** A model file of demo/models whose bytes are the statement's one parameter. */
  readonly file?: string;
  /** The statement returns a run, to be followed with a progress bar until it ends. */
  readonly run?: true;
};

/** What a data scientist (dana) and an analyst (ana) do with pgscore, in the order of the README. */
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
    say: 'The truth is in flight_arrivals, so the accuracy of each month is a join. It follows how many flights were late; the model ranks them as well in July as in January.',
    sql: `select to_char(f.flight_date, 'MM') as month, count(*) as flights, round(avg(a.was_late::int)::numeric, 3) as late, round(avg(((p.label = '1') = a.was_late)::int)::numeric, 3) as accuracy
  from flight_delay_scores p join flight_features f using (flight_id) join flight_arrivals a using (flight_id)
 group by 1 order by 1`,
  },
  {
    who: 'dana',
    say: 'A second model predicts minutes in the air; its first version learned from January, its second from April to June.',
    sql: `select pgscore.deploy('air_time', $1)`,
    file: 'air_time_january.onnx',
  },
  { who: 'dana', say: '', sql: `call pgscore.wait_for_version('air_time@1')` },
  { who: 'dana', say: '', sql: `select pgscore.deploy('air_time', $1)`, file: 'air_time_spring.onnx' },
  { who: 'dana', say: '', sql: `call pgscore.wait_for_version('air_time@2')` },
  {
    who: 'ana',
    say: 'Both score every flight: the champion, and the challenger, whose predictions go to the history.',
    sql: `select pgscore.score_table('air_time@1', 'flight_features', target => 'air_time_scores', event_time => 'scheduled_at') as run`,
    run: true,
  },
  {
    who: 'ana',
    say: '',
    sql: `select pgscore.score_table('air_time@2', 'flight_features', target => 'air_time_scores', event_time => 'scheduled_at') as run`,
    run: true,
  },
  {
    who: 'ana',
    say: 'The January model decays in summer, the spring model in winter. Nobody sees that from a model file; here it is a query.',
    sql: `select to_char(f.flight_date, 'MM') as month, round(avg(abs(p.score - a.air_time)) filter (where p.model_version = 'air_time@1')::numeric, 1) as january_model, round(avg(abs(p.score - a.air_time)) filter (where p.model_version = 'air_time@2')::numeric, 1) as spring_model
  from air_time_scores_history p join flight_features f using (flight_id) join flight_arrivals a using (flight_id)
 group by 1 order by 1`,
  },
  { who: 'dana', say: 'Champions change with one statement, and back.', sql: `select pgscore.promote('air_time@2')` },
  { who: 'dana', say: '', sql: `select pgscore.rollback('air_time')` },
  {
    who: 'ana',
    say: 'And the table is scored again every night.',
    sql: `select pgscore.schedule('nightly', '0 2 * * *', 'arrival_delay', 'flight_features', target => 'flight_delay_scores', event_time => 'scheduled_at')`,
  },
  { who: 'ana', say: '', sql: `select name, cron, model, source, target, state from pgscore.schedules` },
];
