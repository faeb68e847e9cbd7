import { MODEL, MONTH, VERSION, type PageQuery } from './page-query.ts';

const OF_MONTH = 'where model_name = $1 and model_version = $2 and window_date = $3::date and segment_key is null';

/** Questions about models that give several values a row: targets, labels or quantiles. */
export const TARGET_QUERIES: Readonly<Record<string, PageQuery>> = {
  targets: {
    text: `select n.name as target, n.quantile
             from pgscore_data.version_value n join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id)
            where m.name = $1 and v.number = $2 order by n.place limit 500`,
    parameters: [MODEL, VERSION],
  },
  'targets-regression': {
    text: `select target, quantile, n_labeled, mae, mae_ci_low, mae_ci_high, rmse, r2, pinball_loss, coverage, coverage_ci_low, coverage_ci_high
             from pgscore_bi.regression_performance_monthly ${OF_MONTH} and target is not null limit 500`,
    parameters: [MODEL, VERSION, MONTH],
  },
  'targets-binary': {
    text: `select target, n_labeled, accuracy, accuracy_ci_low, accuracy_ci_high, precision_score, recall_score, f1_score, roc_auc
             from pgscore_bi.binary_performance_monthly ${OF_MONTH} and target is not null limit 500`,
    parameters: [MODEL, VERSION, MONTH],
  },
  'subset-accuracy': {
    text: `select subset_accuracy, subset_accuracy_ci_low, subset_accuracy_ci_high from pgscore_bi.multilabel_performance_monthly ${OF_MONTH} limit 1`,
    parameters: [MODEL, VERSION, MONTH],
  },
};
