import { groupedBy, type Pairing, type Prediction, type RawRecord, type Settings, type Telling } from './record.ts';

/** None of the classes, and no number. */
export const INVALID = 'neither';

export type Truth = { readonly knownAt: number; readonly truth: string };

/** What a prediction is at one moment; exactly one of three. */
export type Judged =
  | { readonly prediction: Prediction; readonly state: 'labeled'; readonly truth: string; readonly knownAt: number }
  | { readonly prediction: Prediction; readonly state: 'awaiting' | 'superseded' };

/** The predictions of one version about one entity for one time. */
type Place = { readonly at: number; readonly made: readonly Prediction[] };

/** Says of every prediction of a record what it is at a moment, the slow way: by the definition, place by place. */
export function judgeAll({ predictions, tellings, letGo }: RawRecord, settings: Settings, now: number): Judged[] {
  const told = groupedBy(tellings, ({ entity }) => entity);
  const series = groupedBy(predictions, ({ version, entity }) => JSON.stringify([version, entity]));
  return [...series.values()].flatMap((made) => {
    const places = placesOf(made);
    const truths = truthsOf(told.get(made[0]?.entity ?? '') ?? []);
    return places.flatMap((_, index) => judgePlace(places, index, truths, settings, now, letGo));
  });
}

/** The labels that hold: of each time the last that was told, unless it was withdrawn. */
export function truthsOf(tellings: readonly Telling[]): Truth[] {
  const last = new Map(tellings.map((telling) => [telling.knownAt, telling]));
  return [...last.values()].flatMap(({ knownAt, truth }) => (truth === null ? [] : [{ knownAt, truth }]));
}

function placesOf(predictions: readonly Prediction[]): Place[] {
  const places = [...groupedBy(predictions, ({ at }) => at)].map(([at, group]) => ({
    at,
    made: group.toSorted((a, b) => a.made - b.made),
  }));
  return places.toSorted((a, b) => a.at - b.at);
}

function judgePlace(
  places: readonly Place[],
  index: number,
  truths: readonly Truth[],
  settings: Settings,
  now: number,
  letGo: RawRecord['letGo'],
): Judged[] {
  const known = truths.filter((truth) => judges(truth, places, index, settings, letGo));
  const [latest] = known.toSorted((a, b) => b.knownAt - a.knownAt);
  const isKnown = latest !== undefined && latest.truth !== INVALID;
  const judging = isKnown ? known.filter(({ truth }) => truth !== INVALID) : [];
  const made = places[index]?.made ?? [];
  const standing = standingOf(made, judging, settings.pairing);
  return made.map((prediction) => {
    if (prediction === standing && isKnown) return { prediction, state: 'labeled' as const, ...latest };
    const superseded = prediction !== standing || givesPlace(places, index, settings, now);
    return { prediction, state: superseded ? ('superseded' as const) : ('awaiting' as const) };
  });
}

/** Rule 1: the last made not after the truth was first known; the first made where all were made later. */
function standingOf(made: readonly Prediction[], judging: readonly Truth[], pairing: Pairing): Prediction | undefined {
  if (pairing === 'first') return made[0];
  const firstKnown = Math.min(...judging.map(({ knownAt }) => knownAt));
  return made.findLast((prediction) => prediction.made <= firstKnown) ?? made[0];
}

/** Rule 2: whether a label judges a place. */
function judges(
  { knownAt }: Truth,
  places: readonly Place[],
  index: number,
  settings: Settings,
  letGo: RawRecord['letGo'],
): boolean {
  const at = places[index]?.at ?? Number.NaN;
  switch (settings.pairing) {
    case 'latest_before_label':
      if (letGo !== undefined && knownAt < letGo.before && (places.at(-1)?.at ?? 0) > knownAt) {
        const { version, entity } = places[index]?.made[0] ?? {};
        return letGo.pairs.has(`${version} ${entity} ${at} ${knownAt}`);
      }
      return at <= knownAt && knownAt < (places[index + 1]?.at ?? Number.POSITIVE_INFINITY);
    case 'within':
      return at <= knownAt && knownAt < at + settings.horizon;
    case 'first':
      return index === 0;
    case 'latest':
      return index === places.length - 1;
    case 'all':
      return true;
  }
}

/** Rule 3: whether a place that no label judges has given way to another one. */
function givesPlace(places: readonly Place[], index: number, settings: Settings, now: number): boolean {
  switch (settings.pairing) {
    case 'latest_before_label':
      return places.slice(index + 1).some(({ at }) => at + settings.labelDelay <= now);
    case 'latest':
      return index < places.length - 1;
    case 'first':
      return index > 0;
    case 'within':
    case 'all':
      return false;
  }
}
