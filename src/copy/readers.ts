import { Float32, Float64, Utf8, Int32, Uint8, type Binary } from 'apache-arrow';
import type { FeatureColumn, SqlType } from './source-column.ts';
import { type ColumnBuilder, NumberColumn, BytesColumn, ListColumn } from './columns.ts';
import type { RowError } from '../inference/predictions.ts';
import type { ViewedBytes } from '../lib/bytes.ts';
import { readNumeric } from './numeric.ts';
import { protocolError, NULL_LENGTH } from './format.ts';

/** Types whose values travel as four or eight bytes: they are read in runs. */
export type RunType = 'int4' | 'float4' | 'int8' | 'float8';

const FLOAT4: ElementLayout<Float32> = {
  oid: 700,
  type: new Float32(),
  bytes: 4,
  get: (view, at) => view.getFloat32(at),
};

const FLOAT8: ElementLayout<Float64> = {
  oid: 701,
  type: new Float64(),
  bytes: 8,
  get: (view, at) => view.getFloat64(at),
};

/** The reader of a feature of `type` that belongs to no run. */
export function featureReader(type: Exclude<SqlType, RunType>, feature: FeatureColumn): ValueReader {
  switch (type) {
    case 'bool':
      return boolReader(feature.name);
    case 'int2':
      return int2Reader(feature.name);
    case 'numeric':
      return numericReader(feature.name);
    case '_float4':
      return arrayReader(feature, FLOAT4);
    case '_float8':
      return arrayReader(feature, FLOAT8);
    case 'vector':
      return vectorReader(feature);
    case 'text':
    case 'varchar':
    case 'bpchar':
    case 'name':
    case 'enum':
      return bytesReader(new Utf8());
  }
}

/** How the values of one column are read, decided once. */
export interface ValueReader {
  readonly column: ColumnBuilder;
  /**
   * Reads the `length` bytes at `at` as the value of `row`. Returns why that row can't be scored, where it can't; raises
   * `copy_protocol` for bytes that are no value of the column's type.
   */
  read(chunk: ViewedBytes, at: number, length: number, row: number): RowError | undefined;
}

/** boolean as Uint8: 0 or 1, which is what a bool tensor wants. */
function boolReader(name: string): ValueReader {
  const column = new NumberColumn(new Uint8());
  return {
    column,
    read({ view }, at, length, row) {
      if (length !== 1) throw protocolError(`a boolean of ${name} has ${length} bytes`);
      column.values[row] = view.getUint8(at);
      return undefined;
    },
  };
}

/** smallint as Int32. */
function int2Reader(name: string): ValueReader {
  const column = new NumberColumn(new Int32());
  return {
    column,
    read({ view }, at, length, row) {
      if (length !== 2) throw protocolError(`a smallint of ${name} has ${length} bytes`);
      column.values[row] = view.getInt16(at);
      return undefined;
    },
  };
}

/** The wire form of a numeric without digits: NaN, an infinity or zero. */
const NO_DIGITS = 8;

/** numeric as Float64, correctly rounded; a row with one too large for it can't be scored. */
function numericReader(name: string): ValueReader {
  const column = new NumberColumn(new Float64());
  return {
    column,
    read({ view }, at, length, row) {
      const value = readNumeric(view, at, length);
      if (value === undefined) throw protocolError(`${length} bytes of ${name} are no numeric`);
      column.values[row] = value;
      if (length === NO_DIGITS || Number.isFinite(value)) return undefined;
      return { code: 'out_of_range', message: `${name} is a number that float64 can not hold`, feature: name };
    },
  };
}

/** Bytes as they are: text, whose encoding the server has checked, and whatever passes through undecoded. */
export function bytesReader(type: Binary | Utf8): ValueReader {
  const column = new BytesColumn(type);
  return {
    column,
    read(chunk, at, length, row) {
      column.append(row, chunk, at, length);
      return undefined;
    },
  };
}

/** int32 dimensions, has-null flag, element type, then int32 size and lower bound of each dimension. */
const FIXED_BYTES = 12;
const DIMENSION_BYTES = 8;

/** How the elements of an array travel: the OID of their type, their Arrow type, and how one is moved. */
type ElementLayout<T extends Float32 | Float64> = {
  readonly oid: number;
  readonly type: T;
  readonly bytes: 4 | 8;
  readonly get: (view: DataView, at: number) => number;
};

/**
 * real[] or double precision[] as a vector of the feature's width. Any other length, more than one dimension, or a NULL
 * among the elements makes the row one that can't be scored.
 */
function arrayReader<T extends Float32 | Float64>(feature: FeatureColumn, element: ElementLayout<T>): ValueReader {
  const { name, width } = feature;
  const column = new ListColumn(element.type, width);
  return {
    column,
    read({ view }, at, length, row) {
      const problem = shapeProblem(name, width, element.oid, view, at, length);
      if (problem !== undefined) return problem;
      const values = column.elements.values;
      const end = at + length;
      let next = at + FIXED_BYTES + DIMENSION_BYTES;
      for (let index = 0; index < width; index += 1) {
        const size = end - next < 4 ? 0 : view.getInt32(next);
        next += 4;
        if (size === NULL_LENGTH) return nullElement(name, index);
        if (size !== element.bytes || end - next < size) throw protocolError(`an array of ${name} is damaged`);
        values[row * width + index] = element.get(view, next);
        next += size;
      }
      if (next !== end) throw protocolError(`an array of ${name} is damaged`);
      return undefined;
    },
  };
}

function shapeProblem(
  name: string,
  width: number,
  oid: number,
  view: DataView,
  at: number,
  length: number,
): RowError | undefined {
  if (length < FIXED_BYTES) throw protocolError(`an array of ${name} has ${length} bytes`);
  const dimensions = view.getInt32(at);
  const found = view.getUint32(at + 8);
  if (found !== oid) throw protocolError(`the elements of ${name} have type ${found}, not ${oid}`);
  if (dimensions > 1) return wrongLength(name, `${dimensions} dimensions`, width);
  if (dimensions === 0) return wrongLength(name, 'no elements', width);
  if (length < FIXED_BYTES + DIMENSION_BYTES) throw protocolError(`an array of ${name} is damaged`);
  const size = view.getInt32(at + FIXED_BYTES);
  return size === width ? undefined : wrongLength(name, `${size} elements`, width);
}

/** The row error of a vector of another shape than the model takes. */
function wrongLength(name: string, found: string, width: number): RowError {
  return { code: 'wrong_length', message: `${name} has ${found}, the model takes ${width}`, feature: name };
}

function nullElement(name: string, index: number): RowError {
  return { code: 'null_feature', message: `element ${index + 1} of ${name} is NULL`, feature: name };
}

/** pgvector's `vector`: int16 dimension, int16 unused, then that many float4. */
function vectorReader(feature: FeatureColumn): ValueReader {
  const { name, width } = feature;
  const column = new ListColumn(new Float32(), width);
  return {
    column,
    read({ view }, at, length, row) {
      const dimension = length < 4 ? -1 : view.getUint16(at);
      if (length !== 4 + 4 * dimension) throw protocolError(`a vector of ${name} is damaged`);
      if (dimension !== width) return wrongLength(name, `${dimension} elements`, width);
      const words = column.elements.words;
      for (let index = 0; index < width; index += 1) words[row * width + index] = view.getInt32(at + 4 + 4 * index);
      return undefined;
    },
  };
}
