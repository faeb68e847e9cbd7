import { number, type Row, text } from './api.ts';
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

/** Whether a window's labels are few or still arriving. */
export function isImmature(row: Row): boolean {
  return row['is_mature'] !== true || (number(row, 'n_labeled') ?? 0) < ENOUGH;
}

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

/** What a label of other tasks is compared with: of models that give several values, each of them. */
const JUDGED_AS: Readonly<Record<string, Task>> = {
  multi_target: 'regression',
  quantiles: 'regression',
  multilabel: 'binary',
  anomaly: 'binary',
  clustering: 'multiclass',
};
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

/** How a segment differs from all predictions. */
export type Gap = {
  readonly key: string;
  readonly value: string;
  readonly labelled: number;
  readonly metric: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly gap: number | null;
  /** How much worse it is at least, by the nearer end of its interval; below 0, how much better; 0 where that leaves it open, or labels are few. */
  readonly worseBy: number;
};

/** The metric that is asked for, if rows have it with its interval, else the first that they have. */
export function metricBySegment(task: Task, rows: readonly Row[], asked: string | undefined): Metric | undefined {
  const bounded = METRICS[task].filter(({ low }) => low !== undefined && rows.some((row) => low in row));
  return bounded.find(({ column }) => column === asked) ?? bounded[0];
}

/**
 * Segments by how much worse they surely are than all, so that a few labels do not lead: by the end of the 95 % interval
 * that is nearer to it. Where that says nothing, by number of labels.
 */
export function gapsOf(rows: readonly Row[], metric: Metric): Gap[] {
  const all = number(
    rows.find((row) => row['segment_key'] === null),
    metric.column,
  );
  return rows
    .filter((row) => row['segment_key'] !== null)
    .map((row) => gapOf(row, metric, all))
    .toSorted((a, b) => b.worseBy - a.worseBy || b.labelled - a.labelled);
}

function gapOf(row: Row, { column, low, high, better }: Metric, all: number | null): Gap {
  const value = number(row, column);
  const [from, to] = [number(row, low ?? ''), number(row, high ?? '')];
  const labelled = number(row, 'n_labeled') ?? 0;
  const sign = better === 'higher' ? 1 : -1;
  return {
    key: text(row, 'segment_key'),
    value: text(row, 'segment_value'),
    labelled,
    metric: value,
    low: from,
    high: to,
    gap: value === null || all === null ? null : value - all,
    worseBy: all === null || labelled < ENOUGH ? 0 : sign * beyond(all, from, to),
  };
}

/** How far a value lies above an interval; below 0, how far below it. */
function beyond(value: number, low: number | null, high: number | null): number {
  if (low === null || high === null) return 0;
  if (value > high) return value - high;
  return value < low ? value - low : 0;
}

/** What a binary classifier got right and wrong. */
export type Counts = {
  readonly hits: number;
  readonly falseAlarms: number;
  readonly misses: number;
  readonly passes: number;
};

/** The counts behind a row of threshold_curve, which holds rates: everything is called positive at threshold 0. */
export function countsAt(rows: readonly Row[], threshold: number): Counts | undefined {
  const [all] = rows;
  const row = rows.find((one) => Math.abs((number(one, 'threshold') ?? -1) - threshold) < 1e-6);
  if (all === undefined || row === undefined) return undefined;
  const total = number(all, 'n_predicted_positive') ?? 0;
  const positives = Math.round((number(all, 'precision_score') ?? 0) * total);
  const called = number(row, 'n_predicted_positive') ?? 0;
  const hits = Math.round((number(row, 'true_positive_rate') ?? 0) * positives);
  const falseAlarms = called - hits;
  return { hits, falseAlarms, misses: positives - hits, passes: total - positives - falseAlarms };
}

export function ratiosOf({ hits, falseAlarms, misses, passes }: Counts) {
  const ratio = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
  return {
    precision: ratio(hits, hits + falseAlarms),
    recall: ratio(hits, hits + misses),
    f1: ratio(2 * hits, 2 * hits + falseAlarms + misses),
    accuracy: ratio(hits + passes, hits + falseAlarms + misses + passes),
    called: hits + falseAlarms,
  };
}
