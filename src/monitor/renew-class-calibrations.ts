import { statement, type Queryable } from '../postgres/statement.ts';
import { mulberry32 } from '../lib/random.ts';
import { classBins } from './class-bins.ts';
import { learnedShares, setCalibration } from './renew-calibrations.ts';
import { ScoreBins } from './score-bins.ts';
import { emptyHistogram, type ScoreHistogram } from './score-histogram.ts';

/** Labels of a class, and of others, from which it is learned what its probabilities mean. */
const LEAST = 10;

/** The labelled history of a version of three or more classes on mature days before a month. */
type History = {
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

const claimCalibration = statement<[], History>(
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
    const [history] = await claimCalibration(client);
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
  { n_classes: count, classes, bins, totals, positives }: History,
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
