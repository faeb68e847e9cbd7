import type { Float32, Float64 } from 'apache-arrow';
import { ListColumn } from './list-column.ts';
import type { RowError } from '../inference/row-error.ts';
import { NULL_LENGTH } from './format.ts';
import { protocolError } from './protocol-error.ts';
import type { FeatureColumn } from './source-column.ts';
import type { ValueReader } from './value-reader.ts';

/** int32 dimensions, has-null flag, element type, then int32 size and lower bound of each dimension. */
const FIXED_BYTES = 12;
const DIMENSION_BYTES = 8;

/** How the elements of an array travel: the OID of their type, their Arrow type, and how one is moved. */
export type ElementLayout<T extends Float32 | Float64> = {
  readonly oid: number;
  readonly type: T;
  readonly bytes: 4 | 8;
  readonly get: (view: DataView, at: number) => number;
};

/**
 * real[] or double precision[] as a vector of the feature's width. Any other length, more than one dimension, or a NULL
 * among the elements makes the row one that can't be scored.
 */
export function arrayReader<T extends Float32 | Float64>(
  feature: FeatureColumn,
  element: ElementLayout<T>,
): ValueReader {
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
export function wrongLength(name: string, found: string, width: number): RowError {
  return { code: 'wrong_length', message: `${name} has ${found}, the model takes ${width}`, feature: name };
}

function nullElement(name: string, index: number): RowError {
  return { code: 'null_feature', message: `element ${index + 1} of ${name} is NULL`, feature: name };
}
