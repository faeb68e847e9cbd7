import type { Row } from './api.ts';
import { decimal, percent } from './format.ts';

/** Which values are the good ones; of some, none is. */
type Better = 'higher' | 'lower' | 'zero' | 'neither';

/** A column of the performance views that can be plotted. */
export type Metric = {
  readonly column: string;
  readonly title: string;
  readonly low?: string;
  readonly high?: string;
  readonly share?: true;
  readonly better: Better;
};

/** With fewer labels a month says little. */
export const ENOUGH = 30;

/** How a prediction is judged; `unjudged`: by no label, as a vector or a cluster. It has no metric. */
export type Task = 'binary' | 'multiclass' | 'regression' | 'unjudged';

/** What a metric is of: a prediction of a task, or a quantile. */
export type Judged = Task | 'quantile';

function share(column: string, title: string, stem?: string, better: Better = 'higher'): Metric {
  const interval = stem === undefined ? {} : { low: `${stem}_ci_low`, high: `${stem}_ci_high` };
  return { column, title, ...interval, share: true, better };
}

function plain(column: string, title: string, better: Better, interval = false): Metric {
  return { column, title, better, ...(interval ? { low: `${column}_ci_low`, high: `${column}_ci_high` } : {}) };
}

/** By task; the first is what is shown unless asked otherwise, and what a verdict is about. */
export const METRICS: Readonly<Record<Judged, readonly Metric[]>> = {
  binary: [
    share('accuracy', 'Accuracy', 'accuracy'),
    plain('roc_auc', 'ROC AUC', 'higher', true),
    share('f1_score', 'F1', 'f1'),
    share('precision_score', 'Precision', 'precision'),
    share('recall_score', 'Recall', 'recall'),
    share('specificity', 'Specificity'),
    share('balanced_accuracy', 'Balanced accuracy'),
    plain('average_precision', 'Average precision', 'higher'),
    plain('mcc', 'MCC', 'higher'),
    plain('brier_score', 'Brier score', 'lower'),
    plain('log_loss', 'Log loss', 'lower'),
    plain('ece', 'Calibration error', 'lower'),
    share('positive_rate_actual', 'Actual positive rate', undefined, 'neither'),
    share('positive_rate_predicted', 'Predicted positive rate', undefined, 'neither'),
  ],
  multiclass: [
    share('accuracy', 'Accuracy', 'accuracy'),
    share('macro_f1', 'Macro F1'),
    share('weighted_f1', 'Weighted F1'),
    share('macro_precision', 'Macro precision'),
    share('macro_recall', 'Macro recall'),
    plain('mcc', 'MCC', 'higher'),
    plain('macro_roc_auc', 'Macro ROC AUC', 'higher'),
    share('top_2_accuracy', 'Right among two'),
    plain('cohen_kappa', 'Cohen kappa', 'higher'),
    plain('log_loss', 'Log loss', 'lower'),
  ],
  regression: [
    plain('mae', 'Mean absolute error', 'lower', true),
    plain('rmse', 'RMSE', 'lower', true),
    plain('bias', 'Bias', 'zero'),
    plain('r2', 'R²', 'higher'),
    plain('explained_variance', 'Explained variance', 'higher'),
    plain('max_abs_error', 'Greatest error', 'lower'),
    share('mape', 'MAPE', undefined, 'lower'),
    share('wape', 'WAPE', undefined, 'lower'),
    plain('median_abs_error', 'Median absolute error', 'lower'),
    plain('p90_abs_error', '90 % of errors below', 'lower'),
  ],
  quantile: [
    plain('pinball_loss', 'Pinball loss', 'lower'),
    share('coverage', 'Coverage', 'coverage', 'neither'),
    plain('bias', 'Bias', 'neither'),
  ],
  unjudged: [],
};

/** What each value of models that give several is judged as. */
const JUDGED_AS: Readonly<Record<string, Task>> = { multi_target: 'regression', multilabel: 'binary' };
const TASKS = ['binary', 'multiclass', 'regression'] as const;

export function taskOf(text: string): Task | undefined {
  return TASKS.find((task) => task === text) ?? JUDGED_AS[text];
}

export function metricOf(task: Judged, column: string | undefined): Metric {
  const [first, ...others] = METRICS[task];
  const found = [first, ...others].find((metric) => metric?.column === column) ?? first;
  if (found === undefined) throw new Error(`no metric of ${task}`);
  return found;
}

/** The metric that is looked at, or else the first one, among those that rows judge; undefined where they judge none. */
export function judgedMetric(rows: readonly Row[], task: Task, wanted: string | undefined): Metric | undefined {
  const judged = METRICS[task].filter(({ column }) => rows.some((row) => row['metric'] === column));
  return judged.find(({ column }) => column === metricOf(task, wanted).column) ?? judged[0];
}

/** Of a metric by which versions are compared. */
export function titleOf(task: Task, metric: string): string {
  const title = METRICS[task].find(({ column }) => column === metric)?.title;
  return title ?? (metric === 'mse' ? 'Squared error' : metric);
}

export function write(metric: Pick<Metric, 'share'>, value: number | null): string {
  return metric.share === true ? percent(value) : decimal(value);
}

const DIRECTIONS: Readonly<Record<Better, string>> = {
  higher: 'higher is better',
  lower: 'lower is better',
  zero: '0 is best',
  neither: 'neither way is better',
};

/** Errors of a regression are in the unit of what it predicts; other metrics have none. */
const IN_UNITS = ['mae', 'rmse', 'bias', 'max_abs_error', 'median_abs_error', 'p90_abs_error', 'pinball_loss'];

/** Which way is good, and in what it is measured. */
export function readingOf({ column, better }: Metric): string {
  return `${DIRECTIONS[better]}${IN_UNITS.includes(column) ? ', in units of the prediction' : ''}`;
}
