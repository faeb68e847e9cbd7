import { PgscoreError, type ErrorCode } from '../errors.ts';
import { labelsAttribute } from '../onnx/attributes.ts';
import { constantLabels } from '../onnx/constants.ts';
import type { Normalised } from '../onnx/normalise.ts';
import { producerBehind, type Outline } from '../onnx/outline.ts';

/** Metadata of the ONNX file under which pgscore looks for names: a JSON array, or a list with commas. */
export const FEATURES_KEY = 'pgscore.features';
export const CLASS_LABELS_KEY = 'pgscore.class_labels';

/**
 * The names under a metadata key, or undefined where the key is missing.
 * @throws PgscoreError `code` where the text is neither a JSON array nor a list
 */
export function metadataNames(
  metadata: Readonly<Record<string, string>>,
  key: string,
  code: ErrorCode,
): string[] | undefined {
  const text = Object.hasOwn(metadata, key) ? metadata[key]?.trim() : undefined;
  if (text === undefined || text === '') return undefined;
  return text.startsWith('[') ? jsonNames(text, key, code) : text.split(',').map((name) => name.trim());
}

/** A name is kept with every version, and each call of score() sends it. */
const LONGEST_BYTES = 200;

/**
 * Refuses a name that is given twice, is empty, is too long, or that PostgreSQL can not store. `kind` says what is named.
 * @throws PgscoreError `code`
 */
export function checkNames(names: readonly string[], kind: string, code: ErrorCode): void {
  checkLengths(names, kind, code);
  const seen = new Set<string>();
  const repeated = names.find((name) => seen.size === seen.add(name).size);
  const unusable = names.find((name) => name === '' || name.includes('\0'));
  if (repeated === undefined && unusable === undefined) return;
  const problem =
    repeated === undefined ? `a ${kind} is empty or holds a zero byte` : `the ${kind} '${repeated}' is given twice`;
  throw new PgscoreError(code, problem, { remedy: `Give every ${kind} once, in the order of training.` });
}

/** @throws PgscoreError `code` for a name that is too long */
export function checkLengths(names: readonly string[], kind: string, code: ErrorCode): void {
  const long = names.find((name) => Buffer.byteLength(name) > LONGEST_BYTES);
  if (long === undefined) return;
  const beginning = long.slice(0, 40);
  throw new PgscoreError(code, `the ${kind} that begins with '${beginning}' is longer than ${LONGEST_BYTES} bytes`, {
    remedy: `Give every ${kind} a shorter name.`,
  });
}

function jsonNames(text: string, key: string, code: ErrorCode): string[] {
  const names = parse(text);
  if (Array.isArray(names) && names.every((name) => typeof name === 'string' || typeof name === 'number')) {
    return names.map(String);
  }
  throw new PgscoreError(code, `the metadata '${key}' of the model is not a JSON array of names`, {
    remedy: `Write it with \`json.dumps(list(X.columns))\`.`,
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const CODE = 'model_class_labels_wrong';

/**
 * The class labels of a model in the order of its probability columns: from its ZipMap, from the operator behind its
 * label output, from the deploy options, or from its metadata. [] where nobody names any.
 * @throws PgscoreError model_class_labels_wrong where the deployer names others than the model holds, or one twice
 */
export function classLabelsOf(
  { outline, zipMapLabels }: Normalised,
  { classLabels: given }: { readonly classLabels?: readonly string[] | undefined },
): string[] {
  const held = zipMapLabels.length > 0 ? zipMapLabels : labelsOfGraph(outline);
  if (held.length > 0 && given !== undefined && !sameLabels(held, given)) {
    throw new PgscoreError(CODE, `the class labels of the model are ${held.join(', ')}, not ${given.join(', ')}`, {
      remedy: areBooleans(given)
        ? 'Leave class_labels out: False is 0 and True is 1 in the file, and a boolean column of labels fits these.'
        : 'Leave class_labels out, or give them in the order of the probability columns (`list(model.classes_)`).',
    });
  }
  const named = held.length > 0 ? held : (given ?? metadataNames(outline.metadata, CLASS_LABELS_KEY, CODE) ?? []);
  checkNames(named, 'class label', CODE);
  return [...named];
}

function labelsOfGraph(outline: Outline): string[] {
  for (const { name } of outline.outputs) {
    const labels = labelsBehind(outline, name);
    if (labels.length > 0) return labels;
  }
  return [];
}

/** Pass labels on as they are. */
const PASSES = new Set(['Identity', 'Cast', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze']);
const CLASSIFIERS = new Set(['TreeEnsembleClassifier', 'LinearClassifier', 'SVMClassifier']);

/** Goes back from an output to the classifier that makes it, or to the constant that labels are picked from. */
function labelsBehind(outline: Outline, output: string): string[] {
  const node = producerBehind(outline, output, PASSES);
  const [source = '', index = ''] = node?.inputs ?? [];
  if (node === undefined) return [];
  if (CLASSIFIERS.has(node.op))
    return labelsAttribute(node, 'classlabels_strings', 'classlabels_int64s', 'classlabels_ints');
  const picks = node.op === 'ArrayFeatureExtractor' || node.op === 'Gather';
  return picks && index !== '' ? (constantLabels(outline, source) ?? []) : [];
}

function areBooleans(labels: readonly string[]): boolean {
  return labels.every((label) => /^(?:true|false)$/i.test(label));
}

function sameLabels(held: readonly string[], given: readonly string[]): boolean {
  return held.length === given.length && held.every((label, index) => label === given[index]);
}
