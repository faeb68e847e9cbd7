import type { Signature } from '../inference/signature.ts';

/** What a compiled function may answer: a double precision, the index of a class label, an array of probabilities. */
export type Part = 'score' | 'label' | 'probabilities';

/** What of a version is compiled. Label and probabilities of a binary model follow from its score. */
export function partsOf({ task, outputs }: Signature): Part[] {
  if (task === 'regression') return ['score'];
  if (outputs.probabilities === undefined) return ['label'];
  return task === 'binary' ? ['score'] : ['label', 'probabilities'];
}
