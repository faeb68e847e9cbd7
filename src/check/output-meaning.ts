import { PgscoreError } from '../errors.ts';
import { type CheckOptions, checkThreshold, wrongOption } from './options.ts';
import {
  endingOf,
  floatOutputs,
  type LabelledEvidence,
  listOutputs,
  numberOutputs,
  type OutputMeaning,
  valueBesideStates,
} from './output-evidence.ts';
import { LOGITS } from './logits.ts';
import { arePairs, marginsOf, UNSUPERVISED } from './margins.ts';
import { withoutSteps } from './meaning-of-vector.ts';
import { unsupervisedMeaning } from './unsupervised.ts';
import type { ObservedOutput } from '../inference/outputs.ts';
import type { Outline } from '../onnx/outline.ts';
import { isFloat, type Margins, type Signature, type Task } from '../inference/signature.ts';

/**
 * Tells the label, the probabilities and the value of a model apart, and with them its task. Where the file leaves it
 * open, what was assumed is added to `warnings`.
 * @throws PgscoreError model_outputs_unclear, model_outputs_unsupported, model_class_labels_missing,
 *   model_class_labels_wrong, model_options_wrong
 */
export function outputMeaning(evidence: LabelledEvidence, warnings: string[]): OutputMeaning {
  const meaning = unsupervisedMeaning(evidence) ?? supervisedMeaning(evidence, warnings);
  if (evidence.options.targets !== undefined)
    throw wrongOption(`a ${meaning.kind ?? meaning.task} model has no targets: they name several values a row`);
  return meaning;
}

function supervisedMeaning(given: LabelledEvidence, warnings: string[]): OutputMeaning {
  const evidence = withoutStates(given, warnings);
  const classLabels = labelsFor(evidence, warnings);
  const task = taskOf(evidence, classLabels);
  const decision = decisionFor(task, classLabels, evidence.options);
  if (task === 'regression') return { task, classLabels: [], outputs: { value: findValue(evidence.observed) } };
  const label = evidence.observed.find(isLabel);
  const withoutProbabilities =
    label && outputsWithoutProbabilities(evidence, label, classLabels, decision.positiveClass, warnings);
  const probabilities =
    withoutProbabilities === undefined ? findProbabilities(evidence.observed, classLabels) : undefined;
  if (withoutProbabilities !== undefined && decision.threshold !== undefined)
    throw wrongOption('a model without probabilities has no threshold');
  return {
    task,
    classLabels,
    outputs: {
      ...(label === undefined ? {} : { label: { name: label.name, type: label.type } }),
      ...(probabilities === undefined ? {} : { probabilities }),
      ...withoutProbabilities,
    },
    // A vector machine of several classes takes votes of its pairs, whatever its probabilities say.
    ...(task === 'multiclass' &&
      label &&
      endingOf(evidence.outline, label.name) === 'SVMClassifier' && { ownLabel: true }),
    ...decision,
  };
}

/** Where no class is named: keeps the one number a row, and leaves out hidden states and what has a value for each token. */
function withoutStates(evidence: LabelledEvidence, warnings: string[]): LabelledEvidence {
  const { observed, classLabels, options } = evidence;
  const value = valueBesideStates(evidence, numberOutputs(observed));
  const mayBeValue = options.task === 'regression' || (options.task === undefined && !observed.some(isLabel));
  if (!mayBeValue || classLabels.length > 0) return evidence;
  if (value === undefined) return withoutTokens(evidence, warnings);
  const left = observed.filter(({ name }) => name !== value.name).map(({ name }) => `'${name}'`);
  warnings.push(`the prediction is output '${value.name}', which has one number a row; not read: ${left.join(', ')}`);
  return { ...evidence, observed: [value] };
}

function withoutTokens(evidence: LabelledEvidence, warnings: string[]): LabelledEvidence {
  if (evidence.options.task !== undefined) return evidence;
  const observed = withoutSteps(evidence.outline, evidence.observed);
  for (const output of evidence.observed) {
    if (observed.includes(output)) continue;
    warnings.push(`output '${output.name}' has a vector for each token or step, and is not read`);
  }
  return { ...evidence, observed };
}

/** The margins of a model that says labels. {} where none are one for each class; undefined where it has probabilities. */
function outputsWithoutProbabilities(
  { outline, observed, options, values }: LabelledEvidence,
  label: ObservedOutput,
  classLabels: readonly string[],
  positiveClass: string | undefined,
  warnings: string[],
): { margins?: Margins } | undefined {
  if (options.logits === true) return undefined;
  const pairs = floatOutputs(observed).find(({ name }) => arePairs(outline, name, classLabels.length));
  if (pairs !== undefined) {
    warnings.push(
      `output '${pairs.name}' has a number for each pair of classes, and is not read: the version gives labels alone`,
    );
    return {};
  }
  const found = findProbabilities(observed, classLabels);
  const numbers = observed.find(({ name }) => name === found?.name);
  const margins = numbers && marginsOf({ outline, values, label, numbers, classLabels, positiveClass });
  if (margins !== undefined && outline.nodes.some(({ op }) => op === 'LpNormalization'))
    warnings.push(
      `the margins of a row in '${margins.name}' are divided by their norm, as of an exported OneVsRestClassifier`,
    );
  return margins && { margins };
}

function isLabel(output: ObservedOutput): boolean {
  return !isFloat(output.type) && output.width === 1;
}

