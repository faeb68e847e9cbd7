import type { Signature } from '../inference/signature.ts';

/** What a compiled binary model calls positive: a score that is above the limit, or no less. */
export type Decision = { readonly relation: '>' | '>='; readonly limit: number };

/**
 * The deployer's threshold; without one the more probable class, and at a tie the first, as pgscore_models._predict() has it. It is held
 * against the float32 of a score: five weights of 0.1 are 0.5 there, and as doubles are not.
 */
export function decisionOf({ classLabels, positiveClass = '', threshold }: Signature): Decision {
  if (threshold !== undefined) return { relation: '>=', limit: threshold };
  return { relation: classLabels.indexOf(positiveClass) === 0 ? '>=' : '>', limit: 0.5 };
}
