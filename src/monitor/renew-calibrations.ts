import { statement, type Queryable } from '../postgres/statement.ts';
import { mulberry32 } from '../lib/random.ts';
import { isotonicShares, dealt, needsCalibration, emptyHistogram, type ScoreHistogram } from './calibration.ts';
import { ScoreBins, classBins } from './score-bins.ts';

/** Labels of a class, and of others, from which it is learned what its probabilities mean. */
const LEAST = 10;

/** The labelled history of a version on mature days before a month, by class and bin. */
type History = {
  version_id: number | null;
  month: string;
  n: string;
  n_positive: string;
  last_day: string;
  /** Null of a binary classifier, whose scores are those of one class. */
  n_classes: number | null;
  classes: number[];
  bins: number[];
  totals: string[];
  positives: string[];
};

const claimCalibration = statement<[], History>(
  'claim_calibration',
  `select version_id, month::text, n, n_positive, last_day::text, n_classes, classes::int[], bins::int[], totals::text[], positives::text[]
     from pgscore_data._claim_calibration()`,
);

const setCalibration = statement<
  [
    version: number,
    month: string,
    n: string,
    nPositive: string,
    lastDay: string,
    shares: (number | null)[] | null,
    state: string,
  ]
>('set_calibration', 'select pgscore_data._set_calibration($1, $2, $3, $4, $5, $6, $7)');

/**
 * Learns anew what the scores of versions mean, month by month from the labels before it, where these have changed by a tenth
 * since; little work where there is none. Of three or more classes the probability of each is learned by itself, the class
 * against the others. Scores are taken as they are where labels are too few, or where calibrating them would make them no truer.
 */
export async function renewCalibrations(client: Queryable, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    const [history] = await claimCalibration(client);
    if (history === undefined || history.version_id === null) return;
    const { version_id: version, month, n, n_positive: nPositive, last_day: lastDay } = history;
    const bins = await ScoreBins.load(client);
    const { middles } = history.n_classes === null ? bins : classBins(bins);
    const random = mulberry32(version);
    const classes = histogramsOf(history, middles.length).map((histogram) => {
      if (!isEnough(histogram)) return { state: 'too_few_labels', shares: null };
      if (!needsCalibration(dealt(histogram, random), middles)) return { state: 'not_needed', shares: null };
      return { state: 'isotonic', shares: [...isotonicShares(histogram, middles)] };
    });
    const state = ['isotonic', 'not_needed'].find((one) => classes.some((learned) => learned.state === one));
    const shares = classes.flatMap((learned) => learned.shares ?? Array.from(middles, () => null));
    const learned = state === 'isotonic' ? shares : null;
    await setCalibration(client, version, month, n, nPositive, lastDay, learned, state ?? 'too_few_labels');
  }
}

function isEnough({ positives, negatives }: ScoreHistogram): boolean {
  return [positives, negatives].every((counts) => counts.reduce((sum, n) => sum + n, 0) >= LEAST);
}

function histogramsOf(
  { n_classes: count, classes, bins, totals, positives }: History,
  width: number,
): ScoreHistogram[] {
  const histograms = Array.from({ length: count ?? 1 }, () => emptyHistogram(width));
  for (const [index, classIndex] of classes.entries()) {
    const [histogram, bin] = [histograms[classIndex], bins[index] ?? 0];
    if (histogram === undefined) continue;
    histogram.positives[bin] = Number(positives[index]);
    histogram.negatives[bin] = Number(totals[index]) - Number(positives[index]);
  }
  return histograms;
}
