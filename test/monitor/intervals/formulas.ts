/** The intervals of sql/monitor/intervals.sql, so that a simulation can ask for millions of them; a test holds both to be equal. */
export type Interval = readonly [low: number, high: number];

const { exp, log, max, min, sqrt } = Math;

const Z = 1.959963984540054;
const Z2 = Z ** 2;

/** Wilson with continuity correction: Newcombe 1998, method 4. */
export function shareInterval(hits: number, n: number, nEffective = n): Interval {
  const [scaled, missed] = [(hits / n) * nEffective, ((n - hits) / n) * nEffective];
  const bound = (x: number, side: 1 | -1): number =>
    (x + Z2 / 2 + side * Z * sqrt(x * (1 - x / nEffective) + Z2 / 4)) / (nEffective + Z2);
  return [scaled <= 0.5 ? 0 : bound(scaled - 0.5, -1), missed <= 0.5 ? 1 : bound(scaled + 0.5, 1)];
}

/** Abramowitz and Stegun 26.7.5. */
export function studentT(degrees: number): number {
  const [z3, z5, z7, z9] = [Z ** 3, Z ** 5, Z ** 7, Z ** 9];
  return (
    Z +
    (z3 + Z) / 4 / degrees +
    (5 * z5 + 16 * z3 + 3 * Z) / 96 / degrees ** 2 +
    (3 * z7 + 19 * z5 + 17 * z3 - 15 * Z) / 384 / degrees ** 3 +
    (79 * z9 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * Z) / 92160 / degrees ** 4
  );
}

/** Sums over the entities of a window: m is of pairs, c of hits among them. */
export type EntitySums = { m2: number; cm: number; c2: number };

/** Kish where too little is known of the outcomes, else Rao and Scott 1992. */
export function nEffective(n: number, hits: number, { m2, cm, c2 }: EntitySums): number {
  if (m2 === n) return n;
  const [kish, p] = [n ** 2 / m2, hits / n];
  if (kish * min(p, 1 - p) < 30) return kish;
  const deff = ((kish / (kish - 1)) * (c2 - 2 * p * cm + p ** 2 * m2)) / (n * p * (1 - p));
  return (n / max(1, deff)) * (Z / studentT(kish - 1)) ** 2;
}

/** What a part of the pairs is worth at least; pairs2 is the sum of m^2 - m over all entities. */
export function leastNEffective(part: number, pairs2: number): number {
  return part ** 2 / (part + pairs2);
}

type Widening = { factor: number; extra: number };

function meanInterval(n: number, total: number, squares: number, effective: number, wider: Widening): Interval | null {
  if (!(effective >= 2 && total > 0)) return null;
  const mean = total / n;
  const margin = Z * sqrt(max(0, squares / n / mean / mean - 1) / (effective - 1));
  return [mean * exp(-margin), mean * exp(min(50, wider.factor * margin + wider.extra / (effective - 1)))];
}

export function maeInterval(n: number, absError: number, error2: number, effective = n): Interval | null {
  return meanInterval(n, absError, error2, effective, { factor: 1.1, extra: 4 });
}

export function rmseInterval(n: number, error2: number, error4: number, effective = n): Interval | null {
  const interval = meanInterval(n, error2, error4, effective, { factor: 2, extra: 25 });
  return interval && [sqrt(interval[0]), sqrt(interval[1])];
}

function newcombeBound(auc: number, positives: number, negatives: number, outer: 0 | 1, quantile: number): number {
  let [inside, outside] = [auc, Number(outer)];
  for (let n = 0; n < 60; n += 1) {
    const x = (inside + outside) / 2;
    const spread = 1 + ((positives + negatives) / 2 - 1) * ((1 - x) / (2 - x) + x / (1 + x));
    if ((auc - x) ** 2 <= ((quantile ** 2 * x * (1 - x)) / (positives * negatives)) * spread) inside = x;
    else outside = x;
  }
  return inside;
}

export type Ranking = {
  auc: number;
  positives: number;
  negatives: number;
  /** Of the share of negatives below a positive, and of positives above a negative. */
  beatsVariance: number;
  losesVariance: number;
};

/** That of DeLong 1988. */
export function aucError({ positives, negatives, beatsVariance, losesVariance }: Ranking): number | null {
  if (min(positives, negatives) < 2) return null;
  return sqrt(beatsVariance / (positives - 1) + losesVariance / (negatives - 1));
}

/** What both Newcombe 2006, method 5, and DeLong on the logit scale leave open, with t of the smaller class. */
export function aucInterval(ranking: Ranking): Interval | null {
  const { auc, positives, negatives } = ranking;
  const error = aucError(ranking);
  if (error === null) return null;
  const quantile = studentT(min(positives, negatives) - 1);
  const newcombe = ([0, 1] as const).map((outer) => newcombeBound(auc, positives, negatives, outer, quantile));
  const [low = 0, high = 1] = newcombe;
  if (auc <= 0 || auc >= 1) return [low, high];
  const [logit, margin] = [log(auc / (1 - auc)), (quantile * error) / (auc * (1 - auc))];
  return [min(low, 1 / (1 + exp(margin - logit))), max(high, 1 / (1 + exp(-margin - logit)))];
}

/** A value, what it is worth, and what each entity adds to it: less its share of the mean, in any unit. */
export type Value = {
  value: number;
  interval: Interval | null;
  /** Of an AUC. */
  standardError?: number | null;
  nEffective: number;
  added: readonly number[];
};

/** Of what entities add to both values; above 0 less a standard error, as what is alike by chance narrows no interval. */
function correlation(a: Value, b: Value): number {
  const sums = { ab: 0, a2: 0, b2: 0 };
  for (const [index, ofA] of a.added.entries()) {
    const ofB = b.added[index] ?? 0;
    sums.ab += ofA * ofB;
    sums.a2 += ofA ** 2;
    sums.b2 += ofB ** 2;
  }
  const found = sums.a2 * sums.b2 > 0 ? sums.ab / sqrt(sums.a2 * sums.b2) : 0;
  return found > 0 ? max(0, found - 1 / sqrt(min(a.nEffective, b.nEffective))) : found;
}

/** The difference of two values over the same entities: Newcombe 1998, method 10; Zou 2007; of AUC also what DeLong 1988 leaves open. */
export function differenceInterval(a: Value, b: Value): Interval | null {
  if (a.interval === null || b.interval === null) return null;
  const [r, difference] = [correlation(a, b), a.value - b.value];
  const margin = (x: number, y: number): number => sqrt(max(0, x ** 2 - 2 * r * x * y + y ** 2));
  const least = Z * margin(a.standardError ?? 0, b.standardError ?? 0);
  return [
    difference - max(least, margin(a.value - a.interval[0], b.interval[1] - b.value)),
    difference + max(least, margin(a.interval[1] - a.value, b.value - b.interval[0])),
  ];
}
