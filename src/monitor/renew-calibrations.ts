import { statement, type Queryable } from '../postgres/statement.ts';
import { mulberry32, type Random } from '../lib/random.ts';
import { isotonicShares, dealt, needsCalibration, emptyHistogram, type ScoreHistogram } from './calibration.ts';
import { ScoreBins, classBins } from './score-bins.ts';

/** The labelled history of a version on mature days before a month. */
type History = {
  version_id: number | null;
  month: string;
  n: string;
  n_positive: string;
  last_day: string;
  bins: number[];
  totals: string[];
  positives: string[];
};

const claimCalibration = statement<[], History>(
  'claim_calibration',
  `select version_id, month::text, n, n_positive, last_day::text, bins::int[], totals::text[], positives::text[]
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
 * since; little work where there is none. Scores are taken as they are where calibrating them would make them no truer.
 */
export async function renewCalibrations(client: Queryable, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    const [history] = await claimCalibration(client);
    if (history === undefined || history.version_id === null) return;
    const { version_id: version, month, n, n_positive: nPositive, last_day: lastDay } = history;
    const { middles } = await ScoreBins.load(client);
    const histogram = histogramOf(history, middles.length);
    const shares = learnedShares(histogram, middles, mulberry32(version));
    const state = shares === null ? 'not_needed' : 'isotonic';
    await setCalibration(client, version, month, n, nPositive, lastDay, shares, state);
  }
}

/** The share of positives to expect in each bin; null where scores are no truer for it than taken at their word. */
function learnedShares(histogram: ScoreHistogram, middles: Float64Array, random: Random): number[] | null {
  return needsCalibration(dealt(histogram, random), middles) ? [...isotonicShares(histogram, middles)] : null;
}

function histogramOf({ bins, totals, positives }: History, count: number): ScoreHistogram {
  const histogram = emptyHistogram(count);
  for (const [index, bin] of bins.entries()) {
    histogram.positives[bin] = Number(positives[index]);
    histogram.negatives[bin] = Number(totals[index]) - Number(positives[index]);
  }
  return histogram;
}

/** Labels of a class, and of others, from which it is learned what its probabilities mean. */
const LEAST = 10;

/** The labelled history of a version of three or more classes on mature days before a month. */
type ClassHistory = {
  version_id: number | null;
  month: string;
  n: string;
  n_right: string;
  last_day: string;
  n_classes: number;
  classes: number[];
  bins: number[];
  totals: string[];
  positives: string[];
};

const claimClassCalibration = statement<[], ClassHistory>(
  'claim_class_calibration',
  `select version_id, month::text, n, n_right, last_day::text, n_classes, classes::int[], bins::int[], totals::text[], positives::text[]
     from pgscore_data._claim_class_calibration()`,
);

/**
 * As `renewCalibrations`, of versions of three or more classes: what the probability of each class means is learned by itself,
 * the class against the others. A class of too few labels, or one that calibrating would make no truer, is taken at its word.
 */
export async function renewClassCalibrations(client: Queryable, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    const [history] = await claimClassCalibration(client);
    if (history === undefined || history.version_id === null) return;
    const { version_id: version, month, n, n_right: nRight, last_day: lastDay } = history;
    const { middles } = classBins(await ScoreBins.load(client));
    const enough = histogramsOf(history, middles.length).map((one) => (isEnough(one) ? one : undefined));
    const random = mulberry32(version);
    const learned = enough.map((one) => (one === undefined ? null : learnedShares(one, middles, random)));
    const state = enough.every((one) => one === undefined) ? 'too_few_labels' : 'not_needed';
    const shares = learned.flatMap((one) => one ?? Array.from(middles, () => null));
    if (learned.every((one) => one === null))
      await setCalibration(client, version, month, n, nRight, lastDay, null, state);
    else await setCalibration(client, version, month, n, nRight, lastDay, shares, 'isotonic');
  }
}

function isEnough({ positives, negatives }: ScoreHistogram): boolean {
  return [positives, negatives].every((counts) => counts.reduce((sum, n) => sum + n, 0) >= LEAST);
}

function histogramsOf(
  { n_classes: count, classes, bins, totals, positives }: ClassHistory,
  width: number,
): ScoreHistogram[] {
  const histograms = Array.from({ length: count }, () => emptyHistogram(width));
  for (const [index, place] of classes.entries()) {
    const [histogram, bin] = [histograms[place], bins[index] ?? 0];
    if (histogram === undefined) continue;
    histogram.positives[bin] = Number(positives[index]);
    histogram.negatives[bin] = Number(totals[index]) - Number(positives[index]);
  }
  return histograms;
}
