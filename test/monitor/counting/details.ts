import type { Client } from 'pg';
import { differingCurves, differingDistributions } from './curve-details.ts';
import {
  byWindow,
  isLabeled,
  isPositive,
  type Labeled,
  type Numbers,
  type Row,
  rowsOf,
  saidPositive,
  SEGMENTLESS,
  share,
  sumOf,
  unlike,
} from './detail-rows.ts';
import type { Judged } from './judge.ts';
import { type Grain, GRAINS } from './local-windows.ts';
import type { Settings } from './record.ts';
import type { ModelHistory } from './model-history.ts';
import type { SlowRecord } from './slow-record.ts';
import { type Task, TRUTHS, type Watched } from './watched.ts';

const SUFFIXES = { day: 'daily', week: 'weekly', month: 'monthly' } as const;

/**
 * What views of metrics, curves, distributions and comparisons say, against the raw record by textbook formulas. Returns
 * what differs.
 */
export async function differingDetails(
  analyst: Client,
  { model, record, settings, isDropped }: ModelHistory<SlowRecord>,
): Promise<string[]> {
  const judged = record.judged(settings, Date.now());
  // A dropped version is compared with none, and labels of sealed days may be forgotten.
  const isCompared = !isDropped && record.settled.length === 0;
  const differing = isCompared ? await differingComparison(analyst, model, judged) : [];
  for (const grain of GRAINS) differing.push(...(await differingMetrics(analyst, model, judged, grain, settings)));
  if (model.task === 'binary') {
    differing.push(...(await differingCurves(analyst, model, judged, settings)));
    // Forgotten predictions stay in distributions.
    if (!record.isForgetting) differing.push(...(await differingDistributions(analyst, model, judged, settings)));
  }
  return differing;
}

async function differingMetrics(
  analyst: Client,
  model: Watched,
  judged: readonly Judged[],
  grain: Grain,
  settings: Settings,
): Promise<string[]> {
  const view = `${model.task}_performance_${SUFFIXES[grain]}`;
  const rows = await rowsOf(analyst, view, model, SEGMENTLESS);
  const differing: string[] = [];
  for (const [window, labeled] of byWindow(judged.filter(isLabeled), grain, settings)) {
    const [row] = rows.get(window) ?? [];
    const where = `${view} ${window}`;
    differing.push(...unlike(where, row, METRICS[model.task](labeled)));
    if (model.task === 'binary') differing.push(...unlikeArea(where, row, labeled));
  }
  return differing;
}

const METRICS: Readonly<Record<Task, (labeled: readonly Labeled[]) => Numbers>> = { binary, multiclass, regression };

const LEAST = 2.220446049250313e-16;

function binary(labeled: readonly Labeled[]): Numbers {
  const n = labeled.length;
  const tp = sumOf(labeled, (each) => Number(isPositive(each) && saidPositive(each)));
  const [positives, said] = [
    sumOf(labeled, (each) => Number(isPositive(each))),
    sumOf(labeled, (each) => Number(saidPositive(each))),
  ];
  const tn = n - positives - said + tp;
  const [fp, fn] = [said - tp, positives - tp];
  const product = positives * said * (n - positives) * (n - said);
  const chance = (positives * said + (n - positives) * (n - said)) / n ** 2;
  const [recall, specificity] = [share(tp, positives), share(tn, n - positives)];
  return {
    precision_score: share(tp, said),
    recall_score: recall,
    specificity,
    f1_score: share(2 * tp, positives + said),
    mcc: product === 0 ? null : (tp * tn - fp * fn) / Math.sqrt(product),
    cohen_kappa: chance === 1 ? null : ((tp + tn) / n - chance) / (1 - chance),
    brier_score: sumOf(labeled, (each) => (each.prediction.score - Number(isPositive(each))) ** 2) / n,
    log_loss: sumOf(labeled, logLoss) / n,
    positive_rate_predicted: said / n,
    positive_rate_actual: positives / n,
    ...(recall === null || specificity === null ? {} : { balanced_accuracy: (recall + specificity) / 2 }),
  };
}

function logLoss(each: Labeled): number {
  const { score } = each.prediction;
  return -Math.log(Math.min(1 - LEAST, Math.max(LEAST, isPositive(each) ? score : 1 - score)));
}

/** The area under the ROC curve pair by pair lies within the bound that the view gives for its bins. */
function unlikeArea(where: string, row: Row | undefined, labeled: readonly Labeled[]): string[] {
  const exact = areaOf(labeled);
  const { roc_auc: area, roc_auc_error_bound: bound } = row ?? {};
  if (exact === null || area === null)
    return exact === area ? [] : [`${where} roc_auc: ${JSON.stringify(area)}, not ${exact}`];
  const isNear = Math.abs(Number(area) - exact) <= Number(bound) + 1e-9;
  return isNear ? [] : [`${where} roc_auc: ${Number(area)} within ${Number(bound)}, not ${exact}`];
}

