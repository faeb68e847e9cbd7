type Value = string | number | boolean | null;
export type Row = Readonly<Record<string, Value>>;

/** The service, its database or a view does not answer as it should; the message is for people. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Longer than the service lets a view take, not than a view may wait for others before it. An answer that got lost, as on a machine that slept, must not be waited for for ever. */
const TIMEOUT_MS = 10_000;

let refusedAt = -Infinity;

/** Whether a question was refused within the last seconds: worth asking again soon. */
export function refusedLately(seconds = 5): boolean {
  return performance.now() - refusedAt < seconds * 1000;
}

/** Asks one question; its rows. Raises a `Refusal`. */
export async function ask(question: string, values: Readonly<Record<string, string>> = {}): Promise<Row[]> {
  try {
    return await answerTo(question, values);
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'too_slow') refusedAt = performance.now();
    throw error;
  }
}

async function answerTo(question: string, values: Readonly<Record<string, string>>): Promise<Row[]> {
  const search = new URLSearchParams(values).toString();
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  const [response, answer] = await fetched(`/page/api/${question}${search === '' ? '' : `?${search}`}`, deadline);
  if (answer === undefined && deadline.aborted)
    throw new Refusal('service_slow', 'The service took too long to answer.');
  if (response?.ok === false) throw refusalOf(answer);
  if (answer === undefined) throw new Refusal('service_unreachable', 'The service does not answer.');
  return rowsOf(answer);
}

/** What the service says; nothing where it does not, or not to the end. */
async function fetched(path: string, signal: AbortSignal): Promise<[response?: Response, answer?: unknown]> {
  // Else Chromium lets a question wait for the same one before it, for 20 seconds if that is not answered.
  const outOfCache = { cache: 'no-store', signal } as const;
  try {
    const response = await fetch(path, outOfCache);
    return [response, await response.json().catch(() => undefined)];
  } catch {
    return [];
  }
}

export function text(row: Row | undefined, column: string): string {
  const value = row?.[column];
  return value === null || value === undefined ? '' : String(value);
}

export function number(row: Row | undefined, column: string): number | null {
  const value = row?.[column];
  return typeof value === 'number' ? value : null;
}

function rowsOf(answer: unknown): Row[] {
  const { columns, rows } = answer as { columns: string[]; rows: Value[][] };
  return rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at] ?? null])));
}

function refusalOf(answer: unknown): Refusal {
  const { error, message } = (answer ?? {}) as { error?: string; message?: string };
  return new Refusal(error ?? 'internal', message ?? 'The service could not answer.');
}
