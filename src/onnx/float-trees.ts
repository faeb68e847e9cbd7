import { integerAttribute } from './attributes.ts';
import { GRAPH, TENSOR } from './layout.ts';
import { DATA_TYPE } from './messages.ts';
import type { GraphNode, Outline } from './outline.ts';
import type { Edit } from './rewrite.ts';
import { withFloats } from './value-info.ts';
import { integerField, lengthField } from './wire.ts';

/**
 * Makes float64 inputs of scikit-learn's trees float32, which those trees compare. skl2onnx declares their outputs as float64,
 * which no kernel gives: ONNX Runtime would not load the file. [] where another operator reads the inputs,
 * where a threshold may be none of float32, or where the graph computes with float64 elsewhere.
 */
export function floatTrees(outline: Outline): Edit[] {
  const { inputs, outputs, nodes, producer, intermediates } = outline;
  const doubles = inputs.filter(({ type }) => type === 'float64');
  const names = new Set(doubles.map(({ name }) => name));
  const readers = nodes.filter((node) => node.inputs.some((name) => names.has(name)));
  if (producer.name !== 'skl2onnx' || readers.length === 0 || !readers.every(comparesFloats)) return [];
  if (nodes.some(mayMakeDoubles) || holdsDoubles(outline)) return [];
  const asFloats = (number: number) => (value: (typeof inputs)[number]) => ({
    field: value.part.field,
    replacement: lengthField(number, withFloats(value)),
  });
  return [
    ...doubles.map(asFloats(GRAPH.input)),
    ...outputs.filter(({ type }) => type === 'float64').map(asFloats(GRAPH.output)),
    ...intermediates.map(({ field }) => ({ field, replacement: null })),
  ];
}

/** Trees whose thresholds and weights are stored as float32. */
function comparesFloats({ op, domain, attributes }: GraphNode): boolean {
  const isTree = op === 'TreeEnsembleRegressor' || op === 'TreeEnsembleClassifier';
  return domain === 'ai.onnx.ml' && isTree && ![...attributes.keys()].some((name) => name.endsWith('_as_tensor'));
}

function mayMakeDoubles(node: GraphNode): boolean {
  if (node.op === 'Cast') return integerAttribute(node, 'to') === DATA_TYPE.DOUBLE;
  return node.op === 'Constant' || node.op === 'ConstantOfShape' || node.captured.length > 0;
}

function holdsDoubles({ initializers }: Outline): boolean {
  return [...initializers.values()].some((tensor) => integerField(tensor, TENSOR.dataType) === DATA_TYPE.DOUBLE);
}
