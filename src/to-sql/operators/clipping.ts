import { elementwise } from '../broadcast.ts';
import { compareTo, isNaNTerm } from '../comparison.ts';
import { inputOf, unsupported } from '../operator.ts';
import type { OperatorCall, Operators } from '../operator.ts';
import { exactly } from '../rounding.ts';
import type { Tensor } from '../tensor.ts';
import { build, constant, isFloat } from '../term.ts';
import type { Term } from '../term.ts';

export const clipping: Operators = { Clip };

function Clip(call: OperatorCall): Tensor[] {
  const input = inputOf(call, 0);
  if (!isFloat(input.kind)) throw unsupported(call, `of ${input.kind}`);
  const low = bound(call, 1, 'min') ?? -Infinity;
  const high = bound(call, 2, 'max') ?? Infinity;
  return [elementwise(call.op, [input], (cell) => clipped(cell, low, high), input.kind)];
}

/** Limits were attributes before version 11. */
function bound(call: OperatorCall, index: number, name: string): number | undefined {
  const given = call.inputs[index];
  if (given === undefined) return call.attributes.float(name);
  const value = given.cells[0]?.constant;
  if (value === undefined) throw unsupported(call, 'to limits that are computed');
  return Number(value);
}

/** NaN stays NaN. */
function clipped(cell: Term, low: number, high: number): Term {
  const [least, most] = [constant(cell.kind, low), constant(cell.kind, high)];
  const value = exactly(cell);
  return build(cell.kind, { picks: true })`case when ${compareTo(cell, '<', low)} then ${least}
    when ${compareTo(cell, '<=', high)} or ${isNaNTerm(value)} then ${value} else ${most} end`;
}
