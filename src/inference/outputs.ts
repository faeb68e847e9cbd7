import type { RunOutput } from './graph.ts';
import { numbers, reject, type OutputReader, multilabelReader, neededValues, valuesReader } from './value-outputs.ts';
import type { RowError } from './predictions.ts';
import { hasOwnLabel, type Margins, type Signature, type TensorType } from './signature.ts';
import { PgscoreError } from '../errors.ts';
import type { Outline } from '../onnx/outline.ts';

/** The outputs that a version needs from a run; labels are left out where they follow from the probabilities. */
export function neededOutputs(signature: Signature): string[] {
  const { value, probabilities, label, margins } = signature.outputs;
  if (margins !== undefined && label !== undefined) return [margins.name, label.name];
  if (signature.valueNames !== undefined) return neededValues(signature);
  const needed = value ?? probabilities ?? label;
  if (needed === undefined) return [];
  return [
    needed.name,
    ...(needed === probabilities && hasOwnLabel(signature) && label !== undefined ? [label.name] : []),
  ];
}

/** How the output of a version is read, found once. `shareOf` is what becomes of a probability as the model returned it. */
export function outputReader(signature: Signature, shareOf = clamped): OutputReader {
  if (signature.task === 'multilabel') return multilabelReader(signature, shareOf);
  if (signature.valueNames !== undefined) return valuesReader(signature);
  if (signature.task === 'regression') return readValues;
  if (signature.outputs.margins !== undefined) return marginReader(signature, signature.outputs.margins);
  if (signature.outputs.probabilities === undefined) return labelReader(signature.classLabels);
  if (signature.task === 'binary') return binaryReader(signature, shareOf);
  return hasOwnLabel(signature) ? ownClassReader(signature, shareOf) : multiclassReader(shareOf);
}

/** A sum of float32 weights comes to a little more than 1. NaN stays NaN. */
function clamped(probability: number): number {
  if (probability > 1) return 1;
  return probability < 0 ? 0 : probability;
}

const readValues: OutputReader = ([output], at, rows, { score, errors }) => {
  const values = numbers(output);
  for (let row = 0; row < rows; row += 1) {
    const value = Number(values[row]);
    if (Number.isFinite(value)) score[at + row] = value;
    else reject(errors, at + row);
  }
};

/** The class that the model returned, and its probability. */
function ownClassReader({ classLabels }: Signature, shareOf: (probability: number) => number): OutputReader {
  const readLikeliest = multiclassReader(shareOf);
  const indexes = indexesOf(classLabels, true);
  return (outputs, at, rows, into) => {
    readLikeliest(outputs, at, rows, into);
    const { score, label, probabilities, errors } = into;
    const labelOf = labelsIn(outputs[1]);
    for (let row = at; row < at + rows; row += 1) {
      const own = indexes.get(labelOf(row - at));
      if (own === undefined) errors.set(row, UNKNOWN_LABEL);
      else if (label !== null && probabilities !== null) {
        label[row] = own;
        score[row] = probabilities[row * classLabels.length + own] ?? Number.NaN;
      }
    }
  };
}

function multiclassReader(shareOf: (probability: number) => number): OutputReader {
  return ([output], at, rows, { score, label, probabilities, errors, rows: all }) => {
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
        if (probabilities !== null) probabilities[(at + row) * classes + index] = shareOf(value);
      }
      score[at + row] = shareOf(highest);
      if (label !== null) label[at + row] = best;
      if (!finite) reject(errors, at + row);
    }
  };
}

/** Two columns, or one of P(positive): a network that ends in a sigmoid returns one. */
function binaryReader(signature: Signature, shareOf: (probability: number) => number): OutputReader {
  const { outputs, classLabels, positiveClass = '' } = signature;
  const width = outputs.probabilities?.width ?? 2;
  const positive = classLabels.indexOf(positiveClass);
  const negative = 1 - positive;
  const decider = deciderOf(signature, positive);
  return ([output, labels], at, rows, { score, label, probabilities, errors }) => {
    const values = numbers(output);
    const decide = decider(labels);
    for (let row = 0; row < rows; row += 1) {
      const first = row * width;
      const value = Number(values[width === 1 ? first : first + positive]);
      const other = width === 1 ? 1 - value : Number(values[first + negative]);
      if (!Number.isFinite(value + other)) {
        reject(errors, at + row);
        continue;
      }
      const decided = decide(value, other, row);
      if (decided === undefined) {
        errors.set(at + row, UNKNOWN_LABEL);
        continue;
      }
      score[at + row] = shareOf(value);
      if (label !== null) label[at + row] = decided;
      if (probabilities === null) continue;
      probabilities[2 * (at + row) + positive] = shareOf(value);
      probabilities[2 * (at + row) + negative] = shareOf(other);
    }
  };
}

