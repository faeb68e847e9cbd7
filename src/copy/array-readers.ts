import { Float32, Float64, Int32, Int64, Utf8 } from 'apache-arrow';
import { nullElement, wrongLength, type RowError } from '../inference/predictions.ts';
import { stepOf } from '../inference/signature.ts';
import type { ViewedBytes } from '../lib/bytes.ts';
import {
  AnyLengthColumn,
  BytesColumn,
  ListColumn,
  NumberColumn,
  type NumberType,
  type ValueReader,
} from './columns.ts';
import { NULL_LENGTH, protocolError } from './format.ts';
import type { FeatureColumn, SqlType } from './source-column.ts';

type ArrayType = '_float4' | '_float8' | '_int2' | '_int4' | '_int8' | '_text';

export function isArrayType(type: SqlType): type is ArrayType {
  return type.startsWith('_');
}

/** How the elements of an array travel: the OID of their type, their Arrow type, and how one is moved. */
type ElementLayout = {
  readonly oid: number;
  readonly type: NumberType;
  readonly bytes: 2 | 4 | 8;
  /** bigint as its two words, since making a BigInt of each would take longer than all the rest. */
  readonly put: (column: NumberColumn<NumberType>, index: number, view: DataView, at: number) => void;
};

const LAYOUTS: Readonly<Record<Exclude<ArrayType, '_text'>, ElementLayout>> = {
  _float4: { oid: 700, type: new Float32(), bytes: 4, put: putWord },
  _float8: { oid: 701, type: new Float64(), bytes: 8, put: putWords },
  _int2: {
    oid: 21,
    type: new Int32(),
    bytes: 2,
    put: ({ words }, index, view, at) => {
      words[index] = view.getInt16(at);
    },
  },
  _int4: { oid: 23, type: new Int32(), bytes: 4, put: putWord },
  _int8: { oid: 20, type: new Int64(), bytes: 8, put: putWords },
};

function putWord({ words }: NumberColumn<NumberType>, index: number, view: DataView, at: number): void {
  words[index] = view.getInt32(at);
}

function putWords({ words }: NumberColumn<NumberType>, index: number, view: DataView, at: number): void {
  words[2 * index] = view.getInt32(at + 4);
  words[2 * index + 1] = view.getInt32(at);
}

/**
 * An array as the elements that the feature takes, row-major. Any other length or shape, or a NULL among the elements,
 * makes the row one that can't be scored.
 */
export function arrayReader(type: ArrayType, feature: FeatureColumn): ValueReader {
  if (type === '_text') return textsReader(feature);
  const layout = LAYOUTS[type];
  return feature.width === 0 ? anyLengthReader(feature, layout) : fixedReader(feature, layout);
}

function fixedReader(feature: FeatureColumn, layout: ElementLayout): ValueReader {
  const { width } = feature;
  const column = new ListColumn(layout.type, width);
  return {
    column,
    read(chunk, at, length, row) {
      return readElements(feature, [layout.oid], chunk, at, length, (index, from, size) => {
        if (size !== layout.bytes) throw damaged(feature);
        layout.put(column.elements, row * width + index, chunk.view, from);
      });
    },
  };
}

function anyLengthReader(feature: FeatureColumn, layout: ElementLayout): ValueReader {
  const elements = new NumberColumn(layout.type);
  const column = new AnyLengthColumn(elements);
  return {
    column,
    read(chunk, at, length, row) {
      const begun = column.used;
      const problem = readElements(feature, [layout.oid], chunk, at, length, (_index, from, size) => {
        if (size !== layout.bytes) throw damaged(feature);
        layout.put(elements, column.next(), chunk.view, from);
      });
      column.end(row, problem === undefined ? column.used : begun);
      return problem;
    },
  };
}

const TEXT_OID = 25;
const VARCHAR_OID = 1043;

function textsReader(feature: FeatureColumn): ValueReader {
  const elements = new BytesColumn(new Utf8());
  const column = new AnyLengthColumn(elements);
  return {
    column,
    read(chunk, at, length, row) {
      // Texts are appended: those of an array that turns out to be none stay where they are, and are passed over.
      const problem = readElements(feature, [TEXT_OID, VARCHAR_OID], chunk, at, length, (_index, from, size) => {
        elements.append(column.next(), chunk, from, size);
      });
      column.end(row, column.used);
      return problem;
    },
  };
}

