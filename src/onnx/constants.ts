import { parts, type Span } from './wire.ts';
import { ATTRIBUTE } from './layout.ts';
import { DATA_TYPE, readTensor, type TensorMessage } from './messages.ts';
import type { Outline } from './outline.ts';

/** Column numbers and class labels are a few; a tensor past this is weights. */
const MAX_BYTES = 1_000_000;

/** The integers of a constant of the graph, or undefined where the name is no constant of a few integers. */
export function constantIntegers(outline: Outline, name: string): number[] | undefined {
  const tensor = constantOf(outline, name);
  return tensor === undefined ? undefined : integers(tensor);
}

/** The class labels in a constant of the graph: strings as they are, integers in decimal. */
export function constantLabels(outline: Outline, name: string): string[] | undefined {
  const tensor = constantOf(outline, name);
  if (tensor === undefined) return undefined;
  if (tensor.dataType !== DATA_TYPE.STRING) return integers(tensor)?.map(String);
  return tensor.stringData.map((bytes) => Buffer.from(bytes).toString('utf8'));
}

/** Whether a name is a constant: an initializer, or the output of a Constant node. */
export function isConstant(outline: Outline, name: string): boolean {
  return find(outline, name) !== undefined;
}

function find(outline: Outline, name: string): Span | undefined {
  const initializer = outline.initializers.get(name);
  if (initializer !== undefined) return initializer;
  const value = outline.nodes
    .find(({ op, outputs }) => op === 'Constant' && outputs[0] === name)
    ?.attributes.get('value');
  return value === undefined ? undefined : parts(value, ATTRIBUTE.tensor)[0]?.payload;
}

function constantOf(outline: Outline, name: string): TensorMessage | undefined {
  const span = find(outline, name);
  if (span === undefined || span.end - span.start > MAX_BYTES) return undefined;
  return readTensor(span);
}

function integers(tensor: TensorMessage): number[] | undefined {
  const raw = tensor.rawData;
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const steps = (size: number) => Array.from({ length: Math.floor(raw.byteLength / size) }, (_, i) => i * size);
  if (tensor.dataType === DATA_TYPE.INT64) {
    return raw.length > 0 ? steps(8).map((at) => Number(view.getBigInt64(at, true))) : tensor.int64Data.map(Number);
  }
  if (tensor.dataType === DATA_TYPE.INT32) {
    return raw.length > 0 ? steps(4).map((at) => view.getInt32(at, true)) : tensor.int32Data;
  }
  return undefined;
}
