import { type Kind, type Task, isFloat, type Signature } from '../inference/signature.ts';
import { PgscoreError } from '../errors.ts';
import type { ObservedOutput } from '../inference/outputs.ts';
import { producerBehind, type Outline } from '../onnx/outline.ts';
import type { SampleValues } from './sample-runs.ts';

/** What becomes of a NULL in a float feature: as the graph handles it, always a bad row, or always NaN. */
type NullRule = 'auto' | 'error' | 'nan';

/** What whoever deploys a model may say about it; all that is left out is found in the file. */
export type CheckOptions = {
  /** Names of the columns, in the order of training. */
  features?: readonly string[] | undefined;
  nulls?: NullRule | undefined;
  /** Feature name -> the value that stands in for NULL. */
  nullValues?: Readonly<Record<string, number | string | boolean>> | undefined;
  task?: Task | Kind | undefined;
  /** In the order of the probability columns. */
  classLabels?: readonly string[] | undefined;
  /** Names of the values of a row, in their order, of a model that gives several. */
  targets?: readonly string[] | undefined;
  positiveClass?: string | undefined;
  threshold?: number | undefined;
  /** The numbers of a classifier are logits or log-probabilities. */
  logits?: boolean | undefined;
};

/** The half of a signature that says what the outputs mean. */
export type OutputMeaning = Pick<
  Signature,
  'task' | 'kind' | 'outputs' | 'classLabels' | 'positiveClass' | 'threshold' | 'valueNames' | 'scoreValue' | 'ownLabel'
>;

/** What is known when the meaning of the outputs is checked. */
export type Evidence = {
  readonly outline: Outline;
  readonly observed: readonly ObservedOutput[];
  /** As the model or the deployer names them; [] where nobody does. */
  readonly classLabels: readonly string[];
  readonly options: CheckOptions;
  readonly values: SampleValues;
};

/** What may follow the last activation of a network, or the choice of a label. */
const PASSES_ON = new Set(['Identity', 'Reshape', 'Squeeze', 'Flatten', 'Cast']);

/** The operator that an output ends in. */
export function endingOf(outline: Outline, output: string): string | undefined {
  return producerBehind(outline, output, PASSES_ON)?.op;
}

export function floatOutputs(observed: readonly ObservedOutput[]): ObservedOutput[] {
  return observed.filter(({ type }) => isFloat(type));
}

/** The floats; where there are none, the whole numbers. */
export function numberOutputs(observed: readonly ObservedOutput[]): ObservedOutput[] {
  const floats = floatOutputs(observed);
  return floats.length > 0 ? floats : observed.filter(({ type }) => type === 'int64' || type === 'int32');
}

/**
 * The output that has one number a row, where the others that have more are states of a network, such as hidden layers and
 * attention. Undefined where there are no others, or where they may be the numbers of classes.
 */
export function besideStates(
  { outline, options: { task, logits } }: Pick<Evidence, 'outline' | 'options'>,
  numbers: readonly ObservedOutput[],
): ObservedOutput | undefined {
  const [value, second] = numbers.filter(({ width }) => width === 1);
  const mayBeClasses = ({ name, width, rank }: ObservedOutput): boolean =>
    width > 1 && rank <= 1 && (logits === true || endingOf(outline, name)?.endsWith('Softmax') === true);
  if (numbers.length === 1 || second !== undefined) return undefined;
  return task === 'regression' || !numbers.some(mayBeClasses) ? value : undefined;
}

export function listed(observed: readonly ObservedOutput[]): string {
  const outputs = observed.map(({ name, type, width }) => `'${name}' (${type}, ${width} a row)`);
  return `the model returns ${outputs.length === 0 ? 'nothing that can be read' : outputs.join(', ')}`;
}

/** @throws PgscoreError model_options_wrong */
export function checkThreshold(threshold: number | undefined): void {
  if (threshold === undefined || (threshold >= 0 && threshold <= 1)) return;
  throw wrongOption(`the threshold ${threshold} is not between 0 and 1`);
}

export function wrongOption(message: string, remedy = 'Leave the option out, or correct it.'): PgscoreError {
  return new PgscoreError('model_options_wrong', message, { remedy });
}
