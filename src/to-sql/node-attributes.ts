import { AttributeProtoSchema } from 'onnx-buf';
import type { AttributeProto } from 'onnx-buf';
import { decode } from '../onnx/decode.ts';
import type { GraphNode } from '../onnx/outline.ts';
import { constantTensor } from './tensor.ts';
import type { Tensor } from './tensor.ts';

/** The attributes of a node, decoded when asked for; those that the file leaves out are undefined or []. */
export class NodeAttributes {
  readonly #node: GraphNode;

  constructor(node: GraphNode) {
    this.#node = node;
  }

  integer(name: string): number | undefined {
    const attribute = this.#of(name);
    return attribute === undefined ? undefined : Number(attribute.i);
  }

  float(name: string): number | undefined {
    return this.#of(name)?.f;
  }

  text(name: string): string | undefined {
    const bytes = this.#of(name)?.s;
    return bytes === undefined ? undefined : utf8(bytes);
  }

  integers(name: string): number[] {
    return this.#of(name)?.ints.map(Number) ?? [];
  }

  /** Integers of 64 bits, which numbers round past 2^53. */
  wide(name: string): bigint[] {
    return this.#of(name)?.ints ?? [];
  }

  floats(name: string): number[] {
    return this.#of(name)?.floats ?? [];
  }

  texts(name: string): string[] {
    return this.#of(name)?.strings.map(utf8) ?? [];
  }

  tensor(name: string): Tensor | undefined {
    const tensor = this.#of(name)?.t;
    return tensor === undefined ? undefined : constantTensor(tensor);
  }

  has(name: string): boolean {
    return this.#node.attributes.has(name);
  }

  #of(name: string): AttributeProto | undefined {
    const span = this.#node.attributes.get(name);
    return span === undefined ? undefined : decode(AttributeProtoSchema, span);
  }
}

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}
