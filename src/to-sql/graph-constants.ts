import { TensorProtoSchema } from 'onnx-buf';
import { decode } from '../onnx/decode.ts';
import type { Outline } from '../onnx/outline.ts';
import type { NodeAttributes } from './node-attributes.ts';
import { NativeRefusal } from './refusal.ts';
import { constantTensor } from './tensor.ts';
import type { Tensor } from './tensor.ts';
import { constant } from './term.ts';
import type { Constant, Kind } from './term.ts';

/**
 * The initializers of a graph.
 * @throws NativeRefusal where together they have more bytes than a function can hold as literals
 */
export function graphConstants({ initializers }: Outline, maxBytes: number): Map<string, Tensor> {
  const bytes = [...initializers.values()].reduce((total, { start, end }) => total + end - start, 0);
  if (bytes > maxBytes) {
    throw new NativeRefusal(
      `${megabytes(bytes)} of weights are more than the ${megabytes(maxBytes)} that a function may have`,
    );
  }
  return new Map([...initializers].map(([name, span]) => [name, constantTensor(decode(TensorProtoSchema, span))]));
}

/** The value of a Constant node. */
export function nodeConstant(attributes: NodeAttributes): Tensor {
  const tensor = attributes.tensor('value');
  if (tensor !== undefined) return tensor;
  const lists: [string, Kind, Constant[]][] = [
    ['value_float', 'float32', attributes.floats('value_floats')],
    ['value_int', 'int64', attributes.wide('value_ints')],
    ['value_string', 'string', attributes.texts('value_strings')],
  ];
  for (const [name, kind, list] of lists) {
    if (attributes.has(`${name}s`)) return tensorOf(kind, [list.length], list);
    if (attributes.has(name)) return tensorOf(kind, [], [single(attributes, name)]);
  }
  throw new NativeRefusal('a Constant of this kind is not compiled');
}

function single(attributes: NodeAttributes, name: string): Constant {
  if (name === 'value_string') return attributes.text(name) ?? '';
  return name === 'value_int' ? BigInt(attributes.integer(name) ?? 0) : (attributes.float(name) ?? 0);
}

function tensorOf(kind: Kind, shape: readonly number[], values: readonly Constant[]): Tensor {
  return { kind, shape, cells: values.map((value) => constant(kind, value)), perRow: false };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
