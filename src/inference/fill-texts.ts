import type { TextColumn } from './column.ts';
import { settleMissing } from './feature-slot.ts';
import type { FeatureSlot } from './feature-slot.ts';
import type { Cells } from './feed.ts';
import type { TextCache } from './text-cache.ts';

/** Decodes a text column into the tensor of its feature. */
export function fillTexts({ bytes, offsets, nulls }: TextColumn, slot: FeatureSlot, texts: TextCache): void {
  const { width } = slot.feed.input;
  const cells: Cells = slot.feed.data;
  let at = slot.feature.position;
  for (let row = 0; row < slot.rows; row += 1, at += width) {
    cells[at] = texts.decode(bytes, offsets[row] ?? 0, offsets[row + 1] ?? 0);
  }
  for (const row of nulls) settleMissing(slot, row, 0, 'NULL');
}
