/** What one way says of one row, as far as it goes. */
type Given = {
  /** What score() gives without a class. */
  readonly score?: number;
  readonly label?: string;
  /** Which of several labels apply. */
  readonly labels?: readonly string[];
  /** By class, label, target or quantile. */
  readonly numbers: Readonly<Record<string, number>>;
  readonly embedding?: readonly number[];
};

/** `null` is SQL's NULL. */
export type Answer = Given | { readonly failed: string } | null;

type Json = Readonly<Record<string, unknown>>;

const NOT_SAID = ['error_code', 'model_version', 'run_id', 'event_time', 'scored_at', 'pgscore_key'];
const OF_CLASS = /^(?:probability|margin|distance|share)_(.*)$/s;

/** The answer of a row of a target, as `to_jsonb()` has it. */
export function answerOfTarget(row: Json, key: string): Answer {
  const failed = row['error_code'];
  if (typeof failed === 'string') return { failed };
  const numbers: Record<string, number> = {};
  const labels: string[] = [];
  for (const [column, value] of Object.entries(row)) {
    if (column === key || NOT_SAID.includes(column) || column === 'score') continue;
    if (typeof value === 'number') numbers[OF_CLASS.exec(column)?.[1] ?? column] = value;
    if (typeof value === 'boolean' && column.startsWith('label_') && value) labels.push(column.slice('label_'.length));
  }
  const isMultiLabel = Object.entries(row).some(([column, value]) => column.startsWith('label_') && value !== null);
  return { numbers, ...membersOf(row), ...(isMultiLabel ? { labels: labels.toSorted() } : {}) };
}

/** The answer of predict(); NULL where natively nothing finite comes of a row, so that all that it has are nulls. */
export function answerOfPrediction(json: Json): Answer {
  const { value, label, labels, embedding, version: _version, ...others } = json;
  const groups = Object.values(others).filter((group) => typeof group === 'object' && group !== null);
  const said = Object.entries(Object.assign({}, ...groups) as Record<string, number | null>);
  const numbers = Object.fromEntries(said.flatMap(([name, number]) => (number === null ? [] : [[name, number]])));
  const members = membersOf({ score: value, label, embedding });
  const isNull =
    said.length + Object.keys(members).length === 0 || (said.length > 0 && Object.keys(numbers).length === 0);
  if (isNull && !Array.isArray(labels)) return null;
  return { numbers, ...members, ...(Array.isArray(labels) ? { labels: labels.map(String).toSorted() } : {}) };
}

/** The answer of a row of score_rows(), whose `outputs` are what predict() gives. */
export function answerOfRows({ score, label, outputs }: Json): Answer {
  const members = membersOf({ score, label });
  const predicted = answerOfPrediction((outputs ?? {}) as Json);
  if (predicted === null && Object.keys(members).length === 0) return null;
  return { numbers: {}, ...predicted, ...members };
}

function membersOf({ score, label, embedding }: Json): Omit<Given, 'numbers'> {
  return {
    ...(typeof score === 'number' ? { score } : {}),
    ...(typeof label === 'string' ? { label } : {}),
    ...(Array.isArray(embedding) ? { embedding: embedding.map(Number) } : {}),
  };
}

/**
 * Why two answers about one row do not agree; undefined where they do. `reference` is of a run.
 *
 * @param tolerance a share, and below 1 a distance
 */
export function disagreement(reference: Answer, other: Answer, tolerance: number): string | undefined {
  if (reference === null) return 'a run says nothing of the row';
  if ('failed' in reference) return ofFailed(reference.failed, other);
  if (other === null) return 'is NULL';
  if ('failed' in other) return isRefused(other.failed) ? undefined : 'fails';
  const near = (one: number, two: number): boolean =>
    one === two || Math.abs(one - two) <= tolerance * Math.max(1, Math.abs(one));
  const said = [
    ...sameNumbers(reference, other, near),
    ...sameLabels(reference, other, (one, two) => Math.abs(one - two) <= 2 * tolerance),
  ];
  if (said.length === 0) return 'says nothing that the run says, too';
  return said.find((wrong) => wrong !== '');
}

/** Of a number that JSON readers round the service is not asked. */
export function isRefused(message: string): boolean {
  return message.includes('past 2^53, which the service can not be asked about exactly');
}

/** Natively a row is NULL of which ONNX Runtime says no finite number, or which it refuses. */
function ofFailed(code: string, other: Answer): string | undefined {
  if (other === null) return ['non_finite_output', 'refused_by_model'].includes(code) ? undefined : 'is NULL';
  if ('failed' in other) return undefined;
  return 'is scored, though the run fails the row';
}

/** Of each number that both have, '' or what is wrong. */
function sameNumbers(reference: Given, other: Given, near: (one: number, two: number) => boolean): string[] {
  const pairs: [what: string, one: number, two: number][] = [];
  if (reference.score !== undefined && other.score !== undefined) pairs.push(['score', reference.score, other.score]);
  for (const [name, value] of Object.entries(other.numbers)) {
    const wanted = reference.numbers[name];
    if (wanted !== undefined) pairs.push([name, wanted, value]);
  }
  for (const [at, value] of (other.embedding ?? []).entries())
    pairs.push([`embedding[${at}]`, reference.embedding?.[at] ?? Number.NaN, value]);
  return pairs.map(([what, one, two]) => (near(one, two) ? '' : `${what} is ${two}, not ${one}`));
}

/** Labels may differ where their numbers are a tie. */
function sameLabels(reference: Given, other: Given, tied: (one: number, two: number) => boolean): string[] {
  const said: string[] = [];
  const number = (name: string): number => reference.numbers[name] ?? Number.NaN;
  if (reference.label !== undefined && other.label !== undefined) {
    const { label: one } = reference;
    const same =
      one === other.label || tied(number(one), number(other.label)) || tied(reference.score ?? Number.NaN, 0.5);
    said.push(same ? '' : `label is ${other.label}, not ${one}`);
  }
  if (reference.labels !== undefined && other.labels !== undefined) {
    const all = new Set([...reference.labels, ...other.labels]);
    const differing = [...all].filter((label) => reference.labels?.includes(label) !== other.labels?.includes(label));
    said.push(
      differing.every((label) => tied(number(label), 0.5))
        ? ''
        : `labels are ${other.labels.join()}, not ${reference.labels.join()}`,
    );
  }
  return said;
}
