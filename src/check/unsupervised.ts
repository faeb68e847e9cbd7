import { PgscoreError } from '../errors.ts';
import type { ObservedOutput } from '../inference/outputs.ts';
import type { Kind, Margins } from '../inference/signature.ts';
import type { Outline } from '../onnx/outline.ts';
import { endingOf, floatOutputs, type LabelledEvidence, listOutputs, type OutputMeaning } from './output-evidence.ts';

/** scikit-learn's labels of anomaly detection, in the order of the class labels. */
const NORMAL = '1';
const ANOMALY = '-1';

type Pair = { readonly label: ObservedOutput; readonly numbers: readonly ObservedOutput[] };

/**
 * What the outputs of a clustering or an anomaly detection mean; undefined for other models. Where the deployer does not say, it is found where
 * the model names no classes and its labels are those of the graph's own arithmetic.
 * @throws PgscoreError model_outputs_unclear, model_options_wrong
 */
export function unsupervisedMeaning(evidence: LabelledEvidence): OutputMeaning | undefined {
  const { task } = evidence.options;
  const pair = labelAndNumbers(evidence);
  const isAsked = task === 'clustering' || task === 'anomaly';
  const meaning = isAsked ? askedMeaning(evidence, task, pair) : foundMeaning(evidence, pair);
  if (meaning !== undefined) refuseDecision(evidence, meaning.kind);
  return meaning;
}

function askedMeaning(evidence: LabelledEvidence, task: Kind, pair: Pair | undefined): OutputMeaning {
  if (pair === undefined) throw lacksLabel(evidence, task);
  const read = task === 'anomaly' ? anomalyMeaning : clusteringMeaning;
  const meaning = read(evidence, pair);
  if (meaning === undefined) throw unclear(task);
  return meaning;
}

function foundMeaning(evidence: LabelledEvidence, pair: Pair | undefined): OutputMeaning | undefined {
  if (pair === undefined || evidence.options.task !== undefined || evidence.classLabels.length > 0) return undefined;
  return anomalyMeaning(evidence, pair) ?? clusteringMeaning(evidence, pair);
}

function labelAndNumbers({ observed }: LabelledEvidence): Pair | undefined {
  const label = observed.find(({ type, width }) => type.startsWith('int') && width === 1);
  const numbers = floatOutputs(observed);
  return label && numbers.length > 0 ? { label, numbers } : undefined;
}

const REASONS: Readonly<Record<Kind, string>> = {
  clustering: 'the label is the position of neither the least nor the largest of as many numbers as there are clusters',
  anomaly: 'the label is not -1 where the number is below 0 and 1 elsewhere',
};

/** Labels -1 and 1, and a decision function that is below 0 where the label is -1. */
function anomalyMeaning(
  { values, classLabels }: LabelledEvidence,
  { label, numbers }: Pair,
): OutputMeaning | undefined {
  const labels = wholes(values.get(label.name));
  const follows = ({ name, width }: ObservedOutput): boolean => {
    const decision = (values.get(name) ?? []).map(([number]) => Number(number));
    return width === 1 && decision.every((x, row) => x === 0 || labels[row] === (x < 0 ? ANOMALY : NORMAL));
  };
  const decision = numbers.find(follows);
  const isNamed = classLabels.length > 0 && classLabels.toSorted().join() !== [ANOMALY, NORMAL].join();
  if (decision === undefined || isNamed || labels.length === 0) return undefined;
  if (!labels.every((said) => said === ANOMALY || said === NORMAL)) return undefined;
  const margins: Margins = { name: decision.name, width: 1, unit: 'anomaly', column: 0, sign: -1 };
  return {
    task: 'binary',
    kind: 'anomaly',
    classLabels: [NORMAL, ANOMALY],
    positiveClass: ANOMALY,
    outputs: { label: { name: label.name, type: label.type }, margins },
  };
}

/** The label is the position of the least distance, or of the largest share. */
function clusteringMeaning(evidence: LabelledEvidence, { label, numbers }: Pair): OutputMeaning | undefined {
  const { values, options, classLabels, outline } = evidence;
  const labels = wholes(values.get(label.name));
  const fits = (output: ObservedOutput, best: (...row: number[]) => number): boolean =>
    output.width > 1 && matrix(evidence, output).every((row, at) => row[Number(labels[at])] === best(...row));
  const distances = numbers.find((output) => fits(output, Math.min));
  const shares = numbers.find((output) => fits(output, Math.max) && areShares(matrix(evidence, output)));
  const found = distances ?? shares;
  if (found === undefined || labels.length === 0) return undefined;
  const unit = distances === undefined ? 'share' : 'distance';
  if (options.task === undefined && !isClustering(outline, label.name, unit)) return undefined;
  const names = classLabels.length > 0 ? [...classLabels] : Array.from({ length: found.width }, (_, at) => String(at));
  return {
    task: 'multiclass',
    kind: 'clustering',
    classLabels: names,
    outputs: { label: { name: label.name, type: label.type }, margins: { name: found.name, width: found.width, unit } },
  };
}

/** As skl2onnx writes KMeans and mixtures: the label is the ArgMin or ArgMax itself, and not picked from class names. */
function isClustering(outline: Outline, label: string, unit: 'share' | 'distance'): boolean {
  const op = endingOf(outline, label);
  return unit === 'distance'
    ? op === 'ArgMin'
    : op === 'ArgMax' && outline.nodes.some((node) => node.op === 'ReduceLogSumExp');
}

function areShares(rows: readonly number[][]): boolean {
  return rows.every(
    (row) => row.every((x) => x >= 0 && x <= 1.0001) && Math.abs(row.reduce((sum, x) => sum + x, 0) - 1) < 0.01,
  );
}

function matrix({ values }: LabelledEvidence, { name }: ObservedOutput): number[][] {
  return (values.get(name) ?? []).map((row) => row.map(Number));
}

function wholes(values: readonly (readonly unknown[])[] = []): string[] {
  return values.map(([value]) => String(value));
}

function refuseDecision({ options }: LabelledEvidence, kind: Kind | undefined): void {
  if (options.positiveClass === undefined && options.threshold === undefined && options.logits !== true) return;
  throw new PgscoreError('model_options_wrong', `of a model of ${kind} the label is its own`, {
    remedy: 'Leave positive_class, threshold and logits out.',
  });
}

/** How a network returns the label, too. */
const LABELLED: Readonly<Record<Kind, string>> = {
  clustering: '`return distances.argmin(dim=1), distances`, or `return shares.argmax(dim=1), shares`',
  anomaly: '`return torch.where(below < 0, -1, 1), below`, where `below = limit - error`',
};

function lacksLabel({ observed }: LabelledEvidence, asked: Kind): PgscoreError {
  return new PgscoreError(
    'model_outputs_unclear',
    `task '${asked}' takes a whole-number label and numbers beside it; ${listOutputs(observed)}`,
    {
      remedy: `Return the label beside the numbers: ${LABELLED[asked]}. Else leave task out: the numbers are predictions by themselves.`,
    },
  );
}

function unclear(asked: Kind): PgscoreError {
  return new PgscoreError('model_outputs_unclear', `this is no ${asked} that pgscore can read: ${REASONS[asked]}`, {
    remedy: "Export label and number as skl2onnx does, or name what it is: class_labels, or task => 'regression'.",
  });
}
