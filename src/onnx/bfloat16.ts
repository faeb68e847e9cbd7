import { ATTRIBUTE, GRAPH, NODE, TENSOR } from './layout.ts';
import { DATA_TYPE, readAttribute, readTensor } from './messages.ts';
import type { GraphNode, Outline } from './outline.ts';
import { editFields, type Edit } from './rewrite.ts';
import { readValueInfo, withFloats } from './value-info.ts';
import { integerField, lengthField, parts, textField, varintField, type Part, type Span } from './wire.ts';

/** Attributes that name an element type. */
const TYPE_ATTRIBUTES = new Set(['to', 'dtype', 'stash_type', 'softmax_precision']);
const INTEGER_KIND = 2;

/**
 * Makes every bfloat16 of a graph float32: ONNX Runtime has next to no operator for it on a CPU. A bfloat16 is a float32 without
 * its last 16 bits, so weights keep their values; only what is computed from them is no longer rounded. [] where there is none. One
 * inside of a body or a local function stays, and ONNX Runtime refuses it.
 */
export function widenBfloat16({ graph, nodes, intermediates }: Outline): Edit[] {
  const declared = (number: number): Edit[] =>
    parts(graph.payload, number)
      .map(readValueInfo)
      .filter((value) => value.declared === 'tensor(bfloat16)')
      .map((value) => ({ field: value.part.field, replacement: lengthField(number, withFloats(value)) }));
  const edits = [
    ...declared(GRAPH.input),
    ...declared(GRAPH.output),
    ...parts(graph.payload, GRAPH.initializer).flatMap((part) => wideTensor(part, GRAPH.initializer)),
    ...nodes.flatMap(wideNode),
  ];
  return edits.length === 0 ? [] : [...edits, ...intermediates.map(({ field }) => ({ field, replacement: null }))];
}

function wideNode({ part: { field, payload } }: GraphNode): Edit[] {
  const edits = parts(payload, NODE.attribute).flatMap(wideAttribute);
  return edits.length === 0 ? [] : [{ field, replacement: lengthField(GRAPH.node, editFields(payload, edits)) }];
}

function wideAttribute({ field, payload }: Part): Edit[] {
  // By name, which comes first: the kind of an attribute comes after its values, a million in a forest.
  const name = textField(payload, ATTRIBUTE.name);
  if (name === 'value') {
    const edits = parts(payload, ATTRIBUTE.tensor).flatMap((part) => wideTensor(part, ATTRIBUTE.tensor));
    return edits.length === 0 ? [] : [{ field, replacement: lengthField(NODE.attribute, editFields(payload, edits)) }];
  }
  if (!TYPE_ATTRIBUTES.has(name) || Number(readAttribute(payload).integer) !== DATA_TYPE.BFLOAT16) return [];
  const attribute = Buffer.concat([
    lengthField(ATTRIBUTE.name, Buffer.from(name)),
    varintField(ATTRIBUTE.integer, DATA_TYPE.FLOAT),
    varintField(ATTRIBUTE.kind, INTEGER_KIND),
  ]);
  return [{ field, replacement: lengthField(NODE.attribute, attribute) }];
}

/** `number` is the field that holds the tensor. */
function wideTensor({ field, payload }: Part, number: number): Edit[] {
  if (integerField(payload, TENSOR.dataType) !== DATA_TYPE.BFLOAT16) return [];
  const { dims } = readTensor(payload);
  const tensor = Buffer.concat([
    ...dims.map((dim) => varintField(TENSOR.dims, Number(dim))),
    varintField(TENSOR.dataType, DATA_TYPE.FLOAT),
    lengthField(TENSOR.name, Buffer.from(textField(payload, TENSOR.name))),
    lengthField(TENSOR.rawData, floatsOf(payload)),
  ]);
  return [{ field, replacement: lengthField(number, tensor) }];
}

/** The bytes of the float32 values, which begin with those of the bfloat16 ones. */
function floatsOf(tensor: Span): Uint8Array {
  const { rawData, int32Data: numbers } = readTensor(tensor);
  const int32Data = rawData.length > 0 ? [] : numbers;
  const floats = Buffer.alloc(2 * rawData.length + 4 * int32Data.length);
  for (let at = 0; at < rawData.length; at += 2) {
    floats[2 * at + 2] = rawData[at] ?? 0;
    floats[2 * at + 3] = rawData[at + 1] ?? 0;
  }
  int32Data.forEach((bits, index) => floats.writeUInt16LE(bits & 0xff_ff, 4 * index + 2));
  return floats;
}
