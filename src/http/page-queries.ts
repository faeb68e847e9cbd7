import { ROLLOUT_QUERIES } from './rollout-queries.ts';
import { MODEL, MONTH, VERSION, VERSIONS, type PageQuery } from './page-data.ts';

/** A year of days, seven of weeks, thirty of months; of each version. */
const MOST_WINDOWS = 366;
const MOST_VERSIONS = 6;

/** What the views of each grain end with. */
const GRAINS = { day: 'daily', week: 'weekly', month: 'monthly' };

const DAY = ['day', 'date'] as const;
const FEATURE = ['feature', 'text'] as const;
/** One of several values of a row; empty or left out: the score. */
const TARGET = ['target', 'target'] as const;
const OF_MONTH = `window_date >= $3::date and window_date < ($3::date + interval '1 month')::date`;
const IN_MONTH = 'where model_name = $1 and model_version = $2 and window_date = $3::date and segment_key is null';
/** Equality passes the barrier of the view, and no function of a column does. */
const OF_MODEL = `model = any (array(
      select m.name || '@' || v.number from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = $1))`;

function performance(task: string, suffix: string): PageQuery {
  return {
    text: `select p.* from (
        select x.*, row_number() over (partition by x.model_version order by x.window_date desc) as age
          from pgscore_bi.${task}_performance_${suffix} x where x.model_name = $1 and x.model_version = any($2::bigint[]) and x.segment_key is null ${ofTarget(task, 3)}) p
       where p.age <= ${MOST_WINDOWS} order by p.model_version, p.window_date limit ${MOST_WINDOWS * MOST_VERSIONS}`,
    parameters: [MODEL, VERSIONS, ...targetOf(task)],
  };
}

/** Of a model of several values a row, the rows of one, or of its score. */
function ofTarget(task: string, place: number): string {
  return task === 'multiclass' ? '' : `and target is not distinct from nullif($${place}, '')`;
}

function targetOf(task: string): PageQuery['parameters'] {
  return task === 'multiclass' ? [] : [TARGET];
}

function performances(): Record<string, PageQuery> {
  return Object.fromEntries(
    ['binary', 'multiclass', 'regression'].flatMap((task) =>
      Object.entries(GRAINS).map(([grain, suffix]) => [`performance-${task}-${grain}`, performance(task, suffix)]),
    ),
  );
}

/** What is expected of a classifier before labels come, by each grain. */
function estimates(): Record<string, PageQuery> {
  return Object.fromEntries(
    Object.entries(GRAINS).map(([grain, suffix]): [string, PageQuery] => [
      `estimates-${grain}`,
      {
        text: `select e.* from pgscore_bi.estimated_performance_${suffix} e where e.model_name = $1 and e.model_version = any($2::bigint[]) order by e.window_date desc limit ${MOST_WINDOWS * MOST_VERSIONS}`,
        parameters: [MODEL, VERSIONS],
        optional: true,
      },
    ]),
  );
}

/** What of a task has an interval in each segment. */
const BY_SEGMENT = {
  binary: ['accuracy', 'precision_score', 'recall_score', 'f1_score'],
  multiclass: ['accuracy'],
  regression: ['mae', 'rmse'],
};

/** A month of each segment, and of all predictions: eight columns have two thousand values at most. */
function segments(): Record<string, PageQuery> {
  return Object.fromEntries(
    Object.entries(BY_SEGMENT).map(([task, metrics]) => {
      const columns = metrics.flatMap((metric) => {
        const stem = metric.replace(/_score$/, '');
        return [metric, `${stem}_ci_low`, `${stem}_ci_high`];
      });
      return [
        `segments-${task}`,
        {
          text: `select segment_key, segment_value, n_predictions, n_labeled, ${columns.join(', ')} from pgscore_bi.${task}_performance_monthly
                  where model_name = $1 and model_version = $2 and window_date = $3::date ${ofTarget(task, 4)} order by segment_key nulls first, segment_value limit 2000`,
          parameters: [MODEL, VERSION, MONTH, ...targetOf(task)],
        },
      ];
    }),
  );
}

/** Drift of features, and how one of them lies, by each grain. */
function features(): Record<string, PageQuery> {
  return Object.fromEntries(
    Object.entries(GRAINS).flatMap(([grain, suffix]): [string, PageQuery][] => [
      [
        `drift-${grain}`,
        {
          text: `select window_date, feature_name, n, psi, psi_noise_limit, status from pgscore_bi.feature_drift_${suffix}
                  where model_name = $1 and model_version = $2 order by window_date desc, feature_name limit 4000`,
          parameters: [MODEL, VERSION],
          optional: true,
        },
      ],
      [
        `feature-${grain}`,
        {
          text: `select bin_label, bin_low, bin_high, n, share, baseline_share, psi_contribution from pgscore_bi.feature_distribution_${suffix}
                  where model_name = $1 and model_version = $2 and window_date = $3::date and feature_name = $4 order by bin limit 120`,
          parameters: [MODEL, VERSION, DAY, FEATURE],
          optional: true,
        },
      ],
    ]),
  );
}

