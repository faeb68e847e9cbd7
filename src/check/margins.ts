import { PgscoreError } from '../errors.ts';
import { indexesOf, type ObservedOutput } from '../inference/outputs.ts';
import type { Margins } from '../inference/signature.ts';
import { floatsOf } from '../onnx/attributes.ts';
import { producerBehind, type Outline } from '../onnx/outline.ts';
import type { SampleValues } from './sample-runs.ts';

/** How a classifier without probabilities is deployed. */
export const LABELS_ALONE = 'deploy the labels alone, `del m.graph.output[1:]` before onnx.save(), with class_labels';

/** How a network says that its numbers are margins. */
export const LABEL_BESIDE =
  '`return (margin > 0).long(), margin`, or of several classes `return margins.argmax(dim=1), margins`';

/** Says of a model that is no classifier and no regression what it is. */
export const UNSUPERVISED = "task => 'clustering' (KMeans, mixtures) or 'anomaly' (IsolationForest, OneClassSVM)";

/** Rounding of float32 sums. */
const SLACK = 1e-4;
/** Margins of an SVM are votes and a part of one: where votes tie, as far from all support vectors, the label is the first class. */
const TIED_VOTES = 2 / 3;

type Classifier = {
  readonly outline: Outline;
  readonly values: SampleValues;
  readonly label: ObservedOutput;
  readonly numbers: ObservedOutput;
  readonly classLabels: readonly string[];
  readonly positiveClass: string | undefined;
};

/** Whether the numbers of a classifier are of pairs of classes, as of an SVC with decision_function_shape='ovo'. */
export function arePairs(outline: Outline, output: string, classes: number): boolean {
  return classes > 2 && isPlainSvm(outline, output);
}

/** Whether they come straight from an SVM that was trained without probabilities. */
function isPlainSvm(outline: Outline, output: string): boolean {
  const node = producerBehind(outline, output, new Set(['Identity', 'Cast', 'Mul', 'Neg']));
  return node?.op === 'SVMClassifier' && floatsOf(node, 'prob_a').length === 0;
}

/**
 * The numbers beside the labels, if they are decision scores: those of a plain SVM, or some outside of [0, 1] for the samples.
 * Their direction is learned from the labels: skl2onnx exports a binary SVC with the signs exchanged.
 * @throws PgscoreError model_outputs_unclear where the labels do not follow them
 */
export function marginsOf(classifier: Classifier): Margins | undefined {
  const { outline, values, label, numbers, classLabels, positiveClass = '' } = classifier;
  const rows = (values.get(numbers.name) ?? []).map((row) => row.map(Number));
  if (!isPlainSvm(outline, numbers.name) && rows.flat().every((x) => x >= -SLACK && x <= 1 + SLACK)) return undefined;
  const labels = indexesIn(values.get(label.name) ?? [], classLabels);
  const { name, width } = numbers;
  if (classLabels.length > 2) {
    const slack = outline.nodes.some(({ op }) => op === 'SVMClassifier') ? TIED_VOTES : 0;
    if (2 * count(rows, (row, at) => (row[labels[at] ?? -1] ?? NaN) >= Math.max(...row) - slack) >= rows.length)
      return { name, width, unit: 'margin' };
    throw unclear(name);
  }
  return binaryMargins(numbers, rows, labels, classLabels.indexOf(positiveClass));
}

function binaryMargins(
  { name, width }: ObservedOutput,
  rows: readonly number[][],
  labels: readonly number[],
  positive: number,
): Margins {
  const column = width === 1 ? 0 : positive;
  const sign = directionOf(
    rows.map((row) => row[column] ?? 0),
    labels.map((one) => one === positive),
    // One number is of the second class, as decision_function() has it.
    width === 1 && positive === 0 ? -1 : 1,
  );
  if (sign === undefined) throw unclear(name);
  return { name, width, unit: 'margin', column, sign };
}

/** 1 where positive rows have the higher numbers, -1 where they have the lower ones. Where all are 0, `whenZero` is returned. */
function directionOf(numbers: readonly number[], positive: readonly boolean[], whenZero: 1 | -1): 1 | -1 | undefined {
  const agreeing = count(numbers, (x, row) => x !== 0 && x > 0 === positive[row]);
  const against = count(numbers, (x, row) => x !== 0 && x < 0 === positive[row]);
  if (agreeing === 0 && against === 0) return whenZero;
  if (agreeing === 0) return -1;
  if (against === 0) return 1;
  const [yes, no] = [numbers.filter((_, row) => positive[row]), numbers.filter((_, row) => positive[row] !== true)];
  if (Math.min(...yes) >= Math.max(...no)) return 1;
  return Math.max(...yes) <= Math.min(...no) ? -1 : undefined;
}

function count<Item>(items: readonly Item[], matches: (item: Item, at: number) => boolean): number {
  return items.filter((item, at) => matches(item, at)).length;
}

/** Where the labels that the samples had stand among the classes. */
function indexesIn(said: readonly (readonly unknown[])[], classLabels: readonly string[]): number[] {
  const indexes = indexesOf(classLabels, true);
  const labels = said.map(([label]) => indexes.get(label) ?? -1);
  if (!labels.includes(-1)) return labels;
  const other = String(said[labels.indexOf(-1)]?.[0]);
  throw new PgscoreError(
    'model_class_labels_wrong',
    `the model returns the label '${other}', which is none of ${classLabels.join(', ')}`,
    {
      remedy: 'Name the labels as the model returns them, in the order of model.classes_.',
    },
  );
}

function unclear(output: string): PgscoreError {
  return new PgscoreError(
    'model_outputs_unclear',
    `the labels do not follow from '${output}', which holds no probabilities: what it means is not clear`,
    { remedy: `Where it learned from no labels: ${UNSUPERVISED}. Where the labels are enough, ${LABELS_ALONE}.` },
  );
}
