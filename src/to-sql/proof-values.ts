import type { Random } from '../lib/random.ts';
import type { Feature } from '../inference/signature.ts';
import { lastRoundedTo, nextDouble, nextFloat, previousDouble, previousFloat } from '../lib/float32.ts';
import type { Constant } from './term.ts';

/** A value as JSON and PostgreSQL both take it. */
export type Cell = number | string | boolean | null;

/**
 * The values at which a comparison may come out wrong: first each threshold, then the number of its type after each, the
 * one before, and of float32 the last double that rounds to it.
 */
export function edgesOf({ type }: Feature, critical: readonly Constant[]): Cell[] {
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
export function oddValuesOf({ type, nulls }: Feature): Cell[] {
  const missing: Cell[] = nulls === 'error' ? [] : [null];
  if (type === 'string') return [...missing, '', 'pgscore: no category', `it's "a" \\ b; --`];
  if (type === 'bool') return [...missing, true, false];
  if (type === 'int32') return [...missing, ...INTEGERS];
  if (type === 'int64') return [...missing, ...INTEGERS, 2 ** 31, -(2 ** 31) - 1, 3e9, -3e9, 2 ** 53 - 1, 1 - 2 ** 53];
  const numbers = [0, -0, 1, -1, Infinity, -Infinity, 1e15, -1e15, 1e-40, 1e-60, -1e-60].map(written);
  return nulls === 'error' ? numbers : [null, 'NaN', ...numbers];
}

/** An ordinary value: a known category mostly, or a number about where the thresholds are. */
export function ordinaryValue({ type }: Feature, critical: readonly Constant[], random: Random): Cell {
  const known = critical[Math.floor(random() * critical.length)];
  if (type === 'bool') return random() < 0.5;
  if (type === 'string') return known === undefined || random() < 0.05 ? 'pgscore: no category' : String(known);
  const center = known === undefined || !Number.isFinite(Number(known)) ? 0 : Number(known);
  if (type === 'int32' || type === 'int64') return inRange(type, Math.round(center + random() * 8 - 4));
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
