import { MODEL, VERSIONS, type PageQuery } from './page-data.ts';

const EXPERIMENT = ['experiment', 'version'] as const;

/** What the page asks of comparisons, experiments, replays and gates. */
export const ROLLOUT_QUERIES: Readonly<Record<string, PageQuery>> = {
  comparison: {
    text: `select model_version, compared_with, other_version, metric, first_date, last_date, value_a, value_b, difference, ci_low, ci_high, n_a, n_b, verdict, target, compared_at, in_training
             from pgscore_bi.version_comparison where model_name = $1 and model_version = any($2::bigint[]) and not is_replayed order by model_version desc, compared_with, metric, target limit 400`,
    parameters: [MODEL, VERSIONS],
    optional: true,
  },
  replays: {
    text: `select replay_run, model_version, other_version, metric, first_date, last_date, in_training, value_a, value_b, difference, ci_low, ci_high, verdict, undefined_reason
             from pgscore_bi.version_comparison where model_name = $1 and is_replayed
            order by undefined_reason is not null, replay_run desc, metric limit 60`,
    parameters: [MODEL],
    optional: true,
  },
  'replay-months': {
    text: `select r.model_version, r.window_date, r.in_training, r.n_predictions, r.n_labeled, r.is_mature, r.metric, r.value,
                  r.is_partial, r.live_version, r.n_live_labeled, r.live_value, w.from_time, w.to_time
             from pgscore_bi.replay_performance_monthly r join pgscore_data.replay w on w.run_id = r.replay_run
            where r.model_name = $1
              and r.replay_run = (
                select c.replay_run from pgscore_bi.version_comparison c where c.model_name = $1 and c.is_replayed
                 order by c.value_a is null, c.replay_run desc limit 1)
            order by r.window_date, r.in_training, r.metric limit 2000`,
    parameters: [MODEL],
    optional: true,
  },
  experiment: {
    text: `select r.*, e.started_at, e.until, e.stopped_at, w.weight
             from pgscore_bi.experiment_results r
             join pgscore_data.experiment e on e.experiment_id = r.experiment
            cross join lateral (
              select case when r.is_champion then 100 - coalesce(sum(a.weight), 0) else sum(a.weight) filter (where v.number = r.model_version) end::float8 as weight
                from pgscore_data.experiment_arm a join pgscore_data.version v using (version_id) where a.experiment_id = e.experiment_id) w
            where r.model_name = $1
            order by r.experiment desc, r.is_champion, r.model_version desc, array_position('{accuracy,roc_auc,f1_score,mae,rmse,mse}', r.metric), r.metric limit 400`,
    parameters: [MODEL],
    optional: true,
  },
  'experiment-daily': {
    text: `select d.model_version, d.metric, d.last_date, d.difference, d.always_valid_low, d.always_valid_high, d.verdict
             from pgscore_bi.experiment_results_daily d
            where d.model_name = $1 and d.always_valid_low is not null
              and d.experiment = $2::bigint
            order by d.model_version, d.metric, d.last_date limit 4000`,
    parameters: [MODEL, EXPERIMENT],
    optional: true,
  },
  'experiment-stages': {
    text: `select v.number::bigint as model_version, s.since, (select sum(upper(r) - lower(r)) from unnest(s.buckets) r)::float8 / 100 as share
             from pgscore_data.experiment_stage s join pgscore_data.version v using (version_id)
             join pgscore_data.visible_model m using (model_id)
            where m.name = $1 and s.experiment_id = $2::int
            order by v.number, s.since limit 200`,
    parameters: [MODEL, EXPERIMENT],
    optional: true,
  },
  gates: {
    text: `select g.* from pgscore_data._known_verdicts($1, $2::bigint[]) g limit 200`,
    parameters: [MODEL, VERSIONS],
    optional: true,
  },
  objections: {
    text: `select g.model_version, format('does not pass the gate %s', g.gate) as said
             from pgscore_data._known_verdicts($1, $2::bigint[]) g where not g.passed
            union all
           select v.number::bigint, format('is worse by %s%s, by %s', w.metric, ' of ' || w.target, w.said_by)
             from pgscore_data.visible_model m join pgscore_data.version v using (model_id)
             join pgscore_data.alias a on a.model_id = m.model_id and a.alias = 'champion'
            cross join lateral pgscore_data._worse_metrics(v.version_id, a.version_id) w
            where m.name = $1 and v.number = any($2::bigint[]) limit 200`,
    parameters: [MODEL, VERSIONS],
    optional: true,
  },
  experiments: {
    text: `select e.kind, e.sampling, e.started_at, e.stopped_at,
            (select string_agg('version ' || v.number || case e.kind when 'shadow' then '' else format(' (%s %%)', a.weight::float8) end, ', ' order by v.number)
               from pgscore_data.experiment_arm a join pgscore_data.version v using (version_id) where a.experiment_id = e.experiment_id) as arms
             from pgscore_data.experiment e join pgscore_data.visible_model m using (model_id)
            where m.name = $1 order by e.experiment_id desc limit 100`,
    parameters: [MODEL],
    optional: true,
  },
};
