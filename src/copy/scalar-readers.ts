import { Float64, Int32, Uint8 } from 'apache-arrow';
import { NumberColumn } from './number-column.ts';
import { readNumeric } from './numeric.ts';
import { protocolError } from './protocol-error.ts';
import type { ValueReader } from './value-reader.ts';

/** boolean as Uint8: 0 or 1, which is what a bool tensor wants. */
export function boolReader(name: string): ValueReader {
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
export function int2Reader(name: string): ValueReader {
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
export function numericReader(name: string): ValueReader {
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
