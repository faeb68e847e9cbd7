import { PgscoreError } from '../errors.ts';
import { type CheckOptions, checkThreshold, wrongOption } from './options.ts';
import {
  endingOf,
  type Evidence,
  floatOutputs,
  listOutputs,
  numberOutputs,
  type OutputMeaning,
  valueBesideStates,
} from './output-evidence.ts';
import type { ObservedOutput } from '../inference/outputs.ts';
import { isValueTask, type ValueOutput, type ValueTask } from '../inference/signature.ts';
import { CLASS_LABELS_KEY, checkNames, metadataNames } from './names.ts';
import { isPlainlyVector, meaningOfVector, withoutSteps } from './meaning-of-vector.ts';

/** Metadata of the ONNX file that names the values of a row. */
const TARGETS_KEY = 'pgscore.targets';
const CODE = 'model_options_wrong';
/** Numbers a row that are taken for targets without being asked for: more are rather a vector. */
const MOST_ASSUMED = 64;
/** A table has 1600 columns at most. */
const MOST_COLUMNS = 1000;
const LONGEST_COLUMN = 63;
/** Columns that every target has beside its values, and those that PostgreSQL gives every table. */
const TAKEN = [
  'score',
  'label',
  'probabilities',
  'error_code',
  'model_version',
  'run_id',
  'event_time',
  'scored_at',
  'generation',
  'tableoid',
  'ctid',
  'xmin',
  'xmax',
  'cmin',
  'cmax',
];

/**
 * What the outputs of a model mean that gives several values a row; undefined for any other. Where the file leaves it open,
 * what was assumed is added to `warnings`. `classLabels` is called only where they decide: a file with several labels holds the
 * classes of each of them.
 * @throws PgscoreError model_options_wrong, model_outputs_unsupported
 */
export function meaningOfValues(
  given: Evidence,
  classLabels: () => readonly string[],
  warnings: string[],
): OutputMeaning | undefined {
  const { outline, observed, options } = given;
  const evidence = options.task === undefined ? { ...given, observed: withoutSteps(outline, observed) } : given;
  const task = isVector(evidence) ? 'embedding' : valueTaskOf(evidence, classLabels);
  if (task === undefined) return undefined;
  checkOptions(task, options);
  if (task === 'embedding') return meaningOfVector(observed);
  if (task === 'multilabel') return multilabel(evidence, warnings);
  return task === 'quantiles' ? quantiles(evidence, warnings) : targets(evidence, warnings);
}

/** Whether the outputs are called so, and nobody says that they are anything else. */
function isVector({ observed, options: { task, classLabels, targets: named, logits } }: Evidence): boolean {
  const isAny = task === undefined && classLabels === undefined && named === undefined && logits !== true;
  return isAny && isPlainlyVector(observed);
}

function valueTaskOf(evidence: Evidence, classLabels: () => readonly string[]): ValueTask | undefined {
  const { outline, observed, options } = evidence;
  const { task } = options;
  if (task !== undefined) return isValueTask(task) ? task : undefined;
  if (observed.some((output) => isLabelMatrix(output) || output.layers !== undefined)) return 'multilabel';
  const floats = floatOutputs(observed);
  const numbers = floats.reduce((sum, { width }) => sum + width, 0);
  if (floats.length < observed.length || numbers < 2 || options.logits === true) return undefined;
  const endings = floats.map(({ name }) => endingOf(outline, name));
  if (endings.every((op) => op === 'Sigmoid')) return 'multilabel';
  if (namesOf(evidence, TARGETS_KEY, options.targets) !== undefined) return 'multi_target';
  return mayBeTargets(evidence, floats) && classLabels().length === 0 ? 'multi_target' : undefined;
}

/** Whether floats are taken for targets without being asked for: neither a long vector, nor classes, nor states of a network. */
function mayBeTargets(evidence: Evidence, floats: readonly ObservedOutput[]): boolean {
  const numbers = floats.reduce((sum, { width }) => sum + width, 0);
  const areClasses = floats.some(({ name }) => endingOf(evidence.outline, name)?.endsWith('Softmax'));
  return numbers <= MOST_ASSUMED && !areClasses && valueBesideStates(evidence, floats) === undefined;
}

