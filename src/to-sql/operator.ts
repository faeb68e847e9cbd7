import type { CriticalValues } from './critical-values.ts';
import { NativeRefusal, type Term, constant, type Constant, type Kind } from './term.ts';
import { type Tensor, constantTensor } from './tensor.ts';
import { readAttribute, readTensor, type AttributeMessage } from '../onnx/messages.ts';
import type { GraphNode, Outline } from '../onnx/outline.ts';

/** One operator of the graph, its inputs compiled already. */
export type OperatorCall = {
  readonly op: string;
  readonly attributes: NodeAttributes;
  /** undefined for an optional input that is left out. */
  readonly inputs: readonly (Tensor | undefined)[];
  /** The version of the operator's domain. */
  readonly opset: number;
  readonly critical: CriticalValues;
  /** Counts multiplications by a weight. */
  readonly spend: (products: number) => void;
  /** Notes what must hold of a row, which ONNX Runtime would refuse otherwise: such a row has no prediction. */
  readonly demand: (condition: Term) => void;
};

/**
 * Compiles a call to its outputs, in the order of the operator's.
 * @throws NativeRefusal for what it can't compile
 */
export type Operator = (call: OperatorCall) => Tensor[];

export type Operators = Readonly<Record<string, Operator>>;

/** @throws NativeRefusal where the input is left out, or rows are not its first dimension */
export function inputOf(call: OperatorCall, index: number): Tensor {
  const input = anyInputOf(call, index);
  if ((input.rowsAt ?? 0) > 0) throw unsupported(call, 'of rows that are not the first dimension');
  return input;
}

/** @throws NativeRefusal where the input is left out */
export function anyInputOf({ op, inputs }: OperatorCall, index: number): Tensor {
  const input = inputs[index];
  if (input === undefined) throw new NativeRefusal(`operator ${op} without input ${index} is not compiled`);
  return input;
}

/** Refuses a way to use an operator. */
export function unsupported({ op }: OperatorCall, how: string): NativeRefusal {
  return new NativeRefusal(`operator ${op} ${how} is not compiled`);
}

/** The attributes of a node, decoded when asked for; those that the file leaves out are undefined or []. */
export class NodeAttributes {
  readonly #node: GraphNode;

  constructor(node: GraphNode) {
    this.#node = node;
  }

  integer(name: string): number | undefined {
    const attribute = this.#of(name);
    return attribute === undefined ? undefined : Number(attribute.integer);
  }

  float(name: string): number | undefined {
    return this.#of(name)?.float;
  }

  text(name: string): string | undefined {
    const bytes = this.#of(name)?.text;
    return bytes === undefined ? undefined : utf8(bytes);
  }

  integers(name: string): number[] {
    return this.#of(name)?.integers.map(Number) ?? [];
  }

  /** Integers of 64 bits, which numbers round past 2^53. */
  wide(name: string): bigint[] {
    return this.#of(name)?.integers ?? [];
  }

  floats(name: string): number[] {
    return this.#of(name)?.floats ?? [];
  }

  texts(name: string): string[] {
    return this.#of(name)?.texts.map(utf8) ?? [];
  }

  tensor(name: string): Tensor | undefined {
    const tensor = this.#of(name)?.tensor;
    return tensor === undefined ? undefined : constantTensor(tensor);
  }

  has(name: string): boolean {
    return this.#node.attributes.has(name);
  }

  #of(name: string): AttributeMessage | undefined {
    const span = this.#node.attributes.get(name);
    return span === undefined ? undefined : readAttribute(span);
  }
}

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

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
  return new Map([...initializers].map(([name, span]) => [name, constantTensor(readTensor(span))]));
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
