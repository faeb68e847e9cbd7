export type Pairing = 'latest_before_label' | 'within' | 'first' | 'latest' | 'all';

/** A row that a version scored without error. Times are milliseconds. */
export type Prediction = {
  readonly version: number;
  readonly entity: string;
  /** The time that it is for. */
  readonly at: number;
  /** The snapshot of its run, or the moment of its call. */
  readonly made: number;
  readonly score: number;
  /** The class that it names; null for a regression. */
  readonly label: string | null;
  /** Number of its run, if it is of one. */
  readonly run?: string;
  /** Value of each segment column of its run. */
  readonly segments?: Readonly<Record<string, string | null>>;
};

/** What was said of the truth of one entity at one time. The last of several for one `knownAt` holds; null withdraws it. */
export type Telling = {
  readonly entity: string;
  readonly knownAt: number;
  readonly told: number;
  readonly truth: string | null;
};

export type Settings = {
  readonly pairing: Pairing;
  /** How long after its time a prediction is judged, where `pairing` is `within`. */
  readonly horizon: number;
  readonly labelDelay: number;
  readonly minLabelCoverage: number;
  readonly timeZone: string;
};

/** All that was predicted and all that was told, in the order in which it was. */
export type RawRecord = {
  readonly predictions: readonly Prediction[];
  readonly tellings: readonly Telling[];
  /** Of labels known before a time, those that judged something then, by pair: superseded predictions were let go. */
  readonly letGo?: { readonly before: number; readonly pairs: ReadonlySet<string> } | undefined;
};

export const DAY_MS = 86_400_000;

export const DEFAULTS: Settings = {
  pairing: 'latest_before_label',
  horizon: 30 * DAY_MS,
  labelDelay: DAY_MS,
  minLabelCoverage: 0.95,
  timeZone: 'UTC',
};

/** The record as it was at a moment, where everything came in the order in which it was made and told. */
export function asOf({ predictions, tellings }: RawRecord, now: number): RawRecord {
  return {
    predictions: predictions.filter(({ made }) => made <= now),
    tellings: tellings.filter(({ told }) => told <= now),
  };
}

export function groupedBy<Item, Key>(items: Iterable<Item>, keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
