/** A window as a rule sees it: its value, the rows that it stands on, and its 95 % interval, where the metric has one. */
export type Window = {
  readonly value: number;
  readonly n: number;
  readonly low?: number | undefined;
  readonly high?: number | undefined;
};

/** Of a share of 0 to 1, where high is better, or of an error. */
export type Metric = 'share' | 'error';

/** What the rule does: sql/alerts/windows.sql and _alert_limits(). Other values are for the simulation. */
export type Settings = {
  readonly limit: number;
  /** Windows that a lasting change takes at least. */
  readonly least: number;
  /** Standard errors of the usual value that are forgiven. */
  readonly forgiven: number;
  readonly shift: number;
};

export const SETTINGS: Settings = { limit: 5, least: 3, forgiven: 1, shift: 0.05 };

const Z = 1.959963984540054;
const FIRST_REFERENCE = 7;
const WHOLE_REFERENCE = 30;

type Reference = { readonly usual: number; readonly spread: number; readonly rows: number; readonly reach: number };

const sum = (values: readonly number[]): number => values.reduce((one, other) => one + other, 0);

function referenceOf(windows: readonly Window[], metric: Metric): Reference | undefined {
  const count = windows.length;
  if (count < FIRST_REFERENCE) return undefined;
  const usual = sum(windows.map(({ value }) => value)) / count;
  const rows = sum(windows.map(({ n }) => n));
  const deviation = Math.sqrt(sum(windows.map(({ value }) => (value - usual) ** 2)) / count);
  const share = (usual * rows + 1) / (rows + 2);
  const byChance = metric === 'share' ? Math.sqrt((share * (1 - share) * count) / rows) : 0;
  const spread = sum(windows.map(({ value, n }) => n * (value - usual) ** 2)) / (count - 1);
  return { usual, rows, spread, reach: 3 * Math.max(deviation, byChance) };
}

function evidence(before: number, window: Window, at: Reference, metric: Metric, settings: Settings): number {
  const { usual, spread, rows } = at;
  const shift = metric === 'share' ? Math.max(0.01, Math.min(settings.shift, 1 - usual)) : 0.1 * usual;
  const worse = metric === 'share' ? usual - window.value : window.value - usual;
  const { low, high } = window;
  if (low === undefined || high === undefined) return before;
  const own = ((high - low) / 2 / Z) ** 2;
  const variance = Math.max(spread / window.n, own);
  const forgiven = settings.forgiven * Math.sqrt(Math.max(spread, own * window.n) / rows);
  const step = variance === 0 ? 0 : (shift * (worse - forgiven - shift / 2)) / variance;
  const most = settings.limit / settings.least;
  return Math.min(settings.limit, Math.max(0, before + Math.max(-most, Math.min(most, step))));
}

function isFarOff(window: Window, { usual, reach }: Reference, metric: Metric): boolean {
  return metric === 'share'
    ? (window.high ?? window.value) < usual - reach
    : (window.low ?? window.value) > usual + reach;
}

function isFine(window: Window, { usual, reach }: Reference, metric: Metric): boolean {
  const worst = 0.8 * reach;
  return metric === 'share' ? window.value >= usual - worst : window.value <= usual + worst;
}

/** The windows at which a rule without a threshold raises an alert and resolves it. */
export function watch(
  windows: readonly Window[],
  metric: Metric,
  settings: Settings = SETTINGS,
): { at: number; event: 'firing' | 'resolved' }[] {
  const reference: Window[] = [];
  /** What may be the beginning of a change is not usual before the evidence is gone. */
  const doubtful: Window[] = [];
  const events: { at: number; event: 'firing' | 'resolved' }[] = [];
  let before = 0;
  let isRaised = false;
  let known: Reference | undefined;
  for (const [at, window] of windows.entries()) {
    const now = known === undefined ? 0 : evidence(before, window, known, metric, settings);
    const isBreach = known !== undefined && (now >= settings.limit || isFarOff(window, known, metric));
    const clears: boolean = isRaised && !isBreach && now === 0 && known !== undefined && isFine(window, known, metric);
    if (isBreach && !isRaised) events.push({ at, event: 'firing' });
    if (clears) events.push({ at, event: 'resolved' });
    isRaised = (isRaised || isBreach) && !clears;
    if (now >= settings.limit) doubtful.length = 0;
    else if (!isBreach) doubtful.push(window);
    if (now === 0 && doubtful.length > 0 && reference.length < WHOLE_REFERENCE) {
      reference.push(...doubtful.splice(0));
      reference.splice(WHOLE_REFERENCE);
      known = referenceOf(reference, metric);
    }
    before = now;
  }
  return events;
}
