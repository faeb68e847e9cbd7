import { truthsOf } from './judge.ts';
import { FastWindows, NOT_JUDGED, type Series } from './fast-windows.ts';
import { type Grain, GRAINS } from './local-windows.ts';
import type { Prediction, Settings, Telling } from './record.ts';
import type { Counted } from './reference.ts';

// Once: a global takes a hundred times as long in Jest's sandbox.
const NEVER = Number.POSITIVE_INFINITY;

/**
 * A raw record of a binary classifier that counts millions of predictions in a second, by the default rule only. The
 * reference says whether it is right.
 */
export class FastRecord {
  readonly #series = new Map<string, Series>();
  readonly #tellings = new Map<string, Telling[]>();

  add({ version, entity, at, made, label }: Prediction): void {
    const series = this.#seriesOf(version, entity);
    const last = series.at.length - 1;
    const after =
      last < 0 || at > (series.at[last] ?? 0) || (at === series.at[last] && made > (series.made[last] ?? 0));
    series.isSorted &&= after;
    series.at.push(at);
    series.made.push(made);
    series.isYes.push(label === 'yes' ? 1 : 0);
  }

  tell(telling: Telling): void {
    const told = this.#tellings.get(telling.entity);
    if (told === undefined) this.#tellings.set(telling.entity, [telling]);
    else told.push(telling);
  }

  count(settings: Settings, now: number): Map<Grain, Counted[]> {
    if (settings.pairing !== 'latest_before_label') throw new Error('only the default rule is counted fast');
    const windows = new Map(GRAINS.map((grain) => [grain, new FastWindows(grain, settings.timeZone)]));
    const each = [...windows.values()];
    for (const series of this.#series.values()) {
      if (!series.isSorted) sort(series);
      const truths = truthsOf(this.#tellings.get(series.entity) ?? []).toSorted((a, b) => a.knownAt - b.knownAt);
      let nth = 0;
      for (let first = 0; first < series.at.length;) {
        const next = placeAfter(series, first);
        const [at = 0, until = NEVER] = [series.at[first], series.at[next]];
        while ((truths[nth]?.knownAt ?? NEVER) < at) nth += 1;
        const firstKnown = nth;
        while ((truths[nth]?.knownAt ?? NEVER) < until) nth += 1;
        const known = nth > firstKnown ? truths[firstKnown]?.knownAt : undefined;
        const truth = nth === firstKnown ? NOT_JUDGED : truths[nth - 1]?.truth === 'yes' ? 1 : 0;
        const standing = standingOf(series, first, next, known);
        const place = { first, next, standing, truth, isOpen: !(until + settings.labelDelay <= now) };
        for (const grain of each) grain.add(series, place);
        first = next;
      }
      for (const grain of each) grain.endEntity();
    }
    return new Map([...windows].map(([grain, counts]) => [grain, counts.counted(settings)]));
  }

  #seriesOf(version: number, entity: string): Series {
    const key = `${version} ${entity}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const series = { version, entity, at: [], made: [], isYes: [], isSorted: true };
    this.#series.set(key, series);
    return series;
  }
}

function sort(series: Series): void {
  const order = series.at.map((at, index) => ({ at, made: series.made[index] ?? 0, isYes: series.isYes[index] ?? 0 }));
  order.sort((a, b) => a.at - b.at || a.made - b.made);
  for (const [index, { at, made, isYes }] of order.entries()) {
    series.at[index] = at;
    series.made[index] = made;
    series.isYes[index] = isYes;
  }
  series.isSorted = true;
}

function placeAfter({ at }: Series, first: number): number {
  let next = first + 1;
  while (next < at.length && at[next] === at[first]) next += 1;
  return next;
}

function standingOf({ made }: Series, first: number, next: number, known: number | undefined): number {
  if (known === undefined) return next - 1;
  let standing = first;
  while (standing + 1 < next && (made[standing + 1] ?? 0) <= known) standing += 1;
  return standing;
}
