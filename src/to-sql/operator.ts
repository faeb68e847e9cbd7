import type { CriticalValues } from './critical-values.ts';
import { NativeRefusal } from './literal.ts';
import type { NodeAttributes } from './node-attributes.ts';
import type { Tensor } from './tensor.ts';
import type { Term } from './term.ts';

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