function areaOf(labeled: readonly Labeled[]): number | null {
  const [positives, negatives] = [labeled.filter(isPositive), labeled.filter((each) => !isPositive(each))];
  if (positives.length === 0 || negatives.length === 0) return null;
  const wins = sumOf(positives, (one) =>
    sumOf(negatives, (other) => (Math.sign(one.prediction.score - other.prediction.score) + 1) / 2),
  );
  return wins / positives.length / negatives.length;
}

function multiclass(labeled: readonly Labeled[]): Numbers {
  const n = labeled.length;
  const classes = TRUTHS.multiclass.map((name) => {
    const hits = sumOf(labeled, ({ prediction, truth }) => Number(truth === name && prediction.label === name));
    const support = sumOf(labeled, ({ truth }) => Number(truth === name));
    const said = sumOf(labeled, ({ prediction }) => Number(prediction.label === name));
    return { hits, support, said };
  });
  const hits = classes.reduce((total, each) => total + each.hits, 0);
  const total = (of: (each: { support: number; said: number }) => number): number =>
    classes.reduce((sum, each) => sum + of(each), 0);
  const squares = (n ** 2 - total(({ said }) => said ** 2)) * (n ** 2 - total(({ support }) => support ** 2));
  const chance = total(({ said, support }) => said * support);
  return {
    accuracy: hits / n,
    macro_precision: meanOf(classes.map((each) => share(each.hits, each.said))),
    macro_recall: meanOf(classes.map((each) => share(each.hits, each.support))),
    macro_f1: meanOf(classes.map((each) => share(2 * each.hits, each.said + each.support))),
    mcc: squares === 0 ? null : (n * hits - chance) / Math.sqrt(squares),
    cohen_kappa: chance === n ** 2 ? null : (n * hits - chance) / (n ** 2 - chance),
  };
}

function meanOf(values: readonly (number | null)[]): number | null {
  const defined = values.flatMap((value) => (value === null ? [] : [value]));
  return share(
    defined.reduce((total, value) => total + value, 0),
    defined.length,
  );
}

function regression(labeled: readonly Labeled[]): Numbers {
  const n = labeled.length;
  const errors = labeled.map(({ prediction, truth }) => prediction.score - Number(truth));
  const truths = labeled.map(({ truth }) => Number(truth));
  const mean = truths.reduce((total, truth) => total + truth, 0) / n;
  const spread = truths.reduce((total, truth) => total + (truth - mean) ** 2, 0);
  const squares = errors.reduce((total, error) => total + error ** 2, 0);
  const absolute = errors.reduce((total, error) => total + Math.abs(error), 0);
  return {
    r2: spread === 0 ? null : 1 - squares / spread,
    mape: errors.reduce((total, error, at) => total + Math.abs(error / (truths[at] ?? 0)), 0) / n,
    wape: share(
      absolute,
      truths.reduce((total, truth) => total + Math.abs(truth), 0),
    ),
    actual_mean: mean,
  };
}

/** Version 2 with version 1, over the labels that judge both. */
async function differingComparison(analyst: Client, model: Watched, judged: readonly Judged[]): Promise<string[]> {
  const labeled = judged.filter(isLabeled);
  const labelOf = ({ prediction, knownAt }: Labeled): string => `${prediction.entity} ${knownAt}`;
  const of = (version: number): Labeled[] => labeled.filter(({ prediction }) => prediction.version === version);
  const [olderLabels, newerLabels] = [new Set(of(1).map(labelOf)), new Set(of(2).map(labelOf))];
  const older = of(1).filter((each) => newerLabels.has(labelOf(each)));
  const newer = of(2).filter((each) => olderLabels.has(labelOf(each)));
  const read = `select * from pgscore_bi.version_comparison where model_name = $1 and model_version = 2 and other_version = 1 and compared_with = 'predecessor'`;
  const { rows } = await analyst.query<Row>(read, [model.name]);
  const differing = rows.length === 0 ? ['version_comparison has no row'] : [];
  for (const row of rows) {
    const metric = String(row['metric']);
    if (metric === 'roc_auc') continue;
    const [one, other] = [valueOf(model.task, metric, newer), valueOf(model.task, metric, older)];
    const counted = metric === 'accuracy' || metric === 'mae' ? { n_a: newer.length, n_b: older.length } : {};
    const wanted = {
      value_a: one,
      value_b: other,
      difference: one === null || other === null ? null : one - other,
      ...counted,
    };
    differing.push(...unlike(`version_comparison ${metric}`, row, wanted));
  }
  return differing;
}

function valueOf(task: Task, metric: string, labeled: readonly Labeled[]): number | null {
  const n = labeled.length;
  if (n === 0) return null;
  if (metric === 'accuracy') return sumOf(labeled, ({ prediction, truth }) => Number(prediction.label === truth)) / n;
  const error = ({ prediction, truth }: Labeled): number => prediction.score - Number(truth);
  if (metric === 'mae') return sumOf(labeled, (each) => Math.abs(error(each))) / n;
  if (metric === 'rmse') return Math.sqrt(sumOf(labeled, (each) => error(each) ** 2) / n);
  return METRICS[task](labeled)[metric] ?? null;
}
