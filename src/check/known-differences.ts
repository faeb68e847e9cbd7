import { anyFlagSet, integerAttribute, textAttribute } from '../onnx/attributes.ts';
import type { GraphNode, Outline } from '../onnx/outline.ts';

type Known = { readonly shows: (outline: Outline) => boolean; readonly what: string };

/** Exports that differ from their framework, and whose file shows it. `docs/guides/deploy-a-model.md` has these and those that do not show. */
const KNOWN: readonly Known[] = [
  {
    shows: (outline) => /^(?:Poisson|Tweedie)$/.test(catBoostLoss(outline)),
    what: "CatBoost's export of a Poisson or Tweedie loss gives the logarithm of what predict() gives",
  },
  {
    shows: (outline) => catBoostLoss(outline) === 'MultiClassOneVsAll',
    what: "CatBoost's export of MultiClassOneVsAll gives other probabilities than predict_proba()",
  },
  {
    shows: (outline) => /^Multi(?:Logloss|CrossEntropy)$/.test(catBoostLoss(outline)),
    what: "CatBoost's export of several labels (MultiLogloss) gives classes of which one applies: train a model for each label",
  },
  {
    shows: (outline) => isFrom(outline, 'OnnxMLTools') && hasTrees(outline) && has(outline, 'Div'),
    what: "the export of a LightGBM forest (boosting_type='rf') is right for a regression of 100 trees only",
  },
  {
    shows: ({ nodes }) => nodes.some(neglectsTargets),
    what: "onnxmltools' export of an XGBoost model of several targets has all trees add to the first",
  },
  {
    shows: (outline) => isFrom(outline, 'skl2onnx') && has(outline, 'TopK', 'Reciprocal'),
    what: "the export of nearest neighbours with weights='distance' gives other predictions",
  },
  {
    shows: (outline) => isFrom(outline, 'skl2onnx') && has(outline, 'ArgMin', 'Clip'),
    what: 'the export of an isotonic calibration takes the nearest point where scikit-learn goes between two',
  },
  {
    shows: (outline) =>
      isFrom(outline, 'skl2onnx') && hasTrees(outline) && outline.inputs.some(({ type }) => type === 'float64'),
    what: 'the export compares float64 where the trees of scikit-learn compare float32: export it with float32 inputs',
  },
  {
    shows: (outline) => isFrom(outline, 'skl2onnx') && outline.nodes.some(splitsAsSkl2onnx),
    what:
      'skl2onnx ends words at letters such as ä, and takes words of one letter, which scikit-learn leaves out: ' +
      String.raw`export it with tokenexp=r"[\p{L}\p{N}_]{2,}"`,
  },
  {
    shows: (outline) => isFrom(outline, 'skl2onnx') && outline.nodes.some((node) => addsToCounts(outline, node)),
    what: 'the export of sublinear_tf takes log(n + 1) of a word that occurs n times, where scikit-learn takes 1 + log(n)',
  },
];

/** What is known to differ in an export like this from what its framework predicts. */
export function knownDifferences(outline: Outline): string[] {
  return KNOWN.filter(({ shows }) => shows(outline)).map(({ what }) => what);
}

function isFrom({ producer }: Outline, name: string): boolean {
  return producer.name === name;
}

function has({ nodes }: Outline, ...operators: readonly string[]): boolean {
  return operators.every((operator) => nodes.some(({ op }) => op === operator));
}

function hasTrees({ nodes }: Outline): boolean {
  return nodes.some(({ op }) => op.startsWith('TreeEnsemble'));
}

function neglectsTargets(node: GraphNode): boolean {
  const targets = node.op === 'TreeEnsembleRegressor' ? (integerAttribute(node, 'n_targets') ?? 1) : 1;
  return targets > 1 && !anyFlagSet(node, 'target_ids');
}

/** What skl2onnx writes for the `token_pattern` of a vectorizer that has the usual one. */
function splitsAsSkl2onnx(node: GraphNode): boolean {
  return node.op === 'Tokenizer' && textAttribute(node, 'tokenexp') === '[a-zA-Z0-9_]+';
}

function addsToCounts({ nodes }: Outline, { op, inputs }: GraphNode): boolean {
  return op === 'Add' && nodes.some((node) => node.op === 'TfIdfVectorizer' && inputs.includes(node.outputs[0] ?? ''));
}

/** CatBoost keeps how it was trained as JSON; '' where the file is none of its own. */
function catBoostLoss({ producer, metadata }: Outline): string {
  if (producer.name !== 'CatBoost' || !Object.hasOwn(metadata, 'params')) return '';
  return /"loss_function":\{"type":"(\w+)"/.exec(metadata['params'] ?? '')?.[1] ?? '';
}
