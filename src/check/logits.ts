import { PgscoreError } from '../errors.ts';
import type { Predictions } from '../inference/predictions.ts';
import type { Signature, ValueOutput } from '../inference/signature.ts';
import { withActivation } from '../onnx/activation.ts';
import type { Normalised } from '../onnx/normalise.ts';
import { producerBehind } from '../onnx/outline.ts';

/** A remedy for a model whose numbers are no probabilities. */
export const LOGITS = 'logits => true (--logits) where the numbers are logits, or log-probabilities of all classes';

/** Operators after which a number is a probability. */
const SHARES: ReadonlySet<string> = new Set(['Sigmoid', 'HardSigmoid', 'Softmax']);
const PASSED_ON: ReadonlySet<string> = new Set(['Identity', 'Reshape', 'Squeeze', 'Flatten', 'Cast']);

type Activated = { readonly model: Normalised; readonly signature: Signature };

/**
 * A model that returns logits or log-probabilities, as one that returns probabilities. One number a row gets a sigmoid, others a
 * softmax, of which a log-softmax beforehand makes no difference. scikit-learn's m and -m of two classes get a sigmoid each.
 * `returned` is what the model said of the samples.
 * @throws PgscoreError model_options_wrong
 */
export function activated(model: Normalised, signature: Signature, returned: Predictions): Activated {
  const { probabilities, values = [] } = signature.outputs;
  const [matrix] = values;
  if (signature.task === 'multilabel' && matrix !== undefined && values.length === 1 && matrix.layers === undefined)
    return sigmoids(model, signature, matrix);
  if (probabilities === undefined) {
    const of = signature.task === 'regression' ? 'a regression' : 'a model that returns labels alone';
    throw new PgscoreError('model_options_wrong', `${of} has no logits`, {
      remedy: 'Leave logits out, or name the classes in the order of the logits (class_labels).',
    });
  }
  const { name, width } = probabilities;
  refuseProbabilities(model, name, areProbabilities(returned, width));
  const activation = width === 1 || isMirrored(returned, width) ? 'sigmoid' : 'softmax';
  const changed = withActivation(model, name, activation);
  const renamed = changed.outline.outputs.at(outputPlace(model, name))?.name ?? name;
  const outputs = { ...signature.outputs, probabilities: { name: renamed, width } };
  return { model: changed, signature: { ...signature, activation, outputs } };
}

/** Refuses numbers that end in a sigmoid or a softmax, or that look so. */
function refuseProbabilities({ outline }: Normalised, output: string, lookSo: boolean): void {
  const ending = producerBehind(outline, output, PASSED_ON)?.op ?? '';
  if (!lookSo && !SHARES.has(ending)) return;
  throw new PgscoreError('model_options_wrong', 'the model returns probabilities already', {
    remedy: 'Leave logits out.',
  });
}

/** Each of several labels has a logit of its own. */
function sigmoids(model: Normalised, signature: Signature, matrix: ValueOutput): Activated {
  const changed = withActivation(model, matrix.name, 'sigmoid');
  const name = changed.outline.outputs.at(outputPlace(model, matrix.name))?.name ?? matrix.name;
  const outputs = { ...signature.outputs, values: [{ ...matrix, name }] };
  return { model: changed, signature: { ...signature, activation: 'sigmoid', outputs } };
}

function outputPlace({ outline }: Normalised, output: string): number {
  return outline.outputs.findIndex(({ name }) => name === output);
}

/** Whether two columns are m and -m in all rows, and not 0. */
function isMirrored({ probabilities, rows, errors }: Predictions, width: number): boolean {
  if (probabilities === null || width !== 2) return false;
  const scored = Array.from({ length: rows }, (_, row) => row).filter((row) => !errors.has(row));
  return (
    scored.every((row) => probabilities[2 * row] === -(probabilities[2 * row + 1] ?? 0)) &&
    scored.some((row) => probabilities[2 * row] !== 0)
  );
}

/** Whether the numbers of every row are probabilities of classes, which add up to 1. */
function areProbabilities({ probabilities, rows, errors }: Predictions, width: number): boolean {
  if (probabilities === null || width < 2) return false;
  const scored = Array.from({ length: rows }, (_, row) => row).filter((row) => !errors.has(row));
  const rowsOf = scored.map((row) => probabilities.subarray(row * width, (row + 1) * width));
  return (
    rowsOf.length > 1 &&
    rowsOf.every((of) => of.every((x) => x >= 0) && Math.abs(of.reduce((sum, x) => sum + x, 0) - 1) < 1e-4)
  );
}
