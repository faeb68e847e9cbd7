/** Labelled predictions of a binary classifier by score: how many of each bin were positive and how many not. */
export type ScoreHistogram = { readonly positives: Float64Array; readonly negatives: Float64Array };

export function emptyHistogram(bins: number): ScoreHistogram {
  return { positives: new Float64Array(bins), negatives: new Float64Array(bins) };
}

/** What is in `whole` but not in `part`. */
export function without(whole: ScoreHistogram, part: ScoreHistogram): ScoreHistogram {
  return {
    positives: whole.positives.map((n, bin) => n - (part.positives[bin] ?? 0)),
    negatives: whole.negatives.map((n, bin) => n - (part.negatives[bin] ?? 0)),
  };
}

/** Area under the ROC curve of the binned scores; ties count half. NaN where a class is missing. */
export function rocAuc({ positives, negatives }: ScoreHistogram): number {
  let [won, below, found] = [0, 0, 0];
  for (const [bin, p] of positives.entries()) {
    const n = negatives[bin] ?? 0;
    won += p * (below + n / 2);
    below += n;
    found += p;
  }
  return won / (found * below);
}
