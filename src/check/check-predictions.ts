import { PgscoreError } from '../errors.ts';
import { runFailure } from '../inference/ort-errors.ts';
import { numbersOfRows, type Predictions } from '../inference/predictions.ts';
import { LOGITS } from './logits.ts';
import { LABEL_BESIDE, LABELS_ALONE } from './margins.ts';
import { hasOwnLabel, type Signature } from '../inference/signature.ts';
import type { GraphSession } from '../inference/graph-session.ts';
import { labelReader } from '../inference/outputs.ts';
import { batchOfRows, type JsonRow } from '../inference/json-rows.ts';
import { ModelSession } from '../inference/session.ts';

/** float32 rounding of a sum of probabilities. */
const SLACK = 1e-4;

/**
 * Checks what a model says of the samples: a finite number for one at least, probabilities between 0 and 1. Rows that the
 * model refuses are no fault: the samples are made up.
 * @throws PgscoreError model_output_nan, model_output_not_probability, model_class_labels_wrong
 */
export function checkPredictions(signature: Signature, predictions: Predictions, warnings: string[]): void {
  const rows = numbersOfRows(predictions);
  if (rows.length === 0) throw nothingScored(predictions);
  if (signature.task === 'multilabel') return checkLabels(signature, rows);
  if (predictions.probabilities === null) return;
  const outside = rows.flat().find(isOutside);
  if (outside !== undefined) throw notProbability(signature.outputs, outside);
  const sums = rows.map((row) => row.reduce((sum, value) => sum + value, 0));
  const worst = sums.find((sum) => Math.abs(sum - 1) > 100 * SLACK);
  if (worst !== undefined && signature.activation !== undefined) throw notAlong(signature, worst);
  if (worst !== undefined) {
    warnings.push(
      `the class probabilities of a row add up to ${worst.toFixed(3)}, not to 1: is it a multi-label model?`,
    );
  }
}

function notAlong({ outputs, activation }: Signature, sum: number): PgscoreError {
  return new PgscoreError(
    'model_outputs_unsupported',
    `the ${activation} of the logits adds up to ${sum} in a row: '${outputs.probabilities?.name}' is not one row of classes each`,
    { remedy: 'Export the logits as [rows, classes].' },
  );
}

/** Probabilities of several labels need not add up to 1; labels are 0 or 1. */
function checkLabels({ outputs, valueNames = [] }: Signature, rows: readonly number[][]): void {
  const outside = outputs.values && rows.flatMap((row) => row.slice(0, valueNames.length)).find(isOutside);
  if (outside !== undefined) {
    throw new PgscoreError(
      'model_output_not_probability',
      `output '${outputs.values?.[0]?.name ?? ''}' returned ${outside}, which is no probability of a label`,
      { remedy: "Export probabilities, or name the numbers as they are: task => 'multi_target' with targets." },
    );
  }
  const strange = rows.flatMap((row) => row.slice(valueNames.length)).find((value) => value !== 0 && value !== 1);
  if (strange === undefined) return;
  throw new PgscoreError(
    'model_outputs_unsupported',
    `a label of several is 0 or 1, and the model returned ${strange}`,
    {
      remedy: 'Export one model for each label that has more than two classes.',
    },
  );
}

/** The signature without the numbers of a multilabel model that are no probabilities, where it returns its labels beside them. */
export function withoutMargins(signature: Signature, predictions: Predictions, warnings: string[]): Signature {
  const { task, outputs, valueNames = [], threshold } = signature;
  const { label, values } = outputs;
  if (task !== 'multilabel' || label === undefined || values === undefined || threshold !== undefined) return signature;
  if (!numbersOfRows(predictions).some((row) => row.slice(0, valueNames.length).some(isOutside))) return signature;
  warnings.push(
    `output '${values[0]?.name ?? ''}' holds no probabilities: predictions are the labels alone, which expect shows to be right or wrong`,
  );
  return { ...signature, outputs: { label } };
}

function isOutside(probability: number): boolean {
  return probability < -SLACK || probability > 1 + SLACK;
}

function nothingScored({ errors, rows }: Predictions): PgscoreError {
  const reasons = [...errors.values()];
  const stranger = reasons.find(({ code }) => code === 'unknown_label');
  if (stranger !== undefined) {
    return new PgscoreError('model_class_labels_wrong', stranger.message, {
      remedy: 'Give all class labels as the model returns them: `list(model.classes_)`.',
    });
  }
  const refused = reasons.find(({ code }) => code === 'refused_by_model');
  if (refused !== undefined) {
    return runFailure(new Error(refused.message));
  }
  return new PgscoreError('model_output_nan', `the model returned no finite number for any of ${rows} plain rows`, {
    remedy: 'Check the export: compare onnxruntime in Python with the framework on a few rows of the training data.',
  });
}

