import { PgscoreError } from '../errors.ts';
import { integerAttribute } from './attributes.ts';
import { ATTRIBUTE, SPARSE, TENSOR } from './layout.ts';
import { readNode } from './outline.ts';
import { dimsOf } from './tensors.ts';
import { parts, textField, type Span } from './wire.ts';

type Part = { readonly name: string; readonly axis: number };

/**
 * Finds parts of Concat without elements, yet with a size along the axis. ONNX Runtime skips such a part and leaves its place in the
 * result as it was in memory. Found are constants of any graph or function: initializers and outputs of Constant. A part that another
 * node computes is not, nor one that a function calls by another name.
 */
export class EmptyParts {
  /** One name may stand for tensors of several graphs. */
  readonly #empty = new Map<string, number[][]>();
  readonly #joined: Part[] = [];

  addTensor(tensor: Span, dims: number[]): void {
    if (dims.includes(0)) this.#add(textField(tensor, TENSOR.name), dims);
  }

  addNode(op: string, message: Span): void {
    if (op !== 'Concat' && op !== 'Constant') return;
    const node = readNode({ field: message, payload: message });
    const axis = integerAttribute(node, 'axis') ?? 0;
    if (op === 'Concat') this.#joined.push(...node.inputs.map((name) => ({ name, axis })));
    else for (const attribute of node.attributes.values()) this.#addValue(node.outputs[0] ?? '', attribute);
  }

  #addValue(name: string, attribute: Span): void {
    for (const { payload } of parts(attribute, ATTRIBUTE.tensor)) this.#add(name, dimsOf(payload, TENSOR.dims));
    for (const { payload } of parts(attribute, ATTRIBUTE.sparse)) this.#add(name, dimsOf(payload, SPARSE.dims));
  }

  #add(name: string, dims: number[]): void {
    if (!dims.includes(0)) return;
    const known = this.#empty.get(name);
    if (known === undefined) this.#empty.set(name, [dims]);
    else known.push(dims);
  }

  /** @throws PgscoreError model_refused_operator */
  refuse(): void {
    for (const { name, axis } of this.#joined) {
      const dims = this.#empty.get(name)?.find((sizes) => (sizes.at(axis) ?? 0) !== 0);
      if (dims === undefined) continue;
      throw new PgscoreError(
        'model_refused_operator',
        `the model uses operator Concat, which is refused: its part '${name}' of dimensions ${dims.join(' x ')} has no elements`,
        { remedy: 'Leave the empty part out of the concatenation.' },
      );
    }
  }
}
