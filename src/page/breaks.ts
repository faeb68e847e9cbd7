const DAY_MS = 86_400_000;
/** A gap is a break if it lasts at least 180 days and three times as long as all the rest together. */
const [LEAST_MS, TIMES] = [180 * DAY_MS, 3];
/** What is drawn of it: room for half a month at either end, or this share of the rest. */
const [DRAWN_MS, DRAWN_SHARE] = [62 * DAY_MS, 0.08];

/** Time in which there is nothing to plot, so long that it would leave no room for the rest. */
export type Break = { readonly from: number; readonly to: number; readonly drawn: number };

/** A history that was scored at once, and the calls of today: thirteen years of nothing between them. */
export function breaksIn(times: readonly number[]): readonly Break[] {
  const sorted = [...new Set(times)].toSorted((one, other) => one - other);
  const gaps = sorted.slice(1).map((to, at) => ({ from: sorted[at] ?? to, to, long: to - (sorted[at] ?? to) }));
  const shortestFirst = gaps.toSorted((one, other) => one.long - other.long);
  const broken: typeof gaps = [];
  let rest = 0;
  for (const gap of shortestFirst) {
    if (rest > 0 && gap.long > Math.max(LEAST_MS, TIMES * rest)) broken.push(gap);
    else rest += gap.long;
  }
  const drawn = Math.max(DRAWN_MS, DRAWN_SHARE * rest);
  return broken.toSorted((one, other) => one.from - other.from).map(({ from, to }) => ({ from, to, drawn }));
}

/** Where a time lies on an axis that leaves most of its breaks out. */
export function shortened(time: number, breaks: readonly Break[]): number {
  return breaks.reduce((at, { from, to, drawn }) => {
    const within = Math.min(Math.max(time - from, 0), to - from);
    return at - within * (1 - drawn / (to - from));
  }, time);
}

/** The time that lies there. */
export function unshortened(place: number, breaks: readonly Break[]): number {
  return breaks.reduce((time, { from, to, drawn }) => {
    const within = Math.min(Math.max(time - from, 0), drawn);
    return time + within * ((to - from) / drawn - 1);
  }, place);
}

/** Whether a time lies in one. */
export function isBreak(time: number, breaks: readonly Break[]): boolean {
  return breaks.some(({ from, to }) => time > from && time < to);
}

/** With nothing at either end of each break, so that no line leads across it and no step into it. */
export function withBreaks<Item>(
  items: readonly Item[],
  timeOf: (item: Item) => number,
  nothing: (time: number) => Item,
): readonly Item[] {
  const breaks = breaksIn(items.map(timeOf));
  if (breaks.length === 0) return items;
  const ends = breaks.flatMap(({ from, to }) => [from + DAY_MS, to - DAY_MS].map((time) => nothing(time)));
  return [...items, ...ends].toSorted((one, other) => timeOf(one) - timeOf(other));
}