/** Whole numbers, several a row: the labels of a multilabel model. */
function isLabelMatrix({ type, width }: ObservedOutput): boolean {
  return width > 1 && (type === 'int64' || type === 'int32' || type === 'bool');
}

function checkOptions(
  task: ValueTask,
  { positiveClass, threshold, classLabels, logits, targets: named }: CheckOptions,
): void {
  if (positiveClass !== undefined) throw wrongOption(`a ${task} model has no positive class`);
  if (task === 'multilabel') {
    return checkThreshold(threshold);
  }
  if (logits === true) throw wrongOption(`a ${task} model has no logits`);
  if (threshold !== undefined) throw wrongOption(`a ${task} model has no threshold`);
  if (classLabels !== undefined)
    throw wrongOption(`a ${task} model has no class labels: name its values, targets => '{…}'`);
  if (task === 'embedding' && named !== undefined) throw wrongOption('the numbers of an embedding have no names');
}

function targets(evidence: Evidence, warnings: string[]): OutputMeaning {
  const { observed, options } = evidence;
  const read = numbersIn(observed);
  const count = read.reduce((sum, { width }) => sum + width, 0);
  const named = namesOf(evidence, TARGETS_KEY, options.targets) ?? ownNames(read);
  const valueNames = named ?? Array.from({ length: count }, (_, index) => `target_${index + 1}`);
  if (named === undefined) {
    warnings.push(
      `the model returns ${count} numbers a row and names none: ${shown(valueNames)} are assumed; ` +
        "name them with targets => '{…}', in the order of its columns. Where they are a vector, such as an embedding or principal components, say task => 'embedding'; " +
        'of logits of classes say logits => true and class_labels',
    );
  }
  checkValueNames(valueNames, count, 'target', valueNames);
  return { task: 'multi_target', classLabels: [], valueNames, outputs: { values: read } };
}

/** Outputs of one number each are called by what they are. */
function ownNames(read: readonly { name: string; width: number }[]): string[] | undefined {
  return read.length > 1 && read.every(({ width }) => width === 1) ? read.map(({ name }) => name) : undefined;
}

function numbersIn(observed: readonly ObservedOutput[]): { name: string; width: number }[] {
  const numbers = numberOutputs(observed);
  if (numbers.length > 0) return numbers.map(({ name, width }) => ({ name, width }));
  throw new PgscoreError('model_outputs_unsupported', `several values a row are numbers; ${listOutputs(observed)}`, {
    remedy: 'Leave task out: the check finds what the model is.',
  });
}

function quantiles(evidence: Evidence, warnings: string[]): OutputMeaning {
  const { observed, options } = evidence;
  const read = numbersIn(observed);
  const count = read.reduce((sum, { width }) => sum + width, 0);
  const given = namesOf(evidence, TARGETS_KEY, options.targets) ?? ownNames(read);
  if (given === undefined) {
    throw wrongOption(`the ${count} quantiles are not named`, "Name them in their order: targets => '{0.1,0.5,0.9}'.");
  }
  const valueNames = given.map((name) => (isShare(name) ? `q${name.replace('.', '_')}` : name));
  checkValueNames(valueNames, count, 'quantile', valueNames);
  const levels = valueNames.map(levelOf);
  const distances = levels.map((level) => Math.abs(level - 1 / 2));
  const middle = distances.some(Number.isNaN) ? Math.floor((count - 1) / 2) : distances.indexOf(Math.min(...distances));
  if (levels[middle] !== 1 / 2) {
    warnings.push(
      `none of the quantiles ${shown(valueNames)} is called q0_5: ${valueNames[middle]} is taken as the score`,
    );
  }
  return { task: 'quantiles', classLabels: [], valueNames, scoreValue: middle, outputs: { values: read } };
}

function isShare(name: string): boolean {
  return /^0?\.\d+$/.test(name);
}

/** Of q0_5, 0.5; NaN of any other name. */
function levelOf(name: string): number {
  const digits = /^q0?_(\d+)$/.exec(name)?.[1];
  return digits === undefined ? Number.NaN : Number(`0.${digits}`);
}

