import { Float64, Utf8, Int32, Uint8, type Binary } from 'apache-arrow';
import { arrayReader, isArrayType, vectorReader } from './array-readers.ts';
import type { FeatureColumn, SqlType } from './source-column.ts';
import { NumberColumn, BytesColumn, type ValueReader } from './columns.ts';
import { readNumeric } from './numeric.ts';
import { protocolError } from './format.ts';
import { outOfRange } from '../inference/predictions.ts';

/** Types whose values travel as four or eight bytes: they are read in runs. */
export type RunType = 'int4' | 'float4' | 'int8' | 'float8';

/** The reader of a feature of `type` that belongs to no run. */
export function featureReader(type: Exclude<SqlType, RunType>, feature: FeatureColumn): ValueReader {
  if (isArrayType(type)) return arrayReader(type, feature);
  switch (type) {
    case 'bool':
      return boolReader(feature.name);
    case 'int2':
      return int2Reader(feature.name);
    case 'numeric':
      return numericReader(feature.name);
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
      return outOfRange({ name, type: 'float64' });
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
