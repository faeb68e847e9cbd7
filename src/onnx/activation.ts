import { GRAPH, MODEL, NODE, OPSET } from './layout.ts';
import type { Normalised } from './normalise.ts';
import { readOutline } from './outline.ts';
import { editGraph } from './rewrite.ts';
import { renamed } from './value-info.ts';
import { lengthField, varintField } from './wire.ts';

/** What makes probabilities of a model's numbers, by the name of its operator. */
const OPERATORS = { sigmoid: 'Sigmoid', softmax: 'Softmax' } as const;

/** For a file that imports only other operators. */
const OPSET_VERSION = 13;

/**
 * The model with an activation behind one of its outputs, and the new name of that. By default Softmax works along the
 * classes: the last axis, and before opset 13 all but the rows.
 */
export function withActivation(
  model: Normalised,
  output: string,
  activation: keyof typeof OPERATORS,
): { readonly model: Normalised; readonly output: string } {
  const { outline } = model;
  const last = outline.nodes.at(-1)?.part;
  const value = outline.outputs.find(({ name }) => name === output);
  if (last === undefined || value === undefined) return { model, output };
  const taken = new Set([
    ...outline.inputs.map(({ name }) => name),
    ...outline.nodes.flatMap(({ outputs }) => outputs),
  ]);
  let name = `${output}_probability`;
  while (taken.has(name)) name += '_';
  const node = Buffer.concat([
    lengthField(NODE.input, Buffer.from(output)),
    lengthField(NODE.output, Buffer.from(name)),
    lengthField(NODE.opType, Buffer.from(OPERATORS[activation])),
  ]);
  const { bytes, start, end } = last.field;
  const edited = editGraph(outline, [
    { field: last.field, replacement: Buffer.concat([bytes.subarray(start, end), lengthField(GRAPH.node, node)]) },
    { field: value.part.field, replacement: lengthField(GRAPH.output, renamed(value, name)) },
  ]);
  const isImported = '' in outline.opset || 'ai.onnx' in outline.opset;
  const opset = lengthField(MODEL.opsetImport, varintField(OPSET.version, OPSET_VERSION));
  const changed = readOutline(isImported ? edited : Buffer.concat([edited, opset]));
  return { model: { ...model, outline: changed, changed: true }, output: name };
}
