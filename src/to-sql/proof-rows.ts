import { readRow, type JsonRow } from '../inference/json-rows.ts';
import type { Signature, Feature } from '../inference/signature.ts';
import type { NativeProgram } from './answers.ts';
import { NativeRefusal, type Constant } from './term.ts';
import { mulberry32, type Random } from '../lib/random.ts';
import type { Range } from './critical-values.ts';
import { lastRoundedTo, nextDouble, nextFloat, previousDouble, previousFloat } from '../lib/float32.ts';

/**
 * As JSON they go to the check and to PostgreSQL. Two million numbers, the most there are, come to 62 million characters; a
 * category of kilobytes, which stands in each of a thousand rows, to any number.
 */
const MOST_CHARACTERS = 100_000_000;
const OF_A_NUMBER = 25;

/**
 * Rows to prove a compiled function on, as JSON can carry them: those that were given, as the model reads them, and those where the
 * function may go wrong.
 * @throws NativeRefusal where they are too long
 */
export function rowsToProve(program: NativeProgram, signature: Signature, given: readonly JsonRow[]): JsonRow[] {
  const rows = [...given.map((row) => asJson(readRow(signature.features, row))), ...proofRows(program, signature)];
  let characters = 0;
  for (const row of rows) {
    characters += lengthOf(Object.entries(row));
    if (characters > MOST_CHARACTERS)
      throw new NativeRefusal(`the rows to prove it on have more than ${MOST_CHARACTERS / 1e6} million characters`);
  }
  return rows;
}

function lengthOf(values: readonly unknown[]): number {
  let length = 0;
  for (const value of values) {
    if (Array.isArray(value)) length += lengthOf(value);
    else length += typeof value === 'string' ? JSON.stringify(value).length : OF_A_NUMBER;
  }
  return length;
}

/** JSON has no NaN, no infinity and no -0; as texts they are read by PostgreSQL, and by the check, all the same. */
function asJson(row: JsonRow): JsonRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, cellAsJson(value)]));
}

function cellAsJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cellAsJson);
  if (Object.is(value, -0)) return '-0';
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

const ORDINARY = 300;
/** Values about the thresholds of a column; of the thresholds themselves, all. */
const MOST_EDGES = 1300;
/** Ten thousand thresholds of one column are as many rows, of which a process has to hold what other columns are. */
const MOST_CELLS = 2_000_000;
const MOST_ODD = 400;

/** One element of a feature, and what it is compared with. */
type Element = {
  readonly feature: Feature;
  readonly critical: readonly Constant[];
  /** Critical values nearer than FAR, about which ordinary rows lie. */
  readonly near: readonly Constant[];
  /** Where its values mostly lie. */
  readonly ranges: readonly Range[];
};

/**
 * Rows to prove a compiled function equal to ONNX Runtime with, the same at each call: ordinary ones; ones that hit every
 * threshold, one for each feature at a time, and the numbers beside it; categories known and unknown; NULL and NaN where
 * the version takes them, infinities and zeros. No row holds what the version refuses. There are 2,000 at most, or as many
 * more as a column has thresholds.
 */
export function proofRows({ critical }: NativeProgram, { features }: Signature): JsonRow[] {
  const random = mulberry32(7);
  const elements = features.map((feature, index) =>
    Array.from({ length: feature.width }, (_, element) => ({
      feature,
      critical: critical.of(index, element),
      near: critical.of(index, element).filter((value) => Math.abs(Number(value)) < FAR),
      ranges: critical.rangesOf(index, element),
    })),
  );
  const all = elements.flat();
  const row = (cellOf: (element: Element, index: number) => Cell): JsonRow => {
    let index = 0;
    const valueOf = (own: readonly Element[]) => own.map((element) => cellOf(element, index++));
    return Object.fromEntries(elements.map((own) => entryOf(own, valueOf(own))));
  };
  const ordinary = (element: Element) => ordinaryValue(element, random);
  return [
    ...Array.from({ length: ORDINARY }, () => row(ordinary)),
    ...edgeRows(all, random).map((cells) => row((element, index) => cells[index] ?? ordinary(element))),
    ...oddRows(all).map((cells) =>
      row((element, index) => (index in cells ? (cells[index] as Cell) : ordinary(element))),
    ),
  ];
}

/** A feature of many elements is an array, which is missing as a whole. */
function entryOf(own: readonly Element[], cells: readonly Cell[]): [string, unknown] {
  const name = own[0]?.feature.name ?? '';
  if (own.length === 1) return [name, cells[0]];
  return [name, cells.includes(null) ? null : cells];
}

function edgeRows(all: readonly Element[], random: Random): (Cell | undefined)[][] {
  const most = MOST_CELLS / all.length;
  const edges = all.map(({ feature, critical }) =>
    shuffled(edgesOf(feature, critical).slice(0, Math.max(MOST_EDGES, Math.min(critical.length, most))), random),
  );
  const length = Math.max(0, ...edges.map((own) => own.length));
  return Array.from({ length }, (_, row) => edges.map((own) => own[row]));
}

