import type { ObservedOutput } from '../inference/outputs.ts';
import { isFloat, type Signature } from '../inference/signature.ts';
import { producerBehind, type Outline } from '../onnx/outline.ts';
import type { CheckOptions } from './options.ts';
import type { SampleValues } from './sample-runs.ts';

/** The half of a signature that says what the outputs mean. */
export type OutputMeaning = Pick<
  Signature,
  'task' | 'kind' | 'outputs' | 'classLabels' | 'positiveClass' | 'threshold' | 'valueNames' | 'scoreValue' | 'ownLabel'
>;

/** What is known of a model when it is decided what its outputs mean. */
export type Evidence = {
  readonly outline: Outline;
  readonly observed: readonly ObservedOutput[];
  readonly options: CheckOptions;
  readonly values: SampleValues;
};

/** The same with the class labels as the model or the deployer names them; [] where nobody does. */
export type LabelledEvidence = Evidence & { readonly classLabels: readonly string[] };

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
export function valueBesideStates(
  { outline, options: { task, logits } }: Pick<Evidence, 'outline' | 'options'>,
  numbers: readonly ObservedOutput[],
): ObservedOutput | undefined {
  const [value, second] = numbers.filter(({ width }) => width === 1);
  const mayBeClasses = ({ name, width, rank }: ObservedOutput): boolean =>
    width > 1 && rank <= 1 && (logits === true || endingOf(outline, name)?.endsWith('Softmax') === true);
  if (numbers.length === 1 || second !== undefined) return undefined;
  return task === 'regression' || !numbers.some(mayBeClasses) ? value : undefined;
}

export function listOutputs(observed: readonly ObservedOutput[]): string {
  const outputs = observed.map(({ name, type, width }) => `'${name}' (${type}, ${width} a row)`);
  return `the model returns ${outputs.length === 0 ? 'nothing that can be read' : outputs.join(', ')}`;
}
