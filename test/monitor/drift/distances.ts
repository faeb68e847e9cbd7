/** What a feature is counted in, as `pgscore_data.feature_bins` has it. */
export type Bins = {
  readonly name: string;
  readonly kind: 'number' | 'category';
  readonly n_bins: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly edges: readonly number[] | null;
  readonly coarse: readonly number[] | null;
  readonly categories: readonly string[] | null;
  readonly others: readonly string[] | null;
};

export type Value = number | string | boolean | null;

/** The numbers of a feature in a window. */
export type Drift = Readonly<Record<string, number | null>>;

/** What stands for a share of zero; the default of monitor_features(). */
const FLOOR = 0.0001;

/** 0: missing; 1: below the lowest bin, or a new category; the last: above the highest, or any other category. */
function slotOf(bins: Bins, value: Value): number {
  if (value === null || Number.isNaN(value)) return 0;
  const last = bins.n_bins + 2;
  if (bins.kind === 'category') {
    const text = String(value);
    const place = bins.categories?.indexOf(text) ?? -1;
    if (place >= 0) return place + 2;
    return bins.others === null || bins.others.includes(text) ? last : 1;
  }
  const number = Number(value);
  if (number < (bins.low ?? Number.POSITIVE_INFINITY)) return 1;
  if (number > (bins.high ?? Number.NEGATIVE_INFINITY)) return last;
  return 2 + (bins.edges ?? []).filter((edge) => edge <= number).length;
}

/** The bin of the views that a slot is part of: ten of a number, beside those of what is missing or past them. */
function binOf(bins: Bins, slot: number): number {
  const last = bins.n_bins + 2;
  if (slot === 0) return 0;
  if (bins.kind === 'category') return slot === 1 || slot === last ? bins.n_bins + 1 : slot - 1;
  if (slot === 1) return 1;
  return slot === last ? 12 : 1 + (bins.coarse?.[slot - 2] ?? Number.NaN);
}

function countsOf(bins: Bins, values: readonly Value[], of: (slot: number) => number): Map<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) {
    const at = of(slotOf(bins, value));
    counts.set(at, (counts.get(at) ?? 0) + 1);
  }
  return counts;
}

/** How many values are in each bin of the views. */
export function binned(bins: Bins, values: readonly Value[]): Map<number, number> {
  return countsOf(bins, values, (slot) => binOf(bins, slot));
}

/** Shares and distances by their formulas; distances only where there is a baseline. */
export function driftOf(bins: Bins, window: readonly Value[], baseline: readonly Value[]): Drift {
  const slots = countsOf(bins, window, (slot) => slot);
  const [n, m] = [window.length, baseline.length];
  const past = (slots.get(1) ?? 0) + (slots.get(bins.n_bins + 2) ?? 0);
  const shares = {
    n,
    n_baseline: m,
    missing_rate: (slots.get(0) ?? 0) / n,
    out_of_range_rate: bins.kind === 'number' ? past / n : null,
    new_category_rate: bins.kind === 'category' && bins.others !== null ? (slots.get(1) ?? 0) / n : null,
  };
  if (m === 0) return { ...shares, psi: null, js_distance_base2: null, tv_distance: null, l_infinity_distance: null };
  const [now, then] = [binned(bins, window), binned(bins, baseline)];
  const pairs = [...new Set([...now.keys(), ...then.keys()])].map(
    (bin) => [(now.get(bin) ?? 0) / n, (then.get(bin) ?? 0) / m] as const,
  );
  const sum = (of: (w: number, b: number) => number): number => pairs.reduce((total, [w, b]) => total + of(w, b), 0);
  const psi = sum((w, b) => ((w || FLOOR) - (b || FLOOR)) * Math.log((w || FLOOR) / (b || FLOOR)));
  const entropy = (p: number, middle: number): number => (p === 0 ? 0 : p * Math.log2(p / middle));
  const divergence = sum((w, b) => (entropy(w, (w + b) / 2) + entropy(b, (w + b) / 2)) / 2);
  return {
    ...shares,
    psi,
    js_distance_base2: Math.sqrt(Math.max(0, divergence)),
    tv_distance: sum((w, b) => Math.abs(w - b)) / 2,
    l_infinity_distance: Math.max(...pairs.map(([w, b]) => Math.abs(w - b))),
  };
}
