import type { ArrayColumn } from './column.ts';
import { castToFeature, emptyFeed, type Cells, type Feed, type FeedData } from './feed.ts';
import { nullFeature, outOfRange, wrongLength, type RowError } from './predictions.ts';
import { stepOf, type Feature, type ModelInput } from './signature.ts';

/** Notes why a row can't be scored. */
type Reject = (row: number, error: RowError) => void;

/** Decodes the text at these bytes. */
type Decode = (bytes: Uint8Array, start: number, end: number) => string;

/** An input of any length, from the one column that feeds it. */
export function anyLengthFeed(column: ArrayColumn, feature: Feature, input: ModelInput, by: ArrayReading): Feed {
  const { lists } = column;
  const data = elementsOf(column, feature, by);
  const nulls = new Set(column.nulls);
  for (const row of nulls) by.reject(row, nullFeature(feature, 'NULL'));
  for (let row = 0; row + 1 < lists.length; row += 1) {
    if (!nulls.has(row)) checkLength(lengthOf(lists, row), feature, (error) => by.reject(row, error));
  }
  if (feature.nulls !== 'nan') rejectNaNs(column, feature, by.reject);
  return { input, data, offsets: lists };
}

/** Elements of one array; an image of 3 x 512 x 512 is past what a table holds in a row. */
export const MOST_ELEMENTS = 65_536;

/** An array that has no elements is of no length that a model could take. */
export function checkLength(length: number, feature: Feature, reject: (error: RowError) => void): void {
  const step = stepOf(feature.shape ?? [null]);
  if (length > 0 && length % step === 0 && length <= MOST_ELEMENTS) return;
  const takes = `${step === 1 ? 'at least one' : `a multiple of ${step}`} and at most ${MOST_ELEMENTS}`;
  reject(wrongLength(feature, `${length} elements`, takes));
}

type ArrayReading = { readonly decode: Decode; readonly reject: Reject };

/** The elements of all rows, one behind the other; those that the type can't hold make their rows bad. */
export function elementsOf(column: ArrayColumn, feature: Feature, { decode, reject }: ArrayReading): FeedData {
  const { elements, lists } = column;
  if (elements.kind === 'text') {
    const { bytes, offsets } = elements;
    return Array.from({ length: offsets.length - 1 }, (_, at) => decode(bytes, offsets[at] ?? 0, offsets[at + 1] ?? 0));
  }
  return castToFeature(elements, feature, (index) => reject(rowOf(lists, index), outOfRange(feature)));
}

function rejectNaNs({ elements, lists }: ArrayColumn, feature: Feature, reject: Reject): void {
  if (elements.kind !== 'float32' && elements.kind !== 'float64') return;
  elements.values.forEach((value, index) => {
    if (value !== value) reject(rowOf(lists, index), nullFeature(feature, 'NaN'));
  });
}

/** The row that an element belongs to: the last that begins at it or before. */
function rowOf(lists: Int32Array, element: number): number {
  let [low, high] = [0, lists.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((lists[middle] ?? 0) <= element) low = middle;
    else high = middle;
  }
  return low;
}

/** Some rows of a feed, in their order, as a feed of their own. Of an input of any length they must be equally long. */
export function takenRows(feed: Feed, rows: readonly number[]): Feed {
  const { input, offsets, data } = feed;
  const [first = 0] = rows;
  const taken = emptyFeed(offsets === undefined ? input : sizedInput(input, lengthOf(offsets, first)), rows.length);
  const { width } = taken.input;
  const cells: Cells = taken.data;
  rows.forEach((row, to) => {
    const from = offsets === undefined ? row * width : (offsets[row] ?? 0);
    for (let at = 0; at < width; at += 1) cells[to * width + at] = data[from + at] ?? 0;
  });
  return taken;
}

/** An input of any length as that of some rows, which are all so wide. */
export function sizedInput(input: ModelInput, width: number): ModelInput {
  const [rows = null, ...shape] = input.shape;
  const open = width / stepOf(shape);
  return { ...input, width, shape: [rows, ...shape.map((size) => size ?? open)] };
}

function lengthOf(offsets: Int32Array, row: number): number {
  return (offsets[row + 1] ?? 0) - (offsets[row] ?? 0);
}

/** The rows that can be scored, those together whose arrays are equally long: a tensor has one length, and padding would count. */
export function rowsByLength(feeds: readonly Feed[], rows: number, errors: ReadonlyMap<number, RowError>): number[][] {
  const groups = new Map<string, number[]>();
  for (let row = 0; row < rows; row += 1) {
    if (errors.has(row)) continue;
    const key = feeds.map(({ offsets }) => (offsets === undefined ? '' : lengthOf(offsets, row))).join();
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return [...groups.values()];
}

/** Positions of all sequences of a run together: the attention of a transformer takes memory by their square. */
const POSITIONS = 4096;

/** How many rows of such sequences are to be in one run. */
export function rowsPerRun(feeds: readonly Feed[]): number {
  const positions = feeds.map(({ input }) => positionsOf(input));
  return Math.max(1, Math.floor(POSITIONS / Math.max(1, ...positions)));
}

function positionsOf({ type, width, shape }: ModelInput): number {
  if (shape.length > 2) return width / (shape.at(-1) ?? 1);
  return type === 'int32' || type === 'int64' ? width : 0;
}