/** int32 dimensions, has-null flag, element type, then int32 size and lower bound of each dimension. */
const FIXED_BYTES = 12;
const DIMENSION_BYTES = 8;

type Put = (index: number, at: number, size: number) => void;

/** Calls `put` with each element of an array that is as the feature takes it; else says why it is not. */
function readElements(
  feature: FeatureColumn,
  oids: readonly number[],
  { view }: ViewedBytes,
  at: number,
  length: number,
  put: Put,
): RowError | undefined {
  if (length < FIXED_BYTES) throw protocolError(`an array of ${feature.name} has ${length} bytes`);
  const found = view.getUint32(at + 8);
  if (!oids.includes(found)) {
    throw protocolError(`the elements of ${feature.name} have type ${found}, not ${oids.join(' or ')}`);
  }
  const dimensions = view.getInt32(at);
  const end = at + length;
  let next = at + FIXED_BYTES + dimensions * DIMENSION_BYTES;
  if (dimensions < 0 || next > end) throw damaged(feature);
  const sizes = Array.from({ length: dimensions }, (_, index) =>
    view.getInt32(at + FIXED_BYTES + index * DIMENSION_BYTES),
  );
  const problem = shapeProblem(feature, sizes);
  if (problem !== undefined) return problem;
  const count = productOf(sizes);
  for (let index = 0; index < count; index += 1) {
    if (end - next < 4) throw damaged(feature);
    const size = view.getInt32(next);
    next += 4;
    if (size === NULL_LENGTH) return nullElement(feature, index);
    if (size < 0 || end - next < size) throw damaged(feature);
    put(index, next, size);
    next += size;
  }
  if (next !== end) throw damaged(feature);
  return undefined;
}

/** An array of one dimension holds all elements one behind the other; one of more has the dimensions of the model. */
function shapeProblem(feature: FeatureColumn, sizes: readonly number[]): RowError | undefined {
  const { width, shape = [width || null] } = feature;
  const takes = shape.map((size) => size ?? 'any').join(' x ');
  if (sizes.length === 0) return wrongLength(feature, 'no elements', takes === 'any' ? 'at least one' : takes);
  if (sizes.length > 1) {
    const fits = sizes.length === shape.length && sizes.every((size, at) => size === (shape[at] ?? size));
    if (fits) return undefined;
    const found = shape.length > 1 ? `${sizes.join(' x ')} elements` : `${sizes.length} dimensions`;
    return wrongLength(feature, found, takes);
  }
  const count = productOf(sizes);
  const fits = width === 0 ? count % stepOf(shape) === 0 : count === width;
  return fits ? undefined : wrongLength(feature, `${count} elements`, takes);
}

function productOf(sizes: readonly number[]): number {
  return sizes.reduce((product, size) => product * size, 1);
}

function damaged({ name }: FeatureColumn): Error {
  return protocolError(`an array of ${name} is damaged`);
}

/** pgvector's `vector`: int16 dimension, int16 unused, then that many float4. */
export function vectorReader(feature: FeatureColumn): ValueReader {
  return feature.width === 0 ? anyLengthVectorReader(feature) : fixedVectorReader(feature);
}

function fixedVectorReader(feature: FeatureColumn): ValueReader {
  const { width } = feature;
  const column = new ListColumn(new Float32(), width);
  return {
    column,
    read({ view }, at, length, row) {
      const problem = vectorProblem(feature, view, at, length);
      if (problem !== undefined) return problem;
      const { words } = column.elements;
      for (let index = 0; index < width; index += 1) words[row * width + index] = view.getInt32(at + 4 + 4 * index);
      return undefined;
    },
  };
}

function anyLengthVectorReader(feature: FeatureColumn): ValueReader {
  const elements = new NumberColumn<NumberType>(new Float32());
  const column = new AnyLengthColumn(elements);
  return {
    column,
    read({ view }, at, length, row) {
      const problem = vectorProblem(feature, view, at, length);
      if (problem === undefined) {
        for (let from = at + 4; from < at + length; from += 4) putWord(elements, column.next(), view, from);
      }
      column.end(row, column.used);
      return problem;
    },
  };
}

function vectorProblem(feature: FeatureColumn, view: DataView, at: number, length: number): RowError | undefined {
  const dimension = length < 4 ? -1 : view.getUint16(at);
  if (length !== 4 + 4 * dimension) throw protocolError(`a vector of ${feature.name} is damaged`);
  return shapeProblem(feature, [dimension]);
}