/** The class of a row by its probabilities, the positive one first, or by what the model returned for it. */
type Decide = (value: number, other: number, row: number) => number | undefined;

/** By the deployer's threshold; without one by the model's own label; without that the more probable class, at a tie the first. */
function deciderOf(signature: Signature, positive: number): (labels: RunOutput | undefined) => Decide {
  const { threshold, classLabels } = signature;
  const negative = 1 - positive;
  if (threshold !== undefined) return () => (value) => (value >= threshold ? positive : negative);
  if (hasOwnLabel(signature)) {
    const indexes = indexesOf(classLabels, true);
    return (labels) => {
      const labelOf = labelsIn(labels);
      return (_value, _other, row) => indexes.get(labelOf(row));
    };
  }
  return () => (value, other) => (value > other || (value === other && positive === 0) ? positive : negative);
}

/** Numbers as they are, beside the model's own labels. Of two classes the other one has the opposite. */
function marginReader(
  { task, classLabels, positiveClass = '' }: Signature,
  { width, column = 0, sign = 1 }: Margins,
): OutputReader {
  const indexes = indexesOf(classLabels, true);
  const classes = classLabels.length;
  const positive = classLabels.indexOf(positiveClass);
  const ofClass = (values: ArrayLike<number | bigint>, row: number, index: number): number => {
    if (task === 'multiclass') return Number(values[row * width + index]);
    const margin = sign * Number(values[row * width + column]);
    return index === positive ? margin : -margin;
  };
  return ([output, labels], at, rows, { score, label, margins, errors }) => {
    const values = numbers(output);
    const labelOf = labelsIn(labels);
    for (let row = 0; row < rows; row += 1) {
      const said = indexes.get(labelOf(row));
      if (said === undefined) errors.set(at + row, UNKNOWN_LABEL);
      if (said === undefined || label === null) continue;
      let finite = true;
      for (let index = 0; index < classes; index += 1) {
        const value = ofClass(values, row, index);
        finite = finite && Number.isFinite(value);
        if (margins) margins[(at + row) * classes + index] = value;
      }
      score[at + row] = ofClass(values, row, task === 'multiclass' ? said : positive);
      label[at + row] = said;
      if (!finite) reject(errors, at + row);
    }
  };
}

/** Without numbers beside the labels nothing shows that they are positions. */
export function labelReader(classLabels: readonly string[], byPosition = false): OutputReader {
  const indexes = indexesOf(classLabels, byPosition);
  return ([output], at, rows, { label, errors }) => {
    const labelOf = labelsIn(output);
    for (let row = 0; row < rows; row += 1) {
      const index = indexes.get(labelOf(row));
      if (index !== undefined && label !== null) label[at + row] = index;
      else errors.set(at + row, UNKNOWN_LABEL);
    }
  };
}

const UNKNOWN_LABEL: RowError = { code: 'unknown_label', message: 'the model returned a label that it never named' };

/**
 * Where each class label stands, by what a run returns for it: a text, or a bigint or number that is written so, a boolean as 0 or 1.
 * `byPosition`: where no label is a number, also by its position, as the argmax() of a network has it.
 */
export function indexesOf(classLabels: readonly string[], byPosition: boolean): Map<unknown, number> {
  const isNumber = (label: string): boolean => /^-?\d+$/.test(label);
  const positions = byPosition && !classLabels.some(isNumber);
  const indexes = new Map<unknown, number>();
  for (const [index, label] of classLabels.entries()) {
    const written = positions ? String(index) : label;
    indexes.set(label, index);
    if (isNumber(written) && String(BigInt(written)) === written)
      indexes.set(BigInt(written), index).set(Number(written), index);
  }
  return indexes;
}

