/** Blocks [from, to) of every relation of the source; `to` is null for the last range, which stays open. */
export type BlockRange = { readonly from: number; readonly to: number | null };

const LEAST_PAGES = 128;
const MOST_PAGES = 8192;

/**
 * Cuts the blocks of a source so that all scorers end together: each range is half of what is left, divided by the
 * scorers, between 1 and 64 MiB.
 *
 * @param longest blocks of the largest relation; the ranges cut all of them alike
 * @param total blocks of all relations
 */
export function shardRanges(longest: number, total: number, scorers: number): BlockRange[] {
  const relations = Math.max(1, total / Math.max(1, longest));
  const ranges: BlockRange[] = [];
  let from = 0;
  while (from < longest) {
    const fair = ((longest - from) * relations) / (2 * scorers);
    const pages = Math.min(MOST_PAGES, Math.max(LEAST_PAGES, fair));
    const to = from + Math.max(1, Math.round(pages / relations));
    ranges.push({ from, to: to >= longest ? null : to });
    from = to;
  }
  return ranges.length === 0 ? [{ from: 0, to: null }] : ranges;
}