function notProbability({ probabilities, label }: Signature['outputs'], value: number): PgscoreError {
  return new PgscoreError(
    'model_output_not_probability',
    `output '${probabilities?.name ?? ''}' returned ${value}, which is no probability: it looks like logits or a decision function`,
    {
      remedy:
        label === undefined
          ? `Deploy it with ${LOGITS}. Of a margin, as of a hinge loss, return the label beside it: ${LABEL_BESIDE}. Where the number is the prediction itself: task => 'regression'.`
          : `Deploy it with ${LOGITS}. Else export probabilities: end a network with Softmax or Sigmoid, wrap another classifier in CalibratedClassifierCV; or ${LABELS_ALONE}.`,
    },
  );
}

/**
 * Compares the labels that the model returns with the more probable class. They may differ where the framework decides
 * otherwise (an SVM does); they may not be other names.
 * @throws PgscoreError model_class_labels_wrong
 */
export async function checkOwnLabels(
  graph: GraphSession,
  signature: Signature,
  samples: readonly JsonRow[],
  predictions: Predictions,
  warnings: string[],
): Promise<void> {
  const { label, probabilities } = signature.outputs;
  if (label === undefined || probabilities === undefined) return;
  const { classLabels } = signature;
  const labels = new ModelSession(graph, { ...signature, outputs: { label } }, labelReader(classLabels, true));
  const { batch } = batchOfRows(signature.features, samples);
  const own = await labels.predict(batch);
  const isUnknown = [...own.errors.values()].some(({ code }) => code === 'unknown_label');
  if (isUnknown) throw otherLabels(label.name, classLabels, 'returned a label that is none of');
  const compared = samples.map((_, row) => row).filter((row) => !own.errors.has(row) && !predictions.errors.has(row));
  const said = compared.map((row) => own.label?.[row] ?? -1);
  if (label.type !== 'string' && !classLabels.some((name) => /^-?\d+$/.test(name)))
    checkPositions(signature, said, compared, predictions, warnings);
  const differing = compared.filter((row, at) => said[at] !== likeliest(predictions, row));
  if (differing.length === 0) return;
  const taken = hasOwnLabel(signature)
    ? `predictions take '${label.name}'; with a threshold they take the label by probability`
    : 'predictions take the label by probability';
  warnings.push(
    `output '${label.name}' differs from the more probable class in ${differing.length} of ${samples.length} sample rows; ${taken}`,
  );
}

/** Of labels that name classes by position. `rows` have the labels `said`. */
function checkPositions(
  signature: Signature,
  said: readonly number[],
  rows: readonly number[],
  predictions: Predictions,
  warnings: string[],
): void {
  const { classLabels, outputs } = signature;
  const name = outputs.label?.name ?? '';
  if (areOtherPositions(said, rows, predictions))
    throw otherLabels(name, classLabels, 'returned positions that contradict the probabilities of');
  const [first] = said;
  if (first === undefined || said.some((one) => one !== first) || !hasOwnLabel(signature)) return;
  warnings.push(
    `output '${name}' is '${classLabels[first]}' in all sample rows, which do not show the order of the class labels; rows with expect do`,
  );
}

/**
 * Whether labels that name classes by position must mean other positions. Of two classes the model may have a threshold of its own, but
 * rows of the second class have the higher probabilities of it. Of more classes most rows have the likeliest.
 */
function areOtherPositions(said: readonly number[], rows: readonly number[], predictions: Predictions): boolean {
  const { probabilities } = predictions;
  const classes = (probabilities?.length ?? 0) / predictions.rows;
  if (classes > 2)
    return 2 * said.filter((one, at) => one !== likeliest(predictions, rows[at] ?? 0)).length > said.length;
  const ofSecond = (label: number): number[] =>
    rows.filter((_, at) => said[at] === label).map((row) => probabilities?.[row * classes + 1] ?? Number.NaN);
  const [first, second] = [ofSecond(0), ofSecond(1)];
  return first.length > 0 && second.length > 0 && Math.min(...first) > Math.max(...second);
}

function otherLabels(output: string, classLabels: readonly string[], problem: string): PgscoreError {
  return new PgscoreError('model_class_labels_wrong', `output '${output}' ${problem} ${classLabels.join(', ')}`, {
    remedy: 'Give the class labels as the model returns them, in the order of its probability columns.',
  });
}

/** The first of the most probable classes. */
function likeliest({ probabilities, rows }: Predictions, row: number): number {
  const classes = (probabilities?.length ?? 0) / rows;
  const own = [...(probabilities?.subarray(row * classes, (row + 1) * classes) ?? [])];
  return own.indexOf(Math.max(...own));
}