/** One odd value a row; where features are too many for that, one for each of them in every row. */
function oddRows(all: readonly Element[]): Record<number, Cell>[] {
  const values = all.map(({ feature }) => oddValuesOf(feature));
  const most = Math.max(0, ...values.map((own) => own.length));
  const each = values.flatMap((own, index) => own.map((value) => ({ [index]: value })));
  const together = Array.from({ length: most * 2 }, (_, row) =>
    Object.fromEntries(values.map((own, index) => [index, own[(row + (row < most ? 0 : index)) % own.length] ?? null])),
  );
  return each.length + together.length > MOST_ODD ? together : [...each, ...together];
}

function shuffled(cells: readonly Cell[], random: Random): readonly Cell[] {
  return cells
    .map((cell) => ({ cell, order: random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ cell }) => cell);
}

/** A value as JSON and PostgreSQL both take it. */
type Cell = number | string | boolean | null;

/**
 * The values at which a comparison may come out wrong: first each threshold, then the number of its type after each, the
 * one before, and of float32 the last double that rounds to it.
 */
function edgesOf({ type }: Feature, critical: readonly Constant[]): Cell[] {
  const numbers = critical.filter((value) => typeof value !== 'string').map(Number);
  if (type === 'string') return critical.map(String);
  if (type === 'bool') return [true, false];
  if (type === 'float32') {
    const floats = numbers.map(Math.fround);
    const sides = [nextFloat, previousFloat, lastRoundedTo].map((side) => floats.map(side));
    return distinct([floats, ...sides].flat().filter(isFloat32)).map(written);
  }
  if (type === 'float64')
    return distinct([numbers, numbers.map(nextDouble), numbers.map(previousDouble)].flat()).map(written);
  const whole = numbers.filter(Number.isFinite).map(Math.trunc);
  return distinct([whole, whole.map((value) => value + 1), whole.map((value) => value - 1)].flat()).map((value) =>
    inRange(type, value),
  );
}

/** Whether a double is in the range of float32. */
function isFloat32(value: number): boolean {
  return !Number.isFinite(value) || Number.isFinite(Math.fround(value));
}

const INTEGERS = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)];

/** Values that are treated in a way of their own: missing, infinite, zero, at the ends of what the type holds. */
function oddValuesOf({ type, nulls }: Feature): Cell[] {
  const missing: Cell[] = nulls === 'error' ? [] : [null];
  if (type === 'string') return [...missing, '', 'pgscore: no category', `it's "a" \\ b; --`];
  if (type === 'bool') return [...missing, true, false];
  if (type === 'int32') return [...missing, ...INTEGERS];
  if (type === 'int64') return [...missing, ...INTEGERS, 2 ** 31, -(2 ** 31) - 1, 3e9, -3e9, 2 ** 53 - 1, 1 - 2 ** 53];
  const numbers = [0, -0, 1, -1, Infinity, -Infinity, 1e15, -1e15, 1e-40, 1e-60, -1e-60].map(written);
  return nulls === 'error' ? numbers : [null, 'NaN', ...numbers];
}

/** Past it a limit is none that rows come near, such as the largest number of float32. */
const FAR = 1e30;

/** An ordinary value: a known category mostly, or a number. */
function ordinaryValue(element: Element, random: Random): Cell {
  const { feature, critical } = element;
  if (feature.type === 'bool') return random() < 0.5;
  if (feature.type !== 'string') return ordinaryNumber(element, random);
  const known = critical[Math.floor(random() * critical.length)];
  return known === undefined || random() < 0.05 ? 'pgscore: no category' : String(known);
}

/** About where the thresholds are, or where the model's own scale says that values lie. */
function ordinaryNumber({ feature: { type }, near, ranges }: Element, random: Random): Cell {
  const known = near[Math.floor(random() * near.length)];
  const isWhole = type === 'int32' || type === 'int64';
  const range = ranges[Math.floor(random() * ranges.length)];
  if (range !== undefined && (known === undefined || random() < 0.5)) {
    const value = range[0] + random() * (range[1] - range[0]);
    return isWhole ? inRange(type, Math.round(value)) : written(value);
  }
  const center = Number(known ?? 0);
  if (isWhole) return inRange(type, Math.round(center + random() * 8 - 4));
  const spread = center === 0 ? 10 ** Math.floor(random() * 4) : Math.abs(center);
  return written(center + (random() - 0.5) * spread);
}

/** JSON has no infinities and no -0. */
function written(value: number): Cell {
  if (Object.is(value, -0)) return '-0';
  return Number.isFinite(value) ? value : String(value);
}

function inRange(type: Feature['type'], value: number): number {
  return type === 'int32' ? Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, value)) : value;
}

function distinct(values: readonly number[]): number[] {
  return [...new Set(values)];
}
