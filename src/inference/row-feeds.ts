import { OVERFLOWS } from '../lib/float32.ts';
import { checkLength } from './arrays.ts';
import { type FeatureSlot, fillMissing, coverBadRows, type Feeds } from './feeds.ts';
import { emptyFeed, type Cells, type Feed } from './feed.ts';
import { flattened, type JsonRow } from './json-rows.ts';
import { isInRange } from './narrow.ts';
import { NumberRows, type FeatureRows } from './number-rows.ts';
import { nullElement, nullFeature, outOfRange, type RowError } from './predictions.ts';
import { arrayInWords, type Feature, type ModelInput, type Signature, type TensorType } from './signature.ts';

const NO_ERRORS: ReadonlyMap<number, RowError> = new Map();

/**
 * The tensors of rows that came with a call: of numbers, or as JSON, each with a key for every feature. As strict as the
 * compiled functions are: a text is no number and a number no text. Past the detour by way of Arrow, which costs a single
 * row more than its model.
 *
 * @param given for so many rows, whose values are written over
 */
export function rowFeeds(
  rows: FeatureRows,
  { inputs, features }: Pick<Signature, 'inputs' | 'features'>,
  given = inputs.map((input) => emptyFeed(input, rows.length)),
): Feeds {
  let errors: Map<number, RowError> | undefined;
  const reject = (row: number, error: RowError): void => {
    errors ??= new Map();
    if (!errors.has(row)) errors.set(row, error);
  };
  const feeds = given.map((feed) => {
    if (feed.input.width === 0) return anyLength(rows, features, feed.input, reject);
    let index = -1;
    for (const feature of features) {
      index += 1;
      if (feature.input !== feed.input.name) continue;
      if (rows instanceof NumberRows) fillColumn(rows, index, feature, feed, reject);
      else fill(rows, { feature, feed, rows: rows.length, reject });
    }
    return feed;
  });
  coverBadRows(feeds, rows.length, errors ?? NO_ERRORS);
  return { rows: rows.length, feeds, errors: errors ?? NO_ERRORS };
}

function fill(rows: readonly JsonRow[], slot: FeatureSlot): void {
  const { feature, feed } = slot;
  const cells: Cells = feed.data;
  const put = feature.width !== 1 ? putArray : feature.type === 'string' ? putText : putNumber;
  rows.forEach((row, index) => put(slot, cells, index, row[feature.name]));
}

/** An input of any length, from the arrays of one feature. */
function anyLength(
  rows: FeatureRows,
  features: readonly Feature[],
  input: ModelInput,
  reject: FeatureSlot['reject'],
): Feed {
  const feature = features.find((one) => one.input === input.name);
  if (feature === undefined || rows instanceof NumberRows) throw new Error(`no array feeds ${input.name}`);
  const arrays = rows.map((row, index) =>
    arrayFeed(feature, input, row[feature.name], (error) => reject(index, error)),
  );
  const offsets = new Int32Array(rows.length + 1);
  arrays.forEach(({ data }, row) => {
    offsets[row + 1] = (offsets[row] ?? 0) + data.length;
  });
  const all = emptyFeed({ ...input, width: offsets.at(-1) ?? 0 }, 1);
  const cells: Cells = all.data;
  let at = 0;
  for (const { data } of arrays) for (const value of data) cells[at++] = value;
  return { input, data: all.data, offsets };
}

/** The array of one row as a feed of its own; of a row that can't be scored it holds anything. */
function arrayFeed(feature: Feature, input: ModelInput, value: unknown, reject: (error: RowError) => void): Feed {
  const items = flattened(value, feature);
  const feed = emptyFeed({ ...input, width: items?.length ?? 0 }, 1);
  if (value === null || value === undefined) {
    reject(nullFeature(feature, 'NULL'));
  } else if (items === undefined) {
    reject(mistyped(feature, value));
  } else {
    checkLength(items.length, feature, reject);
    putItems({ feature, feed, rows: 1, reject: (_row, error) => reject(error) }, feed.data, 0, items);
  }
  return feed;
}

function fillColumn(
  rows: NumberRows,
  column: number,
  feature: Feature,
  feed: Feed,
  reject: FeatureSlot['reject'],
): void {
  const cells: Cells = feed.data;
  const { width } = feed.input;
  const limit = feature.type === 'float32' ? OVERFLOWS : 0;
  for (let row = 0; row < rows.length; row += 1) {
    if (feature.element === undefined && rows.isWithin(row, column, limit))
      cells[row * width + feature.position] = rows.at(row, column);
    else putValue({ feature, feed, rows: rows.length, reject }, cells, row, 0, rows.get(row, column));
  }
}

