import { labelsAttribute } from './attributes.ts';
import { GRAPH } from './layout.ts';
import type { GraphNode, Outline } from './outline.ts';
import { lengthField } from './rewrite.ts';
import type { Edit } from './rewrite.ts';
import { floatMatrix } from './value-info.ts';

/** ZipMap as scikit-learn's converters add it by default, and what takes it out. */
export type ZipMap = { edits: Edit[]; classLabels: string[] };

/**
 * Finds the ZipMap behind an output of the graph. ONNX Runtime for Node can't return its maps, but its input is the
 * matrix of probabilities: the node goes, and the output becomes that matrix.
 */
export function findZipMap(outline: Outline): ZipMap | undefined {
  const node = outline.nodes.find((candidate) => isSpliceable(candidate, outline));
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

function isSpliceable({ op, domain, outputs }: GraphNode, outline: Outline): boolean {
  if (op !== 'ZipMap' || domain !== 'ai.onnx.ml') return false;
  const read = outline.nodes.some(({ inputs, captured }) =>
    [...inputs, ...captured].some((name) => outputs.includes(name)),
  );
  return !read && outline.outputs.some(({ name }) => name === outputs[0]);
}
