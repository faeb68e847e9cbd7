import { elementwise } from '../broadcast.ts';
import { inputOf, unsupported } from '../operator.ts';
import type { OperatorCall, Operators } from '../operator.ts';
import { rounded } from '../rounding.ts';
import { sum, weightedSum } from '../sums.ts';
import { constantsOf, perRow } from '../tensor.ts';
import type { Tensor } from '../tensor.ts';
import { isFloat } from '../term.ts';

export const products: Operators = { MatMul, Gemm };

function MatMul(call: OperatorCall): Tensor[] {
  return [product(call, 1, false)];
}

function Gemm(call: OperatorCall): Tensor[] {
  const { attributes } = call;
  if ((attributes.integer('transA') ?? 0) !== 0) throw unsupported(call, 'of the transposed rows');
  const made = product(call, attributes.float('alpha') ?? 1, attributes.integer('transB') === 1);
  const added = call.inputs[2];
  if (added === undefined) return [made];
  if ((attributes.float('beta') ?? 1) !== 1) throw unsupported(call, 'with a beta other than 1');
  return [elementwise(call.op, [made, added], (a, b) => sum(a.kind, [a, b]))];
}

/** A row of columns times a constant matrix. */
function product(call: OperatorCall, scale: number, transposed: boolean): Tensor {
  const [rows, matrix] = [inputOf(call, 0), inputOf(call, 1)];
  const weights = constantsOf(matrix)?.map(Number);
  const [first = 0, second = 0] = matrix.shape;
  const [inner, outer] = transposed ? [second, first] : [first, second];
  const fits = rows.perRow && rows.shape.length === 1 && matrix.shape.length === 2 && rows.cells.length === inner;
  if (weights === undefined || !fits || !isFloat(rows.kind))
    throw unsupported(call, 'of other than a row and a constant matrix');
  const cells = Array.from({ length: outer }, (_, column) => {
    const own = rows.cells.map(
      (__, row) => scale * (weights[transposed ? column * inner + row : row * outer + column] ?? 0),
    );
    return weightedSum(rows.kind, rows.cells.map(rounded), own, 0);
  });
  return perRow(rows.kind, [outer], cells);
}
