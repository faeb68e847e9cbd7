import type pg from 'pg';
import type { DatabaseConnection } from '../postgres/connection.ts';
import { isConnectionLoss, sqlState } from '../postgres/sqlstate.ts';
import { PgscoreError } from '../errors.ts';

/** What a value of a query must look like. */
type ParameterKind = 'text' | 'target' | 'versions' | 'version' | 'date';

/** One of the questions that the page may ask: its statement, the names of its values in order, and the view it stands on. */
export type PageQuery = {
  readonly text: string;
  readonly parameters: readonly (readonly [name: string, kind: ParameterKind])[];
  /** Its view need not be there; what is not there has no rows. */
  readonly optional?: true;
};

export const MODEL = ['model', 'text'] as const;
export const VERSIONS = ['versions', 'versions'] as const;
export const VERSION = ['version', 'version'] as const;
export const MONTH = ['month', 'date'] as const;

export type Answer = { readonly status: number; readonly body: string };

/** With the milliseconds that the database took for it. */
type Timed = Answer & { readonly took: number };

/** So long at least an answer is given again, so that many browsers cost the database no more than one. */
const FRESH_MS = 1000;
/** And so many times as long as it took: no question keeps the database busy for more than a tenth of the time. */
const REST = 10;
/** More than these wait for the one connection only where the database is in trouble. */
const MOST_WAITING = 24;

const NOTHING: Answer = { status: 200, body: JSON.stringify({ columns: [], rows: [] }) };

const BUSY = problem(503, 'busy', 'The database is busy just now.');

const INT8 = 20;
/** statement_timeout. */
const QUERY_CANCELED = '57014';
/** lock_timeout. */
const LOCK_NOT_AVAILABLE = '55P03';
const UNDEFINED_TABLE = '42P01';
const BAD_VALUES = ['22007', '22008', '22003'];

/** Asks the database what the page wants to know, each question at most once a second, and slow ones seldom. */
export class PageData {
  readonly #connection: DatabaseConnection;
  readonly #answers = new Map<string, { until: number; answer: Promise<Timed> }>();
  #waiting = 0;

  constructor(connection: DatabaseConnection) {
    this.#connection = connection;
  }

  async ask(name: string, query: PageQuery, values: readonly string[]): Promise<Answer> {
    this.#forgetOld();
    const key = JSON.stringify([name, values]);
    const known = this.#answers.get(key);
    if (known !== undefined) return answerOf(await known.answer);
    if (this.#waiting >= MOST_WAITING) return BUSY;
    const entry = { until: Infinity, answer: this.#ask(query, values) };
    this.#answers.set(key, entry);
    const timed = await entry.answer;
    entry.until = performance.now() + Math.max(FRESH_MS, REST * timed.took);
    return answerOf(timed);
  }

  async #ask(query: PageQuery, values: readonly string[]): Promise<Timed> {
    this.#waiting += 1;
    let began = performance.now();
    const done = (answer: Answer): Timed => ({ ...answer, took: performance.now() - began });
    try {
      const config = { text: query.text, values: [...values], rowMode: 'array' as const };
      const result = await this.#connection.use((client) => {
        began = performance.now();
        return client.query<unknown[]>(config);
      });
      return done({ status: 200, body: JSON.stringify(tableOf(result)) });
    } catch (error) {
      return done(query.optional === true && sqlState(error) === UNDEFINED_TABLE ? NOTHING : problemOf(error));
    } finally {
      this.#waiting -= 1;
    }
  }

  #forgetOld(): void {
    const now = performance.now();
    for (const [key, { until }] of this.#answers) if (until < now) this.#answers.delete(key);
  }
}

function answerOf({ status, body }: Timed): Answer {
  return { status, body };
}

/** Columns once, then rows: half as long as rows with names. */
function tableOf({ fields, rows }: pg.QueryArrayResult): { columns: string[]; rows: unknown[][] } {
  const counts = fields.map(({ dataTypeID }) => dataTypeID === INT8);
  return {
    columns: fields.map(({ name }) => name),
    rows: rows.map((row: unknown[]) =>
      row.map((value, at) => (counts[at] === true && value !== null ? Number(value) : value)),
    ),
  };
}

function problemOf(error: unknown): Answer {
  const state = sqlState(error);
  if (state === QUERY_CANCELED) return problem(503, 'too_slow', 'The view took longer than the page may wait.');
  if (state === LOCK_NOT_AVAILABLE) return BUSY;
  if (state !== undefined && BAD_VALUES.includes(state)) return problem(400, 'bad_request', 'A value is out of range.');
  if (error instanceof PgscoreError || isConnectionLoss(error))
    return problem(503, 'database_unreachable', 'The service cannot reach its database just now.');
  return problem(500, 'internal', `The view could not be read${state === undefined ? '' : ` (${state})`}.`);
}

export function problem(status: number, error: string, message: string): Answer {
  return { status, body: JSON.stringify({ error, message }) };
}

const MOST_TEXT = 200;

const FORMS: Readonly<Record<ParameterKind, RegExp>> = {
  text: new RegExp(`^[^\\0]{1,${MOST_TEXT}}$`, 'su'),
  target: new RegExp(`^[^\\0]{0,${MOST_TEXT}}$`, 'su'),
  version: /^\d{1,9}$/,
  versions: /^\d{1,9}(?:,\d{1,9}){0,5}$/,
  date: /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/,
};

/** The values of a query in their order, as a request gives them; undefined where one is missing or is not of its kind. */
export function parametersOf(query: PageQuery, given: unknown): string[] | undefined {
  const values = new Map(Object.entries(typeof given === 'object' && given !== null ? given : {}));
  const found = query.parameters.map(([name, kind]) => {
    const value: unknown = values.get(name) ?? (kind === 'target' ? '' : undefined);
    if (typeof value !== 'string' || !FORMS[kind].test(value)) return undefined;
    return kind === 'versions' ? `{${value}}` : value;
  });
  return found.every((value) => value !== undefined) ? found : undefined;
}
