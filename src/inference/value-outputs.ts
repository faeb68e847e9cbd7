import type { RunOutput } from './graph.ts';
import type { Predictions } from './predictions.ts';
import { hasOwnLabel, valuesWidth, type Signature, type ValueOutput } from './signature.ts';

/** Writes the first `rows` rows of a run's outputs into predictions, from row `at` on. */
export type OutputReader = (outputs: readonly RunOutput[], at: number, rows: number, into: Predictions) => void;

export function numbers(output: RunOutput | undefined): ArrayLike<number | bigint> {
  return (output?.data ?? []) as ArrayLike<number | bigint>;
}

/** Whether numbers from one index to another, end excluded, are finite. */
function areFinite(values: Float64Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (!Number.isFinite(values[at])) return false;
  return true;
}

export function reject(errors: Predictions['errors'], row: number): void {
  if (errors.has(row)) return;
  errors.set(row, { code: 'non_finite_output', message: 'the model returned no finite number' });
}

/** Without a threshold, and without labels of the model's own. */
const HALF = 0.5;

/** The outputs that hold the values of a row, and behind them that of several labels where it decides. */
export function neededValues(signature: Signature): string[] {
  const { values = [], label } = signature.outputs;
  const own = signature.task === 'multilabel' && (hasOwnLabel(signature) || values.length === 0);
  return [...values, ...(own && label !== undefined ? [label] : [])].map(({ name }) => name);
}

/** Targets, quantiles or an embedding, out of one output or several. */
export function valuesReader(signature: Signature): OutputReader {
  const {
    outputs: { values: read = [] },
    scoreValue,
  } = signature;
  const width = valuesWidth(signature);
  return (outputs, at, rows, { score, values, errors }) => {
    if (values === undefined) return;
    let column = 0;
    for (const [index, output] of read.entries()) {
      copy(numbers(outputs[index]), output.width, { into: values, from: at * width + column, width, rows });
      column += output.width;
    }
    for (let row = at; row < at + rows; row += 1) {
      if (!areFinite(values, row * width, (row + 1) * width)) reject(errors, row);
      else if (scoreValue !== undefined) score[row] = values[row * width + scoreValue] ?? Number.NaN;
    }
  };
}

/** Probabilities of the labels, and the labels: by the threshold, else as the model returns them. */
export function multilabelReader(signature: Signature, shareOf: (probability: number) => number): OutputReader {
  const { outputs, valueNames = [], threshold } = signature;
  const labels = valueNames.length;
  const read = outputs.values ?? [];
  const own = read.length === 0 || hasOwnLabel(signature) ? read.length : undefined;
  return (returned, at, rows, { values, errors }) => {
    if (values === undefined) return;
    const probabilityOf = probabilitiesOf(read, returned, rows);
    const label = own === undefined ? undefined : returned[own];
    for (let row = 0; row < rows; row += 1) {
      const to = (at + row) * 2 * labels;
      for (let index = 0; index < labels; index += 1) {
        const probability = probabilityOf(row, index);
        if (read.length > 0) values[to + index] = shareOf(probability);
        values[to + labels + index] =
          label === undefined ? Number(probability >= (threshold ?? HALF)) : Number(label.data[row * labels + index]);
      }
      const first = read.length === 0 ? to + labels : to;
      if (!areFinite(values, first, to + 2 * labels)) reject(errors, at + row);
    }
  };
}

/** Of one matrix with a column a label, one with a layer a label, or an output a label. Of two columns the last is the probability. */
function probabilitiesOf(
  read: readonly ValueOutput[],
  returned: readonly RunOutput[],
  rows: number,
): (row: number, label: number) => number {
  const data = read.map((_, index) => numbers(returned[index]));
  const [first] = read;
  const [matrix] = data;
  if (first?.layers !== undefined) {
    const { width } = first;
    // A padded batch has more rows than are read.
    const all = returned[0]?.dims[1] ?? rows;
    return (row, label) => Number(matrix?.[(label * all + row + 1) * width - 1]);
  }
  if (read.length === 1) return (row, label) => Number(matrix?.[row * (first?.width ?? 1) + label]);
  return (row, label) => Number(data[label]?.[(row + 1) * (read[label]?.width ?? 1) - 1]);
}

type Destination = {
  readonly into: Float64Array;
  readonly from: number;
  readonly width: number;
  readonly rows: number;
};

/** Copies a matrix into some columns of another, which has `width` of them. */
function copy(matrix: ArrayLike<number | bigint>, columns: number, { into, from, width, rows }: Destination): void {
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1)
      into[from + row * width + column] = Number(matrix[row * columns + column]);
  }
}