function multilabel(evidence: Evidence, warnings: string[]): OutputMeaning {
  const { observed, options } = evidence;
  const { threshold } = options;
  const label = observed.find(isLabelMatrix);
  const read = probabilitiesIn(observed, label?.width);
  if (read.length === 0 && threshold !== undefined) throw wrongOption('a model without probabilities has no threshold');
  const valueNames = labelNames(evidence, label?.width ?? labelsIn(read), warnings);
  return {
    task: 'multilabel',
    classLabels: [],
    valueNames,
    outputs: {
      ...(label === undefined ? {} : { label: { name: label.name, type: label.type } }),
      ...(read.length === 0 ? {} : { values: read }),
    },
    ...(threshold === undefined ? {} : { threshold }),
  };
}

function labelsIn(read: readonly ValueOutput[]): number {
  const [first] = read;
  return read.length > 1 ? read.length : (first?.layers ?? first?.width ?? 0);
}

function labelNames(evidence: Evidence, count: number, warnings: string[]): readonly string[] {
  const { observed, options } = evidence;
  if (count < 2) {
    throw new PgscoreError(
      'model_outputs_unsupported',
      `a multilabel model returns several labels a row; ${listOutputs(observed)}`,
      { remedy: 'Leave task out: the check finds what the model is.' },
    );
  }
  const named =
    namesOf(evidence, CLASS_LABELS_KEY, options.classLabels) ?? namesOf(evidence, TARGETS_KEY, options.targets);
  const names = named ?? Array.from({ length: count }, (_, index) => String(index + 1));
  if (named === undefined) {
    warnings.push(
      `the model gives ${count} labels and names none: ${shown(names)} are assumed; ` +
        "name them with class_labels => '{…}', in the order of its columns",
    );
  }
  const columns = names.map((name) => `probability_${name}`);
  checkValueNames(names, count, 'label', columns);
  return names;
}

/**
 * The probabilities of each label: one matrix with a column a label, one of a layer a label, or an output a label. A layer
 * or an output has two columns, of which the second says that the label applies.
 */
function probabilitiesIn(observed: readonly ObservedOutput[], labels: number | undefined): ValueOutput[] {
  const floats = floatOutputs(observed);
  const [only] = floats;
  if (only === undefined) return [];
  const fits =
    floats.length === 1
      ? (labels === undefined || labels === (only.layers ?? only.width)) &&
        (only.layers === undefined || only.width === 2)
      : (labels === undefined || labels === floats.length) &&
        floats.every(({ width, layers }) => width <= 2 && layers === undefined);
  if (fits)
    return floats.map(({ name, width, layers }) => ({ name, width, ...(layers === undefined ? {} : { layers }) }));
  throw new PgscoreError('model_outputs_unsupported', `a label has one probability; ${listOutputs(observed)}`, {
    remedy: 'Export one model for each label that has more than two classes.',
  });
}

/** The names that the deployer gives, or the file. */
function namesOf(
  { outline }: Evidence,
  key: string,
  given: readonly string[] | undefined,
): readonly string[] | undefined {
  return given ?? metadataNames(outline.metadata, key, CODE);
}

/** Names become columns of a table. */
function checkValueNames(names: readonly string[], count: number, kind: string, columns: readonly string[]): void {
  if (names.length !== count)
    throw wrongOption(
      `${names.length} ${kind}s are named, and the model gives ${count}`,
      `Name each ${kind} once, in their order.`,
    );
  checkNames(names, kind, CODE);
  if (columns.length > MOST_COLUMNS) {
    throw new PgscoreError(
      'model_outputs_unsupported',
      `${columns.length} values a row are more than ${MOST_COLUMNS} columns`,
      {
        remedy: 'Export a model of fewer values.',
      },
    );
  }
  const long = columns.find((name) => Buffer.byteLength(name) > LONGEST_COLUMN);
  if (long !== undefined)
    throw wrongOption(
      `'${long}' is longer than the ${LONGEST_COLUMN} bytes of a column`,
      `Give the ${kind} a shorter name.`,
    );
  const taken = columns.find((name) => TAKEN.includes(name) || name.startsWith('pgscore_'));
  if (taken !== undefined)
    throw wrongOption(`every prediction has a column '${taken}' already`, `Give the ${kind} another name.`);
}

function shown(names: readonly string[]): string {
  return names.length <= 6 ? names.join(', ') : `${names.slice(0, 3).join(', ')}, … ${names.at(-1)}`;
}
