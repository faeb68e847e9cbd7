import { Float32 } from 'apache-arrow';
import { ListColumn } from './list-column.ts';
import { wrongLength } from './array-reader.ts';
import { protocolError } from './protocol-error.ts';
import type { FeatureColumn } from './source-column.ts';
import type { ValueReader } from './value-reader.ts';

/** pgvector's `vector`: int16 dimension, int16 unused, then that many float4. */
export function vectorReader(feature: FeatureColumn): ValueReader {
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
