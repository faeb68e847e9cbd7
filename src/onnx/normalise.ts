import { readOutline, type Outline, type GraphNode } from './outline.ts';
import { editGraph, type Edit } from './rewrite.ts';
import { ATTRIBUTE, GRAPH, NODE } from './layout.ts';
import { isStandardDomain } from './operators.ts';
import { lengthField, varintField } from './wire.ts';
import { withOpenBatch, type GraphValue, floatMatrix } from './value-info.ts';
import { labelsAttribute } from './attributes.ts';
import { widenBfloat16 } from './bfloat16.ts';
import { floatTrees } from './float-trees.ts';

/** A model as ONNX Runtime will serve it. */
export type Normalised = {
  readonly outline: Outline;
  /** Whether a byte differs from the file that was deployed. */
  readonly changed: boolean;
  /** Whether it computes in float32 what the file that was deployed computes in bfloat16. */
  readonly widened: boolean;
  /** The labels that the ZipMap held, in the order of the probability columns; [] without a ZipMap. */
  readonly zipMapLabels: string[];
  /** The number of rows that the graph is fixed to; null for any. */
  readonly batch: number | null;
};

/**
 * Rewrites a graph so that ONNX Runtime for Node can load it and return its outputs:
 * - without its ZipMap, so that the class probabilities come back as a matrix;
 * - without a sequence of matrices, which become outputs;
 * - with a locale that every host has;
 * - with float32 inputs for trees that compare float32;
 * - with float32 instead of bfloat16.
 */
export function normalise(bytes: Uint8Array): Normalised {
  const original = readOutline(bytes);
  const zipMap = findZipMap(original);
  const wide = widenBfloat16(original);
  const edits = [
    ...(zipMap?.edits ?? partsOfSequence(original)),
    ...original.nodes.flatMap(plainLocale),
    // Both edit the inputs. Trees are never in bfloat16.
    ...(wide.length > 0 ? wide : floatTrees(original)),
  ];
  const outline = edits.length === 0 ? original : readOutline(editGraph(original, edits));
  return {
    outline,
    changed: edits.length > 0,
    widened: wide.length > 0,
    zipMapLabels: zipMap?.classLabels ?? [],
    batch: fixedBatch(outline),
  };
}

/** The same model taking any number of rows; to be tried before it is trusted. */
export function withAnyBatch(model: Normalised): Normalised {
  const outline = readOutline(editGraph(model.outline, openBatch(model.outline)));
  return { ...model, outline, changed: true, batch: null };
}

/** The number of rows that every input of the graph is fixed to, or null where any number is taken. */
function fixedBatch(outline: Outline): number | null {
  const first = new Set(outline.inputs.map(({ shape }) => shape?.[0] ?? null));
  const [rows = null] = first;
  return first.size === 1 ? rows : null;
}

/**
 * Leaves the number of rows open in the inputs and outputs of the graph. The shapes declared in between go too: with
 * them, ONNX Runtime plans its buffers for the old number. Whether the graph then computes the same is for a run to say.
 */
function openBatch(outline: Outline): Edit[] {
  const opened = (number: number) => (value: GraphValue) => ({
    field: value.part.field,
    replacement: lengthField(number, withOpenBatch(value)),
  });
  return [
    ...outline.inputs.map(opened(GRAPH.input)),
    ...outline.outputs.filter(({ type }) => type !== undefined).map(opened(GRAPH.output)),
    ...outline.intermediates.map(({ field }) => ({ field, replacement: null })),
  ];
}

const STRING_KIND = 3;
/** The locale of hosts and containers without language packs. It changes case as en_US does. */
const PLAIN_LOCALE = lengthField(
  NODE.attribute,
  Buffer.concat([
    lengthField(ATTRIBUTE.name, Buffer.from('locale')),
    lengthField(ATTRIBUTE.text, Buffer.from('C.UTF-8')),
    varintField(ATTRIBUTE.kind, STRING_KIND),
  ]),
);

/** StringNormalizer wants the locale en_US of the host where its node names none. */
function plainLocale({ op, domain, attributes, part: { field, payload } }: GraphNode): Edit[] {
  if (op !== 'StringNormalizer' || domain !== '' || attributes.has('locale') || process.platform !== 'linux') return [];
  const own = payload.bytes.subarray(payload.start, payload.end);
  return [{ field, replacement: lengthField(GRAPH.node, Buffer.concat([own, PLAIN_LOCALE])) }];
}

/** ZipMap as scikit-learn's converters add it by default, and what takes it out. */
type ZipMap = { edits: Edit[]; classLabels: string[] };

/**
 * Finds the ZipMap behind an output of the graph. ONNX Runtime for Node can't return its maps, but its input is the
 * matrix of probabilities: the node goes, and the output becomes that matrix.
 */
function findZipMap(outline: Outline): ZipMap | undefined {
  const node = outline.nodes.find((candidate) => candidate.op === 'ZipMap' && isSpliceable(candidate, outline));
  const [matrix] = node?.inputs ?? [];
  const output = outline.outputs.find(({ name }) => name === node?.outputs[0]);
  if (node === undefined || matrix === undefined || output === undefined) return undefined;
  const classLabels = labelsAttribute(node, 'classlabels_strings', 'classlabels_int64s');
  const already = outline.outputs.some(({ name }) => name === matrix);
  const declared = already ? null : lengthField(GRAPH.output, floatMatrix(matrix, classLabels.length));
  return {
    classLabels,
    edits: [
      { field: node.part.field, replacement: null },
      { field: output.part.field, replacement: declared },
    ],
  };
}

/**
 * Finds the sequence of matrices, one for each label, that MultiOutputClassifier returns. ONNX Runtime for Node can't return it:
 * the node goes, and its matrices become outputs.
 */
function partsOfSequence(outline: Outline): Edit[] {
  const node = outline.nodes.find(
    (candidate) => candidate.op === 'SequenceConstruct' && isSpliceable(candidate, outline),
  );
  const output = outline.outputs.find(({ name }) => name === node?.outputs[0]);
  if (node === undefined || output === undefined || node.inputs.length < 2) return [];
  if (new Set(node.inputs).size < node.inputs.length) return [];
  if (outline.outputs.some(({ name }) => node.inputs.includes(name))) return [];
  const parts = node.inputs.map((name) => lengthField(GRAPH.output, floatMatrix(name, null)));
  return [
    { field: node.part.field, replacement: null },
    { field: output.part.field, replacement: Buffer.concat(parts) },
  ];
}

function isSpliceable({ op, domain, outputs }: GraphNode, outline: Outline): boolean {
  if (!(op === 'ZipMap' ? domain === 'ai.onnx.ml' : isStandardDomain(domain))) return false;
  const read = outline.nodes.some(({ inputs, captured }) =>
    [...inputs, ...captured].some((name) => outputs.includes(name)),
  );
  return !read && outline.outputs.some(({ name }) => name === outputs[0]);
}