type Put = (slot: FeatureSlot, cells: Cells, row: number, value: unknown) => void;

const putText: Put = (slot, cells, row, value) => putTextElement(slot, cells, row, 0, value);

const putNumber: Put = (slot, cells, row, value) => putElement(slot, cells, row, 0, value);

const putArray: Put = (slot, cells, row, value) => {
  const { width } = slot.feature;
  if (value === null || value === undefined) {
    for (let element = 0; element < width; element += 1) fillMissing(slot, row, element, 'NULL');
    return;
  }
  const items = flattened(value, slot.feature);
  if (items === undefined) slot.reject(row, mistyped(slot.feature, value));
  else putItems(slot, cells, row, items);
};

function putItems(slot: FeatureSlot, cells: Cells, row: number, items: readonly unknown[]): void {
  const put = slot.feature.type === 'string' ? putTextElement : putElement;
  items.forEach((item, element) => {
    if (item === null) slot.reject(row, nullElement(slot.feature, element));
    else put(slot, cells, row, element, item);
  });
}

function putTextElement(slot: FeatureSlot, cells: Cells, row: number, element: number, value: unknown): void {
  const { feature, feed } = slot;
  if (typeof value === 'string') cells[row * feed.input.width + feature.position + element] = value;
  else if (value === null || value === undefined) fillMissing(slot, row, element, 'NULL');
  else slot.reject(row, mistyped(feature, value));
}

/** Of JSON: there an infinity is a text, and a number that reads as one is past what it can hold. */
function putElement(slot: FeatureSlot, cells: Cells, row: number, element: number, value: unknown): void {
  const isPast = value === Infinity || value === -Infinity;
  if (isPast && slot.feature.type !== 'bool') slot.reject(row, pastRange(slot.feature));
  else putValue(slot, cells, row, element, value);
}

function putValue(slot: FeatureSlot, cells: Cells, row: number, element: number, value: unknown): void {
  const { feature, feed } = slot;
  if (value === null || value === undefined) return fillMissing(slot, row, element, 'NULL');
  const number = numberOf(feature.type, value);
  if (number === undefined) return slot.reject(row, mistyped(feature, value));
  if (Number.isNaN(number) && feature.nulls !== 'nan') return fillMissing(slot, row, element, 'NaN');
  if (!holds(feature, number)) return slot.reject(row, pastRange(feature));
  cells[row * feed.input.width + feature.position + element] = feature.type === 'int64' ? BigInt(number) : number;
}

/** JSON has no NaN and no infinity: PostgreSQL writes them as texts. */
const NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

function numberOf(type: TensorType, value: unknown): number | undefined {
  if (typeof value === 'boolean') return Number(value);
  if (type === 'bool') return undefined;
  const whole = type === 'int32' || type === 'int64';
  if (typeof value === 'number') return whole && !Number.isInteger(value) ? undefined : value;
  return typeof value === 'string' && !whole ? NUMBERS[value] : undefined;
}

function holds({ type, element }: Feature, value: number): boolean {
  if (element !== undefined && !isInRange(element, value)) return false;
  if (type === 'float32') return Math.abs(value) < OVERFLOWS || !Number.isFinite(value);
  if (type === 'int32') return (value | 0) === value;
  return type === 'int64' ? Number.isSafeInteger(value) : true;
}

const WANTED: Readonly<Record<TensorType, string>> = {
  float32: 'a number',
  float64: 'a number',
  int32: 'a whole number',
  int64: 'a whole number',
  bool: 'a boolean',
  string: 'a text',
};

function mistyped(feature: Feature, value: unknown): RowError {
  return mistypedAs(feature, typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? '').slice(0, 80));
}

/** `shown`: the value, as far as an error shows it. */
export function mistypedAs(feature: Feature, shown: string): RowError {
  const { name, type, width } = feature;
  const wanted = width === 1 ? WANTED[type] : arrayInWords(feature);
  return { code: 'mistyped_value', message: `feature ${name} is ${shown}, not ${wanted}`, feature: name };
}

/** JSON.parse has rounded a whole number beyond 2^53 already. */
function pastRange(feature: Feature): RowError {
  if (feature.type !== 'int64' || feature.element !== undefined) return outOfRange(feature);
  const says = 'a whole number past 2^53, which the service can not be asked about exactly';
  return { code: 'out_of_range', message: `${feature.name} is ${says}`, feature: feature.name };
}
