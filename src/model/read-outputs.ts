import type { RunOutput } from './graph.ts';
import type { Predictions } from './predictions.ts';
import type { Signature } from './signature.ts';

/** Writes the first `rows` rows of a run's outputs into predictions, from row `at` on. */
export type OutputReader = (outputs: readonly RunOutput[], at: number, rows: number, into: Predictions) => void;

/** The outputs that a version needs from a run; labels are left out where they follow from the probabilities. */
export function neededOutputs({ outputs }: Signature): string[] {
  const { value, probabilities, label } = outputs;
  const needed = value ?? probabilities ?? label;
  return needed === undefined ? [] : [needed.name];
}

/** How the output of a version is read, settled once. */
export function outputReader(signature: Signature): OutputReader {
  if (signature.task === 'regression') return readValues;
  if (signature.outputs.probabilities === undefined) return labelReader(signature.classLabels);
  if (signature.task === 'multiclass') return readMulticlass;
  return binaryReader(signature);
}

const readValues: OutputReader = ([output], at, rows, { score, errors }) => {
  const values = numbers(output);
  for (let row = 0; row < rows; row += 1) {
    const value = Number(values[row]);
    if (Number.isFinite(value)) score[at + row] = value;
    else reject(errors, at + row);
  }
};

const readMulticlass: OutputReader = ([output], at, rows, { score, label, probabilities, errors, rows: all }) => {
  const values = numbers(output);
  const classes = (probabilities?.length ?? 0) / all;
  for (let row = 0; row < rows; row += 1) {
    let best = -1;
    let highest = -Infinity;
    let finite = true;
    for (let index = 0; index < classes; index += 1) {
      const value = Number(values[row * classes + index]);
      finite = finite && Number.isFinite(value);
      if (value > highest) [best, highest] = [index, value];
      if (probabilities !== null) probabilities[(at + row) * classes + index] = value;
    }
    score[at + row] = highest;
    if (label !== null) label[at + row] = best;
    if (!finite) reject(errors, at + row);
  }
};

/** Two columns, or one of P(positive): a network that ends in a sigmoid returns one. */
function binaryReader({ outputs, classLabels, positiveClass = '', threshold = 0.5 }: Signature): OutputReader {
  const width = outputs.probabilities?.width ?? 2;
  const positive = classLabels.indexOf(positiveClass);
  const negative = 1 - positive;
  return ([output], at, rows, { score, label, probabilities, errors }) => {
    const values = numbers(output);
    for (let row = 0; row < rows; row += 1) {
      const first = row * width;
      const value = Number(values[width === 1 ? first : first + positive]);
      const other = width === 1 ? 1 - value : Number(values[first + negative]);
      if (!Number.isFinite(value + other)) {
        reject(errors, at + row);
        continue;
      }
      score[at + row] = value;
      if (label !== null) label[at + row] = value >= threshold ? positive : negative;
      if (probabilities === null) continue;
      probabilities[2 * (at + row) + positive] = value;
      probabilities[2 * (at + row) + negative] = other;
    }
  };
}

function labelReader(classLabels: readonly string[]): OutputReader {
  const indexOf = new Map(classLabels.map((label, index) => [label, index]));
  return ([output], at, rows, { label, errors }) => {
    for (let row = 0; row < rows; row += 1) {
      const index = indexOf.get(labelText(output, row));
      if (index !== undefined && label !== null) label[at + row] = index;
      else errors.set(at + row, { code: 'unknown_label', message: 'the model returned a label that it never named' });
    }
  };
}

/** A label of a run as text: integers in decimal, booleans as 0 and 1, as class labels are written. */
function labelText(output: RunOutput | undefined, row: number): string {
  return String(output?.data[row]);
}

function numbers(output: RunOutput | undefined): ArrayLike<number | bigint> {
  return (output?.data ?? []) as ArrayLike<number | bigint>;
}

function reject(errors: Predictions['errors'], row: number): void {
  if (errors.has(row)) return;
  errors.set(row, { code: 'non_finite_output', message: 'the model returned no finite number' });
}
