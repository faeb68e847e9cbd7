import type { Random } from '../../../src/lib/random.ts';
import { pick } from '../../support/pick.ts';
import { DAY_MS } from '../counting/record.ts';
import type { Value } from './distances.ts';

/** A row of a source, with the moment that it is for. */
export type Row = { readonly id: number; readonly at: number; readonly values: Readonly<Record<string, Value>> };

export const COLUMNS = { x: 'float8', z: 'real', n: 'int', color: 'text', flag: 'boolean' } as const;

/** What a batch is like: each may be of other days, other sizes and other distributions. */
export type Shape = {
  readonly rows: number;
  readonly first: number;
  readonly days: number;
  readonly shift: number;
  readonly colors: number;
};

export function shapeOf(random: Random, start: number): Shape {
  return {
    rows: pick(random, [1, 40, 300, 900, 1500]),
    first: start + Math.floor(random() * 20) * DAY_MS,
    days: 1 + Math.floor(random() * 6),
    shift: pick(random, [0, 0, 0.2, 1, 3]),
    colors: pick(random, [1, 3, 8, 60]),
  };
}

export function rowsOf(random: Random, shape: Shape, firstId: number): Row[] {
  return Array.from({ length: shape.rows }, (_, index) => ({
    id: firstId + index,
    at: shape.first + Math.floor(random() * shape.days * DAY_MS),
    values: valuesOf(random, shape),
  }));
}

function valuesOf(random: Random, { shift, colors }: Shape): Record<string, Value> {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const or = (value: Value): Value => (random() < 0.03 + shift / 50 ? null : value);
  const color = random() < 0.02 ? `rare ${Math.floor(random() * 300)}` : `color ${Math.floor(random() ** 2 * colors)}`;
  return {
    x: or(random() < 0.01 ? pick(random, [1e300, -1e300, Infinity, Number.NaN]) : normal * (1 + shift) + shift),
    z: or(Math.fround(pick(random, [0, 0, 1.5, -Math.log(1 - random())]))),
    n: or(Math.floor(random() ** 3 * 40 + shift * 10)),
    color: or(color),
    flag: or(random() < 0.3 + shift / 10),
  };
}
