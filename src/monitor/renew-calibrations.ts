import { statement, type Queryable } from '../postgres/statement.ts';
import { mulberry32, type Random } from '../lib/random.ts';
import { isotonicShares } from './isotonic.ts';
import { dealt, needsCalibration } from './needs-calibration.ts';
import { ScoreBins } from './score-bins.ts';
import { emptyHistogram, type ScoreHistogram } from './score-histogram.ts';

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

export const setCalibration = statement<
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
export function learnedShares(histogram: ScoreHistogram, middles: Float64Array, random: Random): number[] | null {
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
