import { type Feature, GIVES, valuesWidth, type Signature } from './signature.ts';

/** What a model says of n rows. */
export type Predictions = {
  readonly rows: number;
  /**
   * Binary: P(positive class). Multiclass: the probability of the predicted label. Regression: the value. Quantiles: the
   * middle one. NaN where the row has no prediction, where a classifier returns labels only, and of a model with several
   * targets or labels. Without probabilities the margin of the positive class, or of the predicted label. Float32 outputs are widened, not rounded.
   */
  readonly score: Float64Array;
  /** Index into the class labels, -1 where the row has no prediction; null for a regression, and where there are values. */
  readonly label: Int32Array | null;
  /** [rows, classes], row-major, in the order of the class labels; null where the model returns none. */
  readonly probabilities: Float64Array | null;
  /** [rows, valuesWidth()], row-major, of a model with several values a row; undefined for any other. */
  readonly values?: Float64Array | undefined;
  /** [rows, classes], as `probabilities`, of a model that gives margins, distances or shares instead. */
  readonly margins?: Float64Array;
  /** Why a row has no prediction. */
  readonly errors: Map<number, RowError>;
};

/** Predictions with nothing in them yet: every score NaN, every label -1. */
export function emptyPredictions(signature: Signature, rows: number, errors: Map<number, RowError>): Predictions {
  const { task, classLabels, outputs, valueNames } = signature;
  const filled = (width: number): Float64Array => new Float64Array(rows * width).fill(Number.NaN);
  return {
    rows,
    score: filled(1),
    label: GIVES[task].label ? new Int32Array(rows).fill(-1) : null,
    probabilities: outputs.probabilities === undefined ? null : filled(classLabels.length),
    values: valueNames === undefined ? undefined : filled(valuesWidth(signature)),
    ...(outputs.margins && { margins: filled(classLabels.length) }),
    errors,
  };
}

/** Takes back what was predicted for the rows in `errors`: they were scored with another row's values. */
export function blankErrors(predictions: Predictions): void {
  const { score, label, errors } = predictions;
  const { numbers, width } = numbersOf(predictions);
  for (const row of errors.keys()) {
    score[row] = Number.NaN;
    if (label !== null) label[row] = -1;
    numbers?.fill(Number.NaN, row * width, (row + 1) * width);
  }
}

/** Copies what is predicted for row `from` over row `to` of other predictions of the same version. */
export function copyPrediction(source: Predictions, from: number, into: Predictions, to: number): void {
  into.score[to] = source.score[from] ?? Number.NaN;
  if (into.label !== null) into.label[to] = source.label?.[from] ?? -1;
  const { numbers, width } = numbersOf(source);
  if (numbers !== null) numbersOf(into).numbers?.set(numbers.subarray(from * width, (from + 1) * width), to * width);
  const error = source.errors.get(from);
  if (error !== undefined) into.errors.set(to, error);
}

/** The numbers that a row has beside its score: its probabilities, margins or values. `width`: how many. */
export function numbersOf({ probabilities, values, margins, rows }: Predictions): {
  readonly numbers: Float64Array | null;
  readonly width: number;
} {
  const numbers = probabilities ?? values ?? margins ?? null;
  return { numbers, width: numbers === null ? 0 : numbers.length / rows };
}

/** The numbers of numbersOf() of each row that has a prediction; [] where the model gives none. */
export function numbersOfRows(predictions: Predictions): number[][] {
  const { numbers, width } = numbersOf(predictions);
  return Array.from({ length: predictions.rows }, (_, row) => row)
    .filter((row) => !predictions.errors.has(row))
    .map((row) => [...(numbers?.subarray(row * width, (row + 1) * width) ?? [])]);
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

/** `what`: NULL or NaN. */
export function nullFeature({ name }: Pick<Feature, 'name'>, what: string): RowError {
  return { code: 'null_feature', message: `${name} is ${what}`, feature: name };
}

/** @param index of the element, from 0 */
export function nullElement({ name }: Pick<Feature, 'name'>, index: number): RowError {
  return { code: 'null_feature', message: `element ${index + 1} of ${name} is NULL`, feature: name };
}

export function outOfRange({ name, type, element }: Pick<Feature, 'name' | 'type' | 'element'>): RowError {
  return { code: 'out_of_range', message: `${name} is a number that ${element ?? type} can not hold`, feature: name };
}

/** `found` and `takes` in words. */
export function wrongLength({ name }: Pick<Feature, 'name'>, found: string, takes: string): RowError {
  return { code: 'wrong_length', message: `${name} has ${found}, the model takes ${takes}`, feature: name };
}