function taskOf({ options }: LabelledEvidence, classLabels: readonly string[]): Task {
  if (options.task === 'binary' || options.task === 'multiclass' || options.task === 'regression') return options.task;
  if (classLabels.length === 0) return 'regression';
  return classLabels.length === 2 ? 'binary' : 'multiclass';
}

/** The labels that are known, or 0, 1, … for a network that ends in a sigmoid or a softmax. */
function labelsFor({ outline, observed, classLabels, options }: LabelledEvidence, warnings: string[]): string[] {
  if (options.task === 'regression') return [];
  if (classLabels.length > 0) return [...classLabels];
  const scores = floatOutputs(observed);
  const [only] = scores;
  if (scores.length !== 1 || only === undefined || observed.some(isLabel)) return noLabelsOrRefuse(observed, options);
  if (options.task === undefined && options.logits !== true && !endsInProbabilities(outline, only)) return [];
  const labels = Array.from({ length: Math.max(2, only.width) }, (_, index) => String(index));
  warnings.push(`the model names no class labels: ${labels.join(', ')} are assumed, in the order of its columns`);
  return labels;
}

/** @throws PgscoreError model_output_not_probability */
function endsInProbabilities(outline: Outline, output: ObservedOutput): boolean {
  const ending = endingOf(outline, output.name);
  if (ending === 'LogSoftmax') throw logProbabilities(output);
  return ending === 'Softmax' || (ending === 'Sigmoid' && output.width === 1);
}

function logProbabilities({ name }: ObservedOutput): PgscoreError {
  return new PgscoreError('model_output_not_probability', `output '${name}' holds log-probabilities, of a LogSoftmax`, {
    remedy: `Deploy it with ${LOGITS}.`,
  });
}

/**
 * A label output without labels could hold anything; without one, the floats are the values of a regression.
 * @throws PgscoreError model_class_labels_missing
 */
function noLabelsOrRefuse(observed: readonly ObservedOutput[], { task }: CheckOptions): string[] {
  if (task === undefined && !observed.some(isLabel)) return [];
  const what = observed.some(isLabel)
    ? 'the model returns labels but does not name its classes'
    : `nobody names the classes: ${listOutputs(observed)}`;
  throw new PgscoreError('model_class_labels_missing', what, {
    remedy:
      "Name them in the order of the probability columns: `--class-labels no,yes` (in SQL: class_labels => '{no,yes}'). " +
      (observed.length === 1
        ? "Where the whole number is a value: task => 'regression'."
        : `Where it learned from no labels: ${UNSUPERVISED}.`),
  });
}

function findValue(observed: readonly ObservedOutput[]): { name: string } {
  const [value, second] = numberOutputs(observed);
  if (value === undefined) {
    throw new PgscoreError('model_outputs_unsupported', `a regression returns a number; ${listOutputs(observed)}`, {
      remedy: "Say what the model is: task => 'binary' or 'multiclass', with class_labels.",
    });
  }
  if (second !== undefined || value.width !== 1) {
    const single = numberOutputs(observed).filter(({ width }) => width === 1);
    const orValue = single.length === 1 ? `, task => 'regression' where '${single[0]?.name}' is the prediction` : '';
    throw new PgscoreError(
      'model_outputs_unsupported',
      `a regression returns one number a row; ${listOutputs(observed)}`,
      {
        remedy:
          "Say what they are: task => 'embedding' where they are a vector, task => 'multi_target' with targets" +
          `${orValue}, or class_labels where it is a classifier.`,
      },
    );
  }
  return { name: value.name };
}

function findProbabilities(
  observed: readonly ObservedOutput[],
  labels: readonly string[],
): { name: string; width: number } | undefined {
  const floats = floatOutputs(observed);
  const fitting = floats.filter(({ width }) => width === labels.length || (labels.length === 2 && width === 1));
  const named = fitting.filter(({ name }) => /prob/i.test(name));
  const [found, second] = named.length > 0 ? named : fitting;
  if (found !== undefined && second === undefined) return { name: found.name, width: found.width };
  if (found === undefined && floats.length === 0 && observed.some(isLabel)) return undefined;
  if (floats.length === 1) {
    throw new PgscoreError(
      'model_class_labels_wrong',
      `${labels.length} class labels do not fit: ${listOutputs(observed)}`,
      {
        remedy: 'Give one label for each probability column, in their order.',
      },
    );
  }
  throw new PgscoreError('model_outputs_unclear', `which output holds the probabilities? ${listOutputs(observed)}`, {
    remedy: "Export one matrix of probabilities: `options={'zipmap': False}` in skl2onnx.",
  });
}

/**
 * The positive class and the threshold of a binary model: the last of its two labels, unless the deployer names another, and
 * a threshold only where the deployer gives one. {} for other tasks.
 * @throws PgscoreError model_options_wrong
 */
function decisionFor(
  task: Task,
  labels: readonly string[],
  options: CheckOptions,
): Pick<Signature, 'positiveClass' | 'threshold'> {
  if (task !== 'binary') {
    if (options.positiveClass !== undefined) throw wrongOption(`a ${task} model has no positive class`);
    if (options.threshold !== undefined) throw wrongOption(`a ${task} model has no threshold`);
    return {};
  }
  const { positiveClass = labels.at(-1) ?? '', threshold } = options;
  if (labels.length !== 2) throw wrongOption(`a binary model has two classes, this one has ${labels.join(', ')}`);
  if (!labels.includes(positiveClass)) {
    throw wrongOption(`the positive class '${positiveClass}' is none of the classes ${labels.join(', ')}`);
  }
  checkThreshold(threshold);
  return threshold === undefined ? { positiveClass } : { positiveClass, threshold };
}
