import { type Feature, watchedFeatures, type Watched } from '../inference/signature.ts';

/** Metadata of the ONNX file under which pgscore looks for what the features were like in training: a JSON object. */
const BASELINE_KEY = 'pgscore.baseline';

const MOST_CHARACTERS = 2 ** 20;
const MOST_BINS = 100;
const MOST_CATEGORIES = 1050;
const CATEGORIES_WITH_A_BIN = 50;
const LONGEST_CATEGORY = 200;
const BEYOND = 1e60;

/** What a feature was like in training, as the monitor counts: missing, below or new, the bins, above or any other. */
export type FeatureBaseline = {
  readonly feature: number;
  readonly counts: readonly number[];
  readonly measured: number;
  readonly sum: number;
  readonly low?: number;
  readonly high?: number;
  readonly edges?: readonly number[];
  readonly centers?: readonly number[];
  readonly categories?: readonly string[];
  readonly others?: readonly string[] | null;
};

/** What is wrong with the statistics; it becomes a warning, as a model scores without them. */
class Unusable extends Error {}

/**
 * Reads the training statistics of a model. Of a number: {"edges": [k + 1], "counts": [k], "missing", "mean"}, as
 * numpy.histogram() gives them; of a text or boolean: {"categories": {"name": count}, "other", "missing"}. All features
 * that are watched must be there. Null, with a warning, where they are of no use.
 */
export function trainingBaseline(
  metadata: Readonly<Record<string, string>>,
  features: readonly Feature[],
): { readonly baseline: readonly FeatureBaseline[] | null; readonly warnings: readonly string[] } {
  const text = Object.hasOwn(metadata, BASELINE_KEY) ? metadata[BASELINE_KEY] : undefined;
  if (text === undefined) return { baseline: null, warnings: [] };
  try {
    const statistics = objectOf(parse(text), 'it');
    const baseline = watchedFeatures(features).map((watched) => baselineOf(watched, statistics));
    return { baseline: baseline.length > 0 ? baseline : null, warnings: [] };
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    const warning = `the training statistics in the metadata '${BASELINE_KEY}' are not used: ${error.message}`;
    return { baseline: null, warnings: [warning] };
  }
}

function parse(text: string): unknown {
  if (text.length > MOST_CHARACTERS) throw new Unusable(`they have more than ${MOST_CHARACTERS} characters`);
  try {
    return JSON.parse(text);
  } catch {
    throw new Unusable('they are not JSON');
  }
}

function baselineOf({ feature, name, kind }: Watched, statistics: Readonly<Record<string, unknown>>): FeatureBaseline {
  const label = `'${name}'`;
  if (!Object.hasOwn(statistics, name)) throw new Unusable(`${label} is not among them`);
  const given = objectOf(statistics[name], label);
  const missing = countOf(given['missing'] ?? 0, `${label}.missing`);
  const counted = kind === 'number' ? numberBaseline(given, missing, label) : categoryBaseline(given, missing, label);
  const total = counted.counts.reduce((sum, count) => sum + count, 0);
  if (total === 0 || !Number.isSafeInteger(total)) throw new Unusable(`${label} counts no row, or too many`);
  return { feature, ...counted };
}