const TWO_32 = 2 ** 32;

/**
 * What a run returned for a row, as indexesOf() has it. A bigint is put together of its two words, the lower first, as on all machines
 * that onnxruntime-node runs on: to read it out of its array costs ten times as much.
 */
function labelsIn(output: RunOutput | undefined): (row: number) => unknown {
  const data = output?.data ?? [];
  if (!(data instanceof BigInt64Array)) return (row) => data[row];
  const words = new Int32Array(data.buffer, data.byteOffset, 2 * data.length);
  return (row) => {
    const label = (words[2 * row + 1] ?? 0) * TWO_32 + ((words[2 * row] ?? 0) >>> 0);
    return Number.isSafeInteger(label) ? label : data[row];
  };
}

/** An output as a run returned it; what files declare is often wrong: [N, 1] for two columns, [1] for any number. */
export type ObservedOutput = {
  readonly name: string;
  readonly type: TensorType;
  /** Values a row. */
  readonly width: number;
  /** Dimensions after that of the rows that are longer than 1. */
  readonly rank: number;
  /** Of [layers, rows, width]: how many matrices there are. */
  readonly layers?: number;
};

/** ONNX Runtime's names of the element types that pgscore reads. */
const READ: readonly string[] = ['float32', 'float64', 'int32', 'int64', 'bool', 'string'] satisfies TensorType[];

/**
 * The outputs of a run over `rows` rows that can be read and have a value for each row.
 * @throws PgscoreError model_output_rows where none has
 */
export function observedOutputs(outputs: readonly RunOutput[], rows: number): ObservedOutput[] {
  const perRow = outputs.filter((output) => output.dims[0] === rows || isLayered(output, rows));
  if (perRow.length === 0) outputs.forEach((output) => checkRows(output, rows));
  return perRow.filter(({ type }) => READ.includes(type)).map((output) => observed(output, isLayered(output, rows)));
}

/** As scikit-learn's forests return the probabilities of several labels: a matrix for each, one behind the other. */
function isLayered({ type, dims }: Pick<RunOutput, 'type' | 'dims'>, rows: number): boolean {
  return type.startsWith('float') && dims.length === 3 && dims[0] !== rows && dims[1] === rows;
}

function observed({ name, type, dims }: RunOutput, layered: boolean): ObservedOutput {
  const sizes = dims.slice(layered ? 2 : 1);
  const width = sizes.reduce((product, size) => product * size, 1);
  const rank = sizes.filter((size) => size > 1).length;
  return { name, type: type as TensorType, width, rank, ...(layered ? { layers: dims[0] ?? 1 } : {}) };
}

const FLATTENED =
  ' Of an MLPRegressor of several targets, take the last step out before onnx.save(): ' +
  '`last = m.graph.node.pop(); m.graph.node[-1].output[0] = last.output[0]`, with targets.';

/** @throws PgscoreError model_output_rows */
export function checkRows({ name, dims, type }: Pick<RunOutput, 'name' | 'dims' | 'type'>, rows: number): void {
  if (dims[0] === rows || isLayered({ dims, type }, rows)) return;
  const isFlattened = dims.length === 2 && dims[1] === 1 && Number(dims[0]) % rows === 0;
  const flattened = isFlattened ? FLATTENED : '';
  throw new PgscoreError(
    'model_output_rows',
    `the model returned ${dims[0] ?? 'no'} rows in '${name}' for ${rows} rows`,
    {
      remedy: type.startsWith('float')
        ? `Export the model so that the first dimension of inputs and outputs is the row.${flattened}`
        : 'Leave the labels out, which follow from the probabilities: `del m.graph.output[0]` before onnx.save(), with class_labels.',
    },
  );
}

/**
 * Refuses a graph that returns maps or sequences: its probabilities would be lost in silence.
 * @throws PgscoreError model_outputs_unsupported
 */
export function checkTensorsOnly({ outputs }: Outline): void {
  const other = outputs.find(({ type, declared }) => type === undefined && !declared.startsWith('tensor'));
  if (other === undefined) return;
  throw new PgscoreError('model_outputs_unsupported', `output '${other.name}' of the model is no tensor`, {
    remedy: "Export the model with tensors as outputs: `options={'zipmap': False}` in skl2onnx.",
  });
}
