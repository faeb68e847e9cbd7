import type { Binary, Utf8 } from 'apache-arrow';
import { BytesColumn } from './bytes-column.ts';
import type { ValueReader } from './value-reader.ts';

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
