import { Float32, Float64, Utf8 } from 'apache-arrow';
import { arrayReader } from './array-reader.ts';
import type { ElementLayout } from './array-reader.ts';
import { bytesReader } from './bytes-reader.ts';
import { boolReader, int2Reader, numericReader } from './scalar-readers.ts';
import type { FeatureColumn, SqlType } from './source-column.ts';
import type { ValueReader } from './value-reader.ts';
import { vectorReader } from './vector-reader.ts';

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
