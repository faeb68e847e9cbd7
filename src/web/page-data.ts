import type pg from 'pg';
import type { Link } from '../db/link.ts';
import { isConnectionLoss, sqlState } from '../db/sqlstate.ts';
import { PgscoreError } from '../errors.ts';
import type { PageQuery } from './page-queries.ts';

export type Answer = { readonly status: number; readonly body: string };

/** So long an answer is given again, so that many browsers cost the database no more than one. */
const FRESH_MS = 1000;
/** More than these wait for the one connection only where the database is in trouble. */
const MOST_WAITING = 24;

const NOTHING: Answer = { status: 200, body: JSON.stringify({ columns: [], rows: [] }) };

const INT8 = 20;
/** statement_timeout and lock_timeout. */
const TOO_SLOW = ['57014', '55P03'];
const UNDEFINED_TABLE = '42P01';
const BAD_VALUES = ['22007', '22008', '22003'];

/** Asks the database what the page wants to know, each question at most once a second. */
export class PageData {
  readonly #link: Link;
  readonly #answers = new Map<string, { at: number; answer: Promise<Answer> }>();
  #waiting = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  async ask(name: string, query: PageQuery, values: readonly string[]): Promise<Answer> {
    this.#forgetOld();
    const key = JSON.stringify([name, values]);
    const known = this.#answers.get(key);
    if (known !== undefined) return known.answer;
    if (this.#waiting >= MOST_WAITING) return problem(503, 'busy', 'The database takes long to answer.');
    const answer = this.#ask(query, values);
    this.#answers.set(key, { at: Infinity, answer });
    await answer;
    this.#answers.set(key, { at: performance.now(), answer });
    return answer;
  }

  async #ask(query: PageQuery, values: readonly string[]): Promise<Answer> {
    this.#waiting += 1;
    try {
      const config = { text: query.text, values: [...values], rowMode: 'array' as const };
      const result = await this.#link.use((client) => client.query<unknown[]>(config));
      return { status: 200, body: JSON.stringify(tableOf(result)) };
    } catch (error) {
      return query.optional === true && sqlState(error) === UNDEFINED_TABLE ? NOTHING : problemOf(error);
    } finally {
      this.#waiting -= 1;
    }
  }

  #forgetOld(): void {
    const oldest = performance.now() - FRESH_MS;
    for (const [key, { at }] of this.#answers) if (at < oldest) this.#answers.delete(key);
  }
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
  if (state !== undefined && TOO_SLOW.includes(state))
    return problem(503, 'too_slow', 'The view took longer than the page may wait.');
  if (state !== undefined && BAD_VALUES.includes(state)) return problem(400, 'bad_request', 'A value is out of range.');
  if (error instanceof PgscoreError || isConnectionLoss(error))
    return problem(503, 'database_unreachable', 'The service cannot reach its database just now.');
  return problem(500, 'internal', `The view could not be read${state === undefined ? '' : ` (${state})`}.`);
}

export function problem(status: number, error: string, message: string): Answer {
  return { status, body: JSON.stringify({ error, message }) };
}