const SHOWN_OF_RUNS = `run, model, source, target, state, phase, rows_done, rows_failed, rows_total, rows_per_second,
  extract(epoch from eta)::float8 as eta_seconds, error_code, error, remedy, published, requested_by, requested_at, started_at, finished_at, schedule, is_replay`;

/** Every question that the page can ask, by name. All of them are about views; none returns more than some thousand rows. */
export const PAGE_QUERIES: Readonly<Record<string, PageQuery>> = {
  views: {
    text: `select c.relname::text as view_name from pg_class c where c.relnamespace = 'pgscore_bi'::regnamespace and c.relkind = 'v' order by 1 limit 200`,
    parameters: [],
  },
  health: {
    text: `select h.*, s.n_invalid, s.invalid_label
             from pgscore_bi.current_model_health h
             join pgscore_data.model m on m.name = h.model_name left join pgscore_data.label_source s using (model_id)
            order by h.model_name, h.model_version desc limit 500`,
    parameters: [],
  },
  verdicts: {
    text: `select v.* from pgscore_bi.model_verdict v
            order by array_position('{act,watch,unknown,healthy}', v.verdict), v.model_name limit 500`,
    parameters: [],
    optional: true,
  },
  versions: {
    text: `select model as model_name, version::bigint as model_version, state, task, reason, remedy, deployed_by, deployed_at, array_to_string(aliases, ', ') as aliases, trained_until
             from pgscore.models order by model, version desc limit 1000`,
    parameters: [],
  },
  trend: {
    text: `select p.* from (
        select model_name, model_version, target, window_date, n_labeled, accuracy as value, accuracy_ci_low as ci_low, accuracy_ci_high as ci_high, is_mature from pgscore_bi.binary_performance_monthly where segment_key is null
        union all select model_name, model_version, null, window_date, n_labeled, accuracy, accuracy_ci_low, accuracy_ci_high, is_mature from pgscore_bi.multiclass_performance_monthly where segment_key is null
        union all select model_name, model_version, target, window_date, n_labeled, mae, mae_ci_low, mae_ci_high, is_mature from pgscore_bi.regression_performance_monthly where segment_key is null and (target is null or quantile is null)) p
       order by p.window_date desc limit 3000`,
    parameters: [],
  },
  ...performances(),
  ...segments(),
  // Of models that give several values a row: targets, labels or quantiles.
  targets: {
    text: `select n.name as target, n.quantile
             from pgscore_data.version_value n join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id)
            where m.name = $1 and v.number = $2 order by n.position limit 500`,
    parameters: [MODEL, VERSION],
  },
  'targets-regression': {
    text: `select target, quantile, n_labeled, mae, mae_ci_low, mae_ci_high, rmse, r2, pinball_loss, coverage, coverage_ci_low, coverage_ci_high
             from pgscore_bi.regression_performance_monthly ${IN_MONTH} and target is not null limit 500`,
    parameters: [MODEL, VERSION, MONTH],
  },
  'targets-binary': {
    text: `select target, n_labeled, accuracy, accuracy_ci_low, accuracy_ci_high, precision_score, recall_score, f1_score, roc_auc
             from pgscore_bi.binary_performance_monthly ${IN_MONTH} and target is not null limit 500`,
    parameters: [MODEL, VERSION, MONTH],
  },
  'subset-accuracy': {
    text: `select subset_accuracy, subset_accuracy_ci_low, subset_accuracy_ci_high from pgscore_bi.multilabel_performance_monthly ${IN_MONTH} limit 1`,
    parameters: [MODEL, VERSION, MONTH],
  },
  coverage: {
    text: `select c.* from pgscore_bi.label_coverage_daily c
            where c.model_name = $1 and c.model_version = $2 order by c.window_date desc limit ${MOST_WINDOWS}`,
    parameters: [MODEL, VERSION],
  },
  'label-age': {
    text: `select window_date, label_age, n_labeled, label_coverage, accuracy, mae from pgscore_bi.performance_by_label_age
            where model_name = $1 and model_version = $2 and segment_key is null order by window_date desc, n_labeled limit 120`,
    parameters: [MODEL, VERSION],
  },
  confusion: {
    text: `select actual_class, predicted_class, sum(n)::bigint as n from pgscore_bi.confusion_matrix_daily
            where model_name = $1 and model_version = $2 and segment_key is null and ${OF_MONTH} group by 1, 2 order by 1, 2 limit 1000`,
    parameters: [MODEL, VERSION, MONTH],
  },
  classes: {
    text: `select class_label, support, n_predicted, precision_score, recall_score, f1_score from pgscore_bi.class_performance_monthly
            where model_name = $1 and model_version = $2 and segment_key is null and window_date = $3::date order by support desc, class_label limit 200`,
    parameters: [MODEL, VERSION, MONTH],
  },
  threshold: {
    text: `select threshold, true_positive_rate, false_positive_rate, precision_score, recall_score, f1_score, n_predicted_positive from pgscore_bi.threshold_curve
            where model_name = $1 and target is null and model_version = $2 and window_date = $3::date order by threshold limit 200`,
    parameters: [MODEL, VERSION, MONTH],
  },
  roc: {
    text: `select model_version, threshold, true_positive_rate, false_positive_rate, precision_score, recall_score, n_predicted_positive from pgscore_bi.roc_curve
            where model_name = $1 and target is null and model_version = any($2::bigint[]) and window_date = $3::date order by model_version, threshold desc limit 700`,
    parameters: [MODEL, VERSIONS, MONTH],
  },
  reliability: {
    text: `select bin_low, bin_high, n, mean_score, observed_rate, ci_low, ci_high from pgscore_bi.reliability_curve
            where model_name = $1 and target is null and model_version = $2 and window_date = $3::date order by bin_low limit 20`,
    parameters: [MODEL, VERSION, MONTH],
  },
  scores: {
    text: `select model_version, floor(bin_low * 50 + 1e-9) / 50.0::float8 as bin_low, sum(n)::bigint as n, sum(n)::float8 / sum(sum(n)) over (partition by model_version)::float8 as share
             from pgscore_bi.score_distribution_daily where model_name = $1 and model_version = any($2::bigint[]) and outcome = 'all' and ${OF_MONTH}
            group by 1, 2 order by 1, 2 limit 400`,
    parameters: [MODEL, VERSIONS, MONTH],
  },
  'scores-by-outcome': {
    text: `select outcome, floor(bin_low * 50 + 1e-9) / 50.0::float8 as bin_low, sum(n)::bigint as n, sum(n)::float8 / sum(sum(n)) over (partition by outcome)::float8 as share
             from pgscore_bi.score_distribution_daily where model_name = $1 and model_version = $2 and outcome <> 'all' and ${OF_MONTH}
            group by 1, 2 order by 1 desc, 2 limit 200`,
    parameters: [MODEL, VERSION, MONTH],
  },
  residuals: {
    text: `select first_date, last_date, n_sampled, error_low, error_high, n, share from pgscore_bi.error_distribution
            where model_name = $1 and model_version = $2 order by error_low nulls first, error_high nulls last limit 30`,
    parameters: [MODEL, VERSION],
  },
  fit: {
    text: `select first_date, last_date, n_sampled, predicted_low, predicted_high, actual_low, actual_high, n from pgscore_bi.predicted_vs_actual
            where model_name = $1 and model_version = $2 order by predicted_low nulls first, actual_low nulls first limit 700`,
    parameters: [MODEL, VERSION],
  },
  events: {
    text: `select "time", text, tags from pgscore_bi.model_events where tags = concat_ws(',', 'pgscore', split_part(tags, ',', 2), $1::text) order by "time" desc limit 100`,
    parameters: [MODEL],
  },
  refreshes: {
    text: `select started_at, labels_changed, pairs_removed, pairs_added, runs_seen, duration_ms from pgscore_bi.refresh_log order by started_at desc limit 20`,
    parameters: [],
  },
  runs: {
    text: `select ${SHOWN_OF_RUNS} from pgscore.runs where not of_watch order by run desc limit 25`,
    parameters: [],
  },
  'model-runs': {
    text: `select ${SHOWN_OF_RUNS} from pgscore.runs where not of_watch and ${OF_MODEL} order by run desc limit 25`,
    parameters: [MODEL],
  },
  watches: {
    text: `select model, source, target, capture, state, pending, rows_scored, error_code, error, remedy,
            round(extract(epoch from clock_timestamp() - oldest_pending), 1)::float8 as oldest_seconds,
            extract(epoch from delay_p50)::float8 as delay_p50_seconds, extract(epoch from delay_p95)::float8 as delay_p95_seconds,
            extract(epoch from poll_every)::float8 as poll_seconds
             from pgscore.watches order by error is null, target, model limit 200`,
    parameters: [],
  },
  schedules: {
    text: `select name, cron, time_zone, model, source, target, state, last_fire_at, last_outcome, last_run, last_error, owner, next_fire_at from pgscore.schedules order by name limit 100`,
    parameters: [],
  },
  alerts: {
    text: `select a.model_name, a.model_version, a.alert, a.metric, a.grain, a.column_name, a.state, a.is_raised, a.severity, a.since, a.value, a.lower_threshold, a.upper_threshold, a.threshold, a.direction, a.n, a.window_date
             from pgscore_bi.alerts a order by a.is_raised desc, a.since desc nulls last, a.model_name, a.alert limit 500`,
    parameters: [],
    optional: true,
  },
  'alert-history': {
    text: `select a.event_at, a.model_name, a.model_version, a.alert, a.event, a.reason, a.severity, a.metric, a.column_name, a.value, a.lower_threshold, a.upper_threshold, a.n, a.window_date
             from pgscore_bi.alert_history a where a.model_name = $1 order by a.event_at desc limit 50`,
    parameters: [MODEL],
    optional: true,
  },
  ...estimates(),
  ...ROLLOUT_QUERIES,
  ...features(),
};
