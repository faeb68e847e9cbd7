import { PgscoreError } from '../errors.ts';
import { labelsAttribute } from '../onnx/attributes.ts';
import { constantLabels } from '../onnx/constants.ts';
import type { Normalised } from '../onnx/normalise.ts';
import { producerBehind, type Outline } from '../onnx/outline.ts';
import { CLASS_LABELS_KEY, checkNames, metadataNames } from './names.ts';

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
