import type { Signature } from '../model/signature.ts';

/** What a version says of one row; null where it has nothing to say. */
export type NativeAnswer = {
  readonly score: number | null;
  readonly label: number | null;
  readonly probabilities: readonly number[] | null;
};

export function firstDifference(
  _signature: Signature,
  reference: readonly NativeAnswer[],
  native: readonly NativeAnswer[],
): string | undefined {
  for (const [i, a] of reference.entries()) {
    const b = native[i]!;
    if (a.score !== null && !(Math.abs(a.score - (b.score ?? 1e300)) <= 1e-5 * Math.max(1, Math.abs(a.score)))) return `row ${i}: ${a.score} ${b.score}`;
  }
  return undefined;
}
