import { PgscoreError } from '../errors.ts';
import { numbersOfRows, type Predictions } from '../inference/predictions.ts';
import type { Signature, ValueOutput } from '../inference/signature.ts';
import { withActivation } from '../onnx/activation.ts';
import type { Normalised } from '../onnx/normalise.ts';
import { endingOf } from './output-evidence.ts';

/** A remedy for a model whose numbers are no probabilities. */
export const LOGITS = 'logits => true (--logits) where the numbers are logits, or log-probabilities of all classes';

/** Operators after which a number is a probability. */
const PROBABILITY_OPERATORS: ReadonlySet<string> = new Set(['Sigmoid', 'HardSigmoid', 'Softmax']);

type Activated = { readonly model: Normalised; readonly signature: Signature };

/**
 * Makes a model that returns logits or log-probabilities one that returns probabilities. A single number a row gets a sigmoid,
 * several get a softmax, which gives the same for log-probabilities. scikit-learn returns m and -m for two classes: each gets
 * a sigmoid. `returned`: the predictions of the samples.
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
  const numbers = numbersOfRows(returned);
  refuseProbabilities(model, name, width > 1 && areProbabilities(numbers));
  const activation = width === 1 || areMirrored(numbers) ? 'sigmoid' : 'softmax';
  const changed = withActivation(model, name, activation);
  const outputs = { ...signature.outputs, probabilities: { name: changed.output, width } };
  return { model: changed.model, signature: { ...signature, activation, outputs } };
}

/** Refuses numbers that end in a sigmoid or a softmax, or that look so. */
function refuseProbabilities({ outline }: Normalised, output: string, lookSo: boolean): void {
  if (!lookSo && !PROBABILITY_OPERATORS.has(endingOf(outline, output) ?? '')) return;
  throw new PgscoreError('model_options_wrong', 'the model returns probabilities already', {
    remedy: 'Leave logits out.',
  });
}

/** Each of several labels has a logit of its own. */
function sigmoids(model: Normalised, signature: Signature, matrix: ValueOutput): Activated {
  const changed = withActivation(model, matrix.name, 'sigmoid');
  const outputs = { ...signature.outputs, values: [{ ...matrix, name: changed.output }] };
  return { model: changed.model, signature: { ...signature, activation: 'sigmoid', outputs } };
}

/** Whether two columns are m and -m in all rows, and not 0. */
function areMirrored(rows: readonly number[][]): boolean {
  return (
    rows.every(([first = 0, second = 0, ...others]) => others.length === 0 && first === -second) &&
    rows.some(([first]) => first !== 0)
  );
}

/** Whether the numbers of every row are probabilities of classes, which add up to 1. */
function areProbabilities(rows: readonly number[][]): boolean {
  return (
    rows.length > 1 &&
    rows.every((row) => row.every((x) => x >= 0) && Math.abs(row.reduce((sum, x) => sum + x, 0) - 1) < 1e-4)
  );
}
