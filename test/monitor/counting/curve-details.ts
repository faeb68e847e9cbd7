import type { Client } from 'pg';
import {
  byWindow,
  isLabeled,
  isPositive,
  type Labeled,
  type Numbers,
  type Row,
  rowsOf,
  SEGMENTLESS,
  share,
  sumOf,
  unlike,
} from './detail-rows.ts';
import type { Judged } from './judge.ts';
import type { Settings } from './record.ts';
import type { Watched } from './watched.ts';

export async function differingCurves(
  analyst: Client,
  model: Watched,
  judged: readonly Judged[],
  settings: Settings,
): Promise<string[]> {
  const thresholds = await rowsOf(analyst, 'threshold_curve', model, SEGMENTLESS);
  const tenths = await rowsOf(analyst, 'reliability_curve', model, SEGMENTLESS);
  const differing: string[] = [];
  for (const [month, labeled] of byWindow(judged.filter(isLabeled), 'month', settings)) {
    const points = thresholds.get(month) ?? [];
    if (points.length !== 100) differing.push(`threshold_curve ${month} has ${points.length} points`);
    for (const point of points)
      differing.push(
        ...unlike(
          `threshold_curve ${month} ${String(point['threshold'])}`,
          point,
          atThreshold(labeled, Number(point['threshold'])),
        ),
      );
    const bins = tenths.get(month) ?? [];
    if (bins.reduce((total, bin) => total + Number(bin['n']), 0) !== labeled.length)
      differing.push(`reliability_curve ${month} has other rows`);
    for (const bin of bins)
      differing.push(
        ...unlike(
          `reliability_curve ${month} ${String(bin['bin_low'])}`,
          bin,
          inTenth(labeled, Number(bin['bin_low'])),
        ),
      );
  }
  return differing;
}

function atThreshold(labeled: readonly Labeled[], threshold: number): Numbers {
  const said = labeled.filter(({ prediction }) => prediction.score >= threshold);
  const [tp, positives] = [said.filter(isPositive).length, labeled.filter(isPositive).length];
  return {
    n_predicted_positive: said.length,
    true_positive_rate: share(tp, positives),
    false_positive_rate: share(said.length - tp, labeled.length - positives),
    precision_score: share(tp, said.length),
    f1_score: share(2 * tp, said.length + positives),
  };
}

/** A tenth begins with its edge; the last has both. */
function inTenth(labeled: readonly Labeled[], low: number): Numbers {
  const tenth = Math.round(low * 10);
  const within = labeled.filter(({ prediction }) => Math.min(9, Math.floor(prediction.score * 10 + 1e-9)) === tenth);
  const n = within.length;
  return {
    n,
    mean_score: share(
      sumOf(within, ({ prediction }) => prediction.score),
      n,
    ),
    observed_rate: share(within.filter(isPositive).length, n),
  };
}

const OUTCOMES: Readonly<Record<string, (each: Judged) => boolean>> = {
  all: () => true,
  positive: (each) => isLabeled(each) && isPositive(each),
  negative: (each) => isLabeled(each) && !isPositive(each),
};

export async function differingDistributions(
  analyst: Client,
  model: Watched,
  judged: readonly Judged[],
  settings: Settings,
): Promise<string[]> {
  const days = await rowsOf(analyst, 'score_distribution_daily', model, SEGMENTLESS);
  const differing: string[] = [];
  for (const [day, predicted] of byWindow(judged, 'day', settings)) {
    for (const [outcome, belongs] of Object.entries(OUTCOMES)) {
      const among = predicted.filter(belongs).map(({ prediction }) => prediction.score);
      const bins = (days.get(day) ?? []).filter((bin) => bin['outcome'] === outcome);
      differing.push(...unlikeBins(`score_distribution_daily ${day} ${outcome}`, bins, among));
    }
  }
  return differing;
}

/** Each bin has as many as lie in it; a score at an edge is in one of both bins. */
function unlikeBins(where: string, bins: readonly Row[], scores: readonly number[]): string[] {
  const total = bins.reduce((sum, bin) => sum + Number(bin['n']), 0);
  const wrong = bins.flatMap((bin) => {
    const [low, high, n] = [Number(bin['bin_low']), Number(bin['bin_high']), Number(bin['n'])];
    const least = scores.filter((score) => score > low && score < high).length;
    const most = scores.filter((score) => score >= low && score <= high).length;
    return n >= least && n <= most ? [] : [`${where} ${low} to ${high}: ${n}, not ${least} to ${most}`];
  });
  return total === scores.length ? wrong : [...wrong, `${where}: ${total}, not ${scores.length}`];
}
