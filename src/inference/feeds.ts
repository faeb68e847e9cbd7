import type { RecordBatch } from 'apache-arrow';
import { castOf } from './casts.ts';
import { columnOf } from './column.ts';
import type { FeatureSlot } from './feature-slot.ts';
import { copyRow, emptyFeed } from './feed.ts';
import type { Feed } from './feed.ts';
import { fillNumbers } from './fill-numbers.ts';
import { fillTexts } from './fill-texts.ts';
import type { RowError } from './row-error.ts';
import type { Signature } from './signature.ts';
import type { TextCache } from './text-cache.ts';

/**
 * The tensors of a batch, one an input, and the rows that can't be scored. Those rows hold the values of a good one, so
 * that a bad value never reaches the model; where `errors` has every row, the tensors mean nothing.
 */
export type Feeds = { readonly rows: number; readonly feeds: Feed[]; readonly errors: ReadonlyMap<number, RowError> };

/**
 * Turns the columns of a batch into the tensors of a model. `unread` are rows that the reader of the batch gave up: their
 * slots hold anything.
 * @throws PgscoreError feature_column_missing, feature_column_mistyped
 */
export function buildFeeds(
  batch: RecordBatch,
  { inputs, features }: Pick<Signature, 'inputs' | 'features'>,
  texts: TextCache,
  unread: ReadonlyMap<number, RowError> = new Map(),
): Feeds {
  const rows = batch.numRows;
  const errors = new Map(unread);
  const reject = (row: number, error: RowError) => {
    if (!errors.has(row)) errors.set(row, error);
  };
  const feeds = inputs.map((input) => {
    const feed = emptyFeed(input, rows);
    for (const feature of features) {
      if (feature.input === input.name) fill(batch, { feature, feed, rows, reject }, texts);
    }
    return feed;
  });
  coverBadRows(feeds, rows, errors);
  return { rows, feeds, errors };
}

function fill(batch: RecordBatch, slot: FeatureSlot, texts: TextCache): void {
  const { feature } = slot;
  const column = columnOf(batch, feature);
  castOf(feature, column.kind, column.width);
  if (column.kind === 'text') fillTexts(column, slot, texts);
  else if (feature.type !== 'string') fillNumbers(column, slot, feature.type);
}

/** Puts the values of a good row in the place of the bad ones. */
export function coverBadRows(feeds: readonly Feed[], rows: number, errors: ReadonlyMap<number, RowError>): void {
  if (errors.size === 0 || errors.size >= rows) return;
  let good = 0;
  while (errors.has(good)) good += 1;
  for (const feed of feeds) for (const row of errors.keys()) copyRow(feed, good, feed, row);
}
