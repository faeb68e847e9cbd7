import { isInRange } from './narrow.ts';
import type { Feature, ModelInput, TensorType } from './signature.ts';
import type { NumberColumn } from './column.ts';

/** The tensor of one input for a whole batch: row-major, `input.width` elements to a row. */
export type Feed = {
  readonly input: ModelInput;
  readonly data: FeedData;
  /** Of an input of any length: row i is data[offsets[i] .. offsets[i + 1]]. */
  readonly offsets?: Int32Array;
};

export type FeedData = NumberData | string[];

/** Any tensor's elements, where the code does not care which: from and to are of one type. */
export type Cells = { [index: number]: number | bigint | string };

export function emptyFeed(input: ModelInput, rows: number): Feed {
  const length = rows * input.width;
  if (input.type === 'string') return { input, data: Array.from<string>({ length }).fill('') };
  return { input, data: new ARRAY_OF[input.type](length) };
}

/** Rows `from` to `to`, end excluded; a view, except for texts. */
export function rowsOf({ input, data }: Feed, from: number, to: number): FeedData {
  const [start, end] = [from * input.width, to * input.width];
  return Array.isArray(data) ? data.slice(start, end) : data.subarray(start, end);
}

/** `rows` rows that begin with those from `from` to `to` and repeat the last of them. */
export function paddedRowsOf(feed: Feed, from: number, to: number, rows: number): FeedData {
  const padded = emptyFeed(feed.input, rows);
  for (let row = 0; row < rows; row += 1) copyRow(feed, Math.min(from + row, to - 1), padded, row);
  return padded.data;
}

/** Writes row `from` of one feed over row `to` of another of the same input. */
export function copyRow(source: Feed, from: number, target: Feed, to: number): void {
  const { width } = source.input;
  const cells: Cells = target.data;
  for (let column = 0; column < width; column += 1) {
    const value = source.data[from * width + column];
    if (value !== undefined) cells[to * width + column] = value;
  }
}

type NumberTensorType = Exclude<TensorType, 'string'>;

export type NumberData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

/** Tells of element `index` that the type of the feature can't hold it. */
type Misfit = (index: number) => void;

const ARRAY_OF = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const satisfies Record<NumberTensorType, unknown>;

/** The values of a column as a feature takes them. Those that it can't hold are reported, but for NaN. */
export function castToFeature(column: NumberColumn, { type, element }: Feature, misfit: Misfit): NumberData {
  const report = (index: number): void => {
    if (!Number.isNaN(column.values[index])) misfit(index);
  };
  const cast = castNumbers(column, type as NumberTensorType, report);
  if (element !== undefined) {
    for (let index = 0; index < cast.length; index += 1) if (!isInRange(element, Number(cast[index]))) report(index);
  }
  return cast;
}

/**
 * The values of a column as the element type of a tensor: the column's own array where that is its type already. What
 * does not fit is reported, NULL slots included, whose content means nothing.
 */
function castNumbers({ kind, values }: NumberColumn, type: NumberTensorType, misfit: Misfit): NumberData {
  if (kind === type) return values;
  if (type === 'int64') return values instanceof BigInt64Array ? values : widen(values, misfit);
  if (values instanceof BigInt64Array) return narrow(values, type, misfit);
  // The constructor of a typed array converts in native code, ten times as fast as a loop here.
  const cast = new ARRAY_OF[type](values);
  if (type === 'float32' && kind === 'float64') reportOverflow(cast, values, misfit);
  else if (type === 'int32' && kind !== 'bool') reportChanges(cast, values, misfit);
  else if (type === 'bool')
    reportChanges(
      cast.map((value) => Math.min(value, 1)),
      values,
      misfit,
    );
  return cast;
}

function reportOverflow(cast: Exclude<NumberData, BigInt64Array>, values: ArrayLike<number>, misfit: Misfit): void {
  for (let i = 0; i < cast.length; i += 1) {
    const value = cast[i];
    if ((value === Infinity || value === -Infinity) && value !== values[i]) misfit(i);
  }
}

function reportChanges(cast: Exclude<NumberData, BigInt64Array>, values: ArrayLike<number>, misfit: Misfit): void {
  for (let i = 0; i < cast.length; i += 1) if (cast[i] !== values[i]) misfit(i);
}

const TWO_32 = 2 ** 32;

/** int64 as numbers, put together from two words each: making a BigInt of every value would cost six times as much. */
function narrow(values: BigInt64Array, type: Exclude<NumberTensorType, 'int64'>, misfit: Misfit): NumberData {
  const words = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
  const cast = new ARRAY_OF[type](values.length);
  const exact = type === 'int32' || type === 'bool';
  const largest = type === 'bool' ? 1 : Infinity;
  for (let i = 0; i < cast.length; i += 1) {
    const value = (words[2 * i + 1] ?? 0) * TWO_32 + ((words[2 * i] ?? 0) >>> 0);
    cast[i] = value;
    if (exact && (cast[i] !== value || value > largest)) misfit(i);
  }
  return cast;
}

/** Whole numbers as int64, written as two words each for the same reason. */
function widen(values: Exclude<NumberData, BigInt64Array>, misfit: Misfit): BigInt64Array {
  const cast = new BigInt64Array(values.length);
  const words = new Int32Array(cast.buffer);
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] ?? 0;
    const word = value | 0;
    words[2 * i] = word;
    words[2 * i + 1] = word >> 31;
    if (word === value) continue;
    if (Number.isSafeInteger(value)) cast[i] = BigInt(value);
    else misfit(i);
  }
  return cast;
}
