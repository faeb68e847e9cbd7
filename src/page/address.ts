/** What the page shows, as its address says: a link to it shows the same. */
export type Address = {
  /** undefined: the overview. */
  readonly model: string | undefined;
  readonly versions: readonly number[];
  readonly grain: Grain;
  readonly metric: string | undefined;
  /** First day of the month that is looked at closely. */
  readonly month: string | undefined;
  readonly threshold: number | undefined;
  /** Whether decisions are those of the version before. */
  readonly previous: boolean;
  /** Which of several values of a row. */
  readonly target: string | undefined;
  readonly feature: string | undefined;
  readonly day: string | undefined;
  /** The group of panels that is scrolled to. */
  readonly part: Part | undefined;
};

export const GRAINS = ['day', 'week', 'month'] as const;
export type Grain = (typeof GRAINS)[number];

export const PARTS = ['now', 'why', 'versions', 'operations'] as const;
export type Part = (typeof PARTS)[number];

export const OVERVIEW: Address = {
  model: undefined,
  versions: [],
  grain: 'month',
  metric: undefined,
  month: undefined,
  threshold: undefined,
  previous: false,
  target: undefined,
  feature: undefined,
  day: undefined,
  part: undefined,
};

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const MOST_VERSIONS = 6;

export function readAddress(hash: string): Address {
  const [, path = '', search = ''] = /^#?([^?]*)\??(.*)$/s.exec(hash) ?? [];
  const [, model] = /^\/model\/(.+)$/s.exec(path) ?? [];
  if (model === undefined) return OVERVIEW;
  const query = new URLSearchParams(search);
  const word = (name: string): string | undefined => query.get(name) ?? undefined;
  const date = (name: string): string | undefined => (DATE.test(word(name) ?? '') ? word(name) : undefined);
  const threshold = Number(word('threshold') ?? Number.NaN);
  return {
    model: decoded(model),
    versions: (word('versions') ?? '')
      .split(',')
      .filter((version) => /^\d{1,9}$/.test(version))
      .map(Number)
      .slice(0, MOST_VERSIONS),
    grain: GRAINS.find((grain) => grain === word('grain')) ?? 'month',
    metric: word('metric'),
    month: date('month'),
    threshold: threshold >= 0 && threshold < 1 ? threshold : undefined,
    previous: word('previous') === 'yes',
    target: word('target'),
    feature: word('feature'),
    day: date('day'),
    part: PARTS.find((part) => part === word('part')),
  };
}

export function writeAddress(address: Address): string {
  if (address.model === undefined) return '#/';
  const query = new URLSearchParams();
  if (address.versions.length > 0) query.set('versions', address.versions.join(','));
  if (address.grain !== 'month') query.set('grain', address.grain);
  for (const name of ['metric', 'month', 'threshold', 'target', 'feature', 'day', 'part'] as const) {
    const value = address[name];
    if (value !== undefined) query.set(name, String(value));
  }
  if (address.previous) query.set('previous', 'yes');
  const search = query.toString();
  return `#/model/${encodeURIComponent(address.model)}${search === '' ? '' : `?${search}`}`;
}

export function modelLink(model: string): string {
  return writeAddress({ ...OVERVIEW, model });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
