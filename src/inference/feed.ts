import { ARRAY_OF } from './number-cast.ts';
import type { NumberData } from './number-cast.ts';
import type { ModelInput } from './signature.ts';

/** The tensor of one input for a whole batch: row-major, `input.width` elements to a row. */
export type Feed = { readonly input: ModelInput; readonly data: FeedData };

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
