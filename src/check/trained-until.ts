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
