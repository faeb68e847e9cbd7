import type { Client } from 'pg';

import { stageFeatures, unitBins } from '../golden/staged-features.ts';
import { Random } from '../slow-drops/random.ts';
import { at } from './volumes.ts';

const BINS = 10;
const BASELINE_ROWS = 1000;

/** So many values, of which the first is `ratio` times as frequent as the last. */
export type Category = { readonly of: number; readonly ratio: number };

type Drawn = {
  readonly days: number;
  readonly features: number;
  readonly rows: number;
  readonly missing?: number;
  readonly category?: Category;
};

/** How rows fall into slots: missing, below or new, the bins, above or other. */
function counts(random: Random, rows: number, missing: number, shares: readonly number[]): number[] {
  let left = rows - random.hits(rows, missing);
  let total = 1;
  const slots = [rows - left, 0];
  for (const share of shares) {
    const hits = random.hits(left, Math.min(1, share / total));
    slots.push(hits);
    left -= hits;
    total -= share;
  }
  return [...slots, left];
}

/** A model whose features stay as they are, from the baseline on. */
export async function addFeatures(superuser: Client, name: string, seed: number, drawn: Drawn): Promise<void> {
  const { days, features, rows, missing = 0.02, category } = drawn;
  const random = new Random(seed);
  const weights =
    category === undefined
      ? Array.from({ length: BINS }, () => 1)
      : Array.from({ length: category.of }, (_, value) => category.ratio ** (-value / (category.of - 1)));
  const sum = weights.reduce((one, other) => one + other, 0);
  const shares = weights.map((weight) => weight / sum);
  const draw = (n: number): number[] => counts(random, n, missing, shares);
  const kind =
    category === undefined
      ? { kind: 'number' as const, ...unitBins(BINS) }
      : { kind: 'category' as const, categories: shares.map((_, value) => `c${value}`) };
  await stageFeatures(
    superuser,
    name,
    Array.from({ length: features }, (_, feature) => ({
      name: `x${feature}`,
      ...kind,
      baseline: draw(BASELINE_ROWS),
      windows: Object.fromEntries(Array.from({ length: days }, (_day, day) => [at(day), draw(rows)])),
    })),
  );
  const once = 'select pgscore_data._compute_drift() as goes_on';
  while ((await superuser.query<{ goes_on: boolean }>(once)).rows[0]?.goes_on === true);
}
