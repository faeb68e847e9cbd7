export type Value = string | number | boolean | null;
export type Row = Readonly<Record<string, Value>>;

/** The service, its database or a view does not answer as it should; the message is for people. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

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
  const response = await fetch(`/page/api/${question}${search === '' ? '' : `?${search}`}`).catch(() => undefined);
  if (response === undefined) throw new Refusal('service_unreachable', 'The service does not answer.');
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw refusalOf(answer);
  return rowsOf(answer);
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