function numberBaseline(given: Readonly<Record<string, unknown>>, missing: number, label: string) {
  const edges = arrayOf(given['edges'], 2, MOST_BINS + 1, `${label}.edges`).map((edge) => numberOf(edge, label));
  const counts = arrayOf(given['counts'], 1, MOST_BINS, `${label}.counts`).map((n) => countOf(n, `${label}.counts`));
  if (counts.length !== edges.length - 1)
    throw new Unusable(`${label} has ${edges.length} edges, and not a count less`);
  const [low, high] = [edges[0] ?? 0, edges.at(-1) ?? 0];
  if (!edges.every((edge, at) => at === 0 || edge > (edges[at - 1] ?? 0)) && !(edges.length === 2 && low === high))
    throw new Unusable(`the edges of ${label} do not ascend`);
  const centers = counts.map((_, at) => (edges[at] ?? 0) / 2 + (edges[at + 1] ?? 0) / 2);
  const measured = counts.reduce((sum, count) => sum + count, 0);
  const middle = centers.reduce((sum, center, at) => sum + center * ((counts[at] ?? 0) / (measured || 1)), 0);
  const mean = given['mean'] === undefined ? middle : numberOf(given['mean'], `${label}.mean`);
  if (measured > 0 && (mean < low || mean > high)) throw new Unusable(`the mean of ${label} is none of its edges`);
  return {
    counts: [missing, 0, ...counts, 0],
    measured,
    sum: mean * measured,
    low,
    high,
    edges: edges.slice(1, -1),
    centers,
  };
}

function categoryBaseline(given: Readonly<Record<string, unknown>>, missing: number, label: string) {
  const entries = Object.entries(objectOf(given['categories'], `${label}.categories`))
    .map(([name, count]) => [name, countOf(count, `${label}.categories`)] as const)
    .toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const other = countOf(given['other'] ?? 0, `${label}.other`);
  if (entries.length > MOST_CATEGORIES) throw new Unusable(`${label} has more than ${MOST_CATEGORIES} categories`);
  if (entries.some(([name]) => Buffer.byteLength(name) > LONGEST_CATEGORY || /[\0\p{Surrogate}]/u.test(name)))
    throw new Unusable(`${label} has a category of more than ${LONGEST_CATEGORY} bytes, or that is no text`);
  const [binned, rest] = [entries.slice(0, CATEGORIES_WITH_A_BIN), entries.slice(CATEGORIES_WITH_A_BIN)];
  const restCount = rest.reduce((sum, [, count]) => sum + count, other);
  return {
    counts: [missing, 0, ...binned.map(([, count]) => count), restCount],
    measured: 0,
    sum: 0,
    categories: binned.map(([name]) => name),
    others: other > 0 ? null : rest.map(([name]) => name),
  };
}

function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new Unusable(`${what} is not a JSON object`);
}

function arrayOf(value: unknown, least: number, most: number, what: string): unknown[] {
  if (Array.isArray(value) && value.length >= least && value.length <= most) return value;
  throw new Unusable(`${what} is not an array of ${least} to ${most}`);
}

function numberOf(value: unknown, what: string): number {
  if (typeof value === 'number' && Math.abs(value) < BEYOND) return value;
  throw new Unusable(`${what} has what is no number, or one of 1e60 and more`);
}

function countOf(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Unusable(`${what} has what is no count`);
}

/** Metadata of the ONNX file under which pgscore looks for when the training data end: a date or time of ISO 8601. */
const TRAINED_UNTIL_KEY = 'pgscore.trained_until';

const ISO = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;

/** When the data end that a model was trained on, without a zone in UTC. Null, with a warning, where the metadata say no time. */
export function trainedUntil(metadata: Readonly<Record<string, string>>): {
  readonly trainedUntil: string | null;
  readonly warnings: readonly string[];
} {
  const text = Object.hasOwn(metadata, TRAINED_UNTIL_KEY) ? metadata[TRAINED_UNTIL_KEY]?.trim() : undefined;
  if (text === undefined || text === '') return { trainedUntil: null, warnings: [] };
  const time = timeOf(text);
  if (time !== undefined) return { trainedUntil: time, warnings: [] };
  const warning = `the metadata '${TRAINED_UNTIL_KEY}' is not used: it is no date or time such as 2026-06-30`;
  return { trainedUntil: null, warnings: [warning] };
}

function timeOf(text: string): string | undefined {
  if (!ISO.test(text) || text.startsWith('0000')) return undefined;
  const hasZone = /Z|[+-]\d\d:?\d\d$/.test(text.slice(10));
  const time = new Date(text.length > 10 && !hasZone ? `${text.replace(' ', 'T')}Z` : text.replace(' ', 'T'));
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}
