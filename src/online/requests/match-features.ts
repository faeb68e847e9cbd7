import { depthOf, type JsonRow } from '../../inference/json-rows.ts';
import { NumberRows, type FeatureRows } from '../../inference/number-rows.ts';
import { mistypedAs } from '../../inference/row-feeds.ts';
import type { Feature } from '../../inference/signature.ts';
import { missingFeature, rowRefusal, shown } from './row-refusal.ts';
import { OTHER_RELEASE, WireError } from '../protocol/wire-error.ts';

const NOT_REALS: ReadonlySet<number> = new Set();

/**
 * Rows as the model takes them. If all features are numbers, rows become numbers in the order of the features. Other rows get the
 * features' own names as keys: a key may differ in case only. Refuses rows that lack a feature, and values that nest: they would
 * be turned to text by recursion. Rows of numbers have the features' order already.
 */
export function matchFeatures(rows: FeatureRows, features: readonly Feature[]): FeatureRows {
  if (rows instanceof NumberRows) return checkNumbers(rows, features);
  return (takesNumbers(features) ? numbersOf(rows, features) : undefined) ?? matched(rows, features);
}

function checkNumbers(rows: NumberRows, features: readonly Feature[]): NumberRows {
  if (rows.width === features.length && takesNumbers(features)) return rows;
  throw new WireError('22023', `rows of ${rows.width} numbers are not rows of the model's features`, OTHER_RELEASE);
}

/** Whether each feature is one number. */
function takesNumbers(features: readonly Feature[]): boolean {
  for (const { type, width } of features) if (width !== 1 || type === 'string' || type === 'bool') return false;
  return true;
}

/** Undefined where a feature is missing, or is no number and not NULL. What JSON makes infinite is past every number. */
function numbersOf(rows: readonly JsonRow[], features: readonly Feature[]): NumberRows | undefined {
  const values = numberBuffer(rows.length * features.length);
  let nulls: Uint8Array | null = null;
  let at = 0;
  for (const row of rows) {
    for (const { name } of features) {
      const value = row[name];
      if (Number.isFinite(value)) values[at] = value as number;
      else if (value === null) (nulls ??= new Uint8Array(values.length))[at] = 1;
      else return undefined;
      at += 1;
    }
  }
  return new NumberRows(rows.length, features.length, values, nulls, NOT_REALS);
}

function matched(rows: readonly JsonRow[], features: readonly Feature[]): readonly JsonRow[] {
  let renewed: JsonRow[] | undefined;
  rows.forEach((row, index) => {
    const fit = fits(row, features) ? row : renamed(row, features, (name) => missingFeature(name, index, rows.length));
    for (const feature of features) {
      const value = fit[feature.name];
      if (!nestsAtMost(Math.max(0, depthOf(feature) - 1), value))
        throw rowRefusal(mistypedAs(feature, shown(value)), features, index, rows.length);
    }
    if (fit !== row) renewed ??= [...rows];
    if (renewed !== undefined) renewed[index] = fit;
  });
  return renewed ?? rows;
}

function fits(row: JsonRow, features: readonly Feature[]): boolean {
  for (const { name } of features) if (!Object.hasOwn(row, name)) return false;
  return true;
}

function renamed(row: JsonRow, features: readonly Feature[], missing: (name: string) => Error): JsonRow {
  const byLowerCase = new Map<string, string | undefined>();
  for (const key of Object.keys(row)) {
    const lower = key.toLowerCase();
    byLowerCase.set(lower, byLowerCase.has(lower) ? undefined : key);
  }
  const entries = features.map(({ name }): [string, unknown] => {
    if (Object.hasOwn(row, name)) return [name, row[name]];
    const key = byLowerCase.get(name.toLowerCase());
    if (key === undefined) throw missing(name);
    return [name, row[key]];
  });
  return Object.fromEntries(entries);
}

/** Whether arrays stand in an array at most so deep. */
function nestsAtMost(depth: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth >= 0 && Array.isArray(value) && value.every((element) => nestsAtMost(depth - 1, element));
}

const ROOM = 4096;
/** A row of as many is not much longer filled than its array is made. */
const MANY = ROOM / 8;

let room = new Float64Array(ROOM);
let taken = 0;

/** An array of zeros; of few as a part of a larger one, since to make an array for each row takes longer than to fill it. */
function numberBuffer(numbers: number): Float64Array {
  if (numbers > MANY) return new Float64Array(numbers);
  if (taken + numbers > ROOM) {
    room = new Float64Array(ROOM);
    taken = 0;
  }
  taken += numbers;
  return room.subarray(taken - numbers, taken);
}
