import { mulberry32 } from '../lib/random.ts';
import type { MappedFeature } from './features.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { TensorType } from '../inference/signature.ts';

type Draw = (random: () => number) => number;

/** One way to fill a row, for each sample: what one model refuses or turns to NaN, another one needs. */
const DRAWS: readonly Draw[] = [
  () => 0,
  () => 1,
  (random) => Math.floor(random() * 4),
  (random) => random() * 2 - 1,
  (random) => random(),
  (random) => random() * 100,
  (random) => -Math.floor(random() * 10),
];

/**
 * Rows to try a model on, the same ones at every call. `categories` are the values that the graph knows for each feature:
 * others are taken only where there are none.
 */
export function sampleRows(features: readonly MappedFeature[], categories: readonly string[][]): JsonRow[] {
  const random = mulberry32(1);
  return DRAWS.map((draw, row) =>
    Object.fromEntries(
      features.map(({ name, type, width }, index) => {
        const known = categories[index] ?? [];
        const cell = () => (known.length > 0 ? known[row % known.length] : cellOf(type, draw(random), row));
        return [name, width === 1 ? cell() : Array.from({ length: width }, cell)];
      }),
    ),
  );
}

function cellOf(type: TensorType, number: number, row: number): unknown {
  if (type === 'string') return 'abc'.charAt(row % 3);
  if (type === 'bool') return row % 2 === 1;
  return type === 'int32' || type === 'int64' ? Math.round(number) : number;
}
