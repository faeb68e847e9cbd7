import type { ScoreBins } from './score-bins.ts';

/** The probabilities of more classes are counted for nobody: a row would fall into too many cells. */
export const MOST_CLASSES = 50;

/** Of probabilities of three or more classes a bin is four of the others, as pgscore_data.class_bin has it. */
export function classBins(bins: ScoreBins): ScoreBins {
  return bins.coarser(4);
}
