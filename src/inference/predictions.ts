import type { Signature } from './signature.ts';

/** What a model says of n rows. */
export type Predictions = {
  readonly rows: number;
  /**
   * Binary: P(positive class). Multiclass: the probability of the predicted label. Regression: the value. NaN where the
   * row has no prediction, and where a classifier returns labels only. Float32 outputs are widened, not rounded.
   */
  readonly score: Float64Array;
  /** Index into the class labels, -1 where the row has no prediction; null for a regression. */
  readonly label: Int32Array | null;
  /** [rows, classes], row-major, in the order of the class labels; null where the model returns none. */
  readonly probabilities: Float64Array | null;
  /** Why a row has no prediction. */
  readonly errors: Map<number, RowError>;
};

/** Predictions with nothing in them yet: every score NaN, every label -1. */
export function emptyPredictions(signature: Signature, rows: number, errors: Map<number, RowError>): Predictions {
  const { classLabels, outputs } = signature;
  return {
    rows,
    score: new Float64Array(rows).fill(Number.NaN),
    label: signature.task === 'regression' ? null : new Int32Array(rows).fill(-1),
    probabilities:
      outputs.probabilities === undefined ? null : new Float64Array(rows * classLabels.length).fill(Number.NaN),
    errors,
  };
}

/** Takes back what was predicted for the rows in `errors`: they were scored with another row's values. */
export function blankErrors({ score, label, probabilities, errors, rows }: Predictions): void {
  const classes = probabilities === null ? 0 : probabilities.length / rows;
  for (const row of errors.keys()) {
    score[row] = Number.NaN;
    if (label !== null) label[row] = -1;
    probabilities?.fill(Number.NaN, row * classes, (row + 1) * classes);
  }
}

/** Copies what is predicted for row `from` over row `to` of other predictions of the same version. */
export function copyPrediction(source: Predictions, from: number, into: Predictions, to: number): void {
  into.score[to] = source.score[from] ?? Number.NaN;
  if (into.label !== null) into.label[to] = source.label?.[from] ?? -1;
  const classes = source.probabilities === null ? 0 : source.probabilities.length / source.rows;
  const probabilities = source.probabilities?.subarray(from * classes, (from + 1) * classes);
  if (probabilities !== undefined) into.probabilities?.set(probabilities, to * classes);
  const error = source.errors.get(from);
  if (error !== undefined) into.errors.set(to, error);
}

/** Why a row has no prediction, as a stable code. */
export const ROW_ERRORS = {
  null_feature: 'a feature is NULL or NaN, and the version takes no missing value there',
  out_of_range: 'a number is past what the type of its feature can hold',
  wrong_length: 'an array has another length than the model takes',
  value_too_large: 'a text or an array is past 16 MiB',
  mistyped_value: 'an expected row of a deploy holds a value that is nothing like its feature',
  refused_by_model: 'ONNX Runtime refused the row',
  unknown_label: 'the model returned a label that it never named',
  non_finite_output: 'the model returned NaN or an infinity',
} as const satisfies Record<string, string>;

export type RowErrorCode = keyof typeof ROW_ERRORS;

/** One row that can't be scored: the reason as a code and in words, and the feature at fault where there is one. */
export type RowError = { code: RowErrorCode; message: string; feature?: string };
