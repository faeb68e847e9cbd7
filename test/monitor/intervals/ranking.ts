/** Ranks simulated scores: AUC, and what each pair adds to it. */
import type { Ranking } from './formulas.ts';

const { max } = Math;

export type Scored = { score: number; positive: boolean; m: number };

/** In the low bits of a float64. */
const INDEX_BITS = 0xffff;

/** The indices of numbers, by their size. To sort by a function would take most of the time of a trial. */
function orderOf(numbers: readonly number[]): number[] {
  if (numbers.length > INDEX_BITS) throw new RangeError('too many numbers for their indices');
  const keys = Float64Array.from(numbers);
  const halves = new Uint32Array(keys.buffer);
  for (let index = 0; index < keys.length; index += 1)
    halves[2 * index] = ((halves[2 * index] ?? 0) & ~INDEX_BITS) | index;
  keys.sort();
  return Array.from(keys, (_, place) => (halves[2 * place] ?? 0) & INDEX_BITS);
}

/** AUC and its structural components from pairs in the order of their scores, none of which tie; and what each pair adds to it. */
export function rank(
  scored: readonly Scored[],
  effective: (part: number, positive: boolean) => number,
): Ranking & { added: number[] } {
  const order = orderOf(scored.map(({ score }) => score));
  const total = (positive: boolean): number =>
    scored.reduce((sum, one) => sum + (one.positive === positive ? one.m : 0), 0);
  const [positives, negatives] = [total(true), total(false)];
  const below = { positive: 0, negative: 0 };
  const sums = { beats: 0, beats2: 0, loses2: 0 };
  const shares: number[] = scored.map(() => 0);
  for (const index of order) {
    const one = scored[index];
    if (one === undefined) continue;
    const { positive, m } = one;
    const share = positive ? below.negative / negatives : 1 - below.positive / positives;
    if (positive) sums.beats += m * share;
    if (positive) sums.beats2 += m * share ** 2;
    else sums.loses2 += m * share ** 2;
    below[positive ? 'positive' : 'negative'] += m;
    shares[index] = share;
  }
  const auc = sums.beats / positives;
  return {
    auc,
    positives: effective(positives, true),
    negatives: effective(negatives, false),
    beatsVariance: max(0, sums.beats2 / positives - auc ** 2),
    losesVariance: max(0, sums.loses2 / negatives - auc ** 2),
    added: scored.map(
      ({ m, positive }, index) => (m * ((shares[index] ?? 0) - auc)) / (positive ? positives : negatives),
    ),
  };
}
