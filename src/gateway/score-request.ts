import type { JsonRow } from '../model/json-rows.ts';
import type { FeatureRows } from '../model/number-rows.ts';
import { NUMBERS, readNumbers, type About, type SentNumbers } from './read-numbers.ts';
import { noRow, RowRefusal, type Place } from './row-refusal.ts';
import { isSeveral, notSupported } from './verb.ts';
import { OTHER_RELEASE, WireError } from './wire-error.ts';

/** One call of score(): who asks which version about which rows. */
export type ScoreRequest = {
  readonly versionId: number;
  /** Who asks; pgscore's function says so, which alone knows the password of this port. */
  readonly role: string;
  readonly deadlineMs: number;
  /** Whether the call is to be recorded. */
  readonly log: boolean;
  /** Whether with its rows. */
  readonly inputs: boolean;
  readonly id: string | null;
  readonly reply: ReplyKind;
  readonly rows: FeatureRows;
  /** What rows of numbers are about, as far as it was sent; others say it themselves. */
  readonly about: About;
  /** Where they are not all that the caller has. */
  readonly place?: Place | undefined;
};

/** A row for each prediction; one row of three arrays; or nothing but the score of the only row. */
export type ReplyKind = 'rows' | 'columns' | 'score';

type Body = Pick<ScoreRequest, 'rows' | 'about' | 'place'>;

type Head = Omit<ScoreRequest, keyof Body>;

export type RequestLimits = {
  readonly deadlineMs: number;
  readonly mostDeadlineMs: number;
  readonly mostRows: number;
};

const MEMBERS = new Set(['version', 'role', 'deadline', 'log', 'inputs', 'id', 'reply']);
/** Which rows they are of those that the caller has. */
const PLACE = /^from (?<first>\d{1,9}) of (?<of>\d{1,9})\n/;
const LONGEST_ID = 200;
/** A name of PostgreSQL. */
const LONGEST_ROLE_BYTES = 63;

/** Reads requests of one session, whose heads are the same call after call. */
export class ScoreRequestReader {
  readonly #limits: RequestLimits;
  #text = '\n';
  #head: Head | undefined;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /**
   * Reads a line `{"version": 17, "role": "alice"}`, with "deadline" in ms, "log", "inputs", "id" and "reply"
   * where given, and below it a row `{…}`, a list of rows, or rows of numbers; between them `from 1001 of 2900` where
   * these are some of the caller's rows.
   */
  read(text: string): ScoreRequest {
    const head = this.#head !== undefined && text.startsWith(this.#text) ? this.#head : this.#readHead(text);
    const { rows, about, place } = readBody(text.slice(this.#text.length), this.#limits);
    if (head.reply === 'score' && rows.length > 1) throw invalid('more than one row has more than one score');
    // Written out: to spread the head took 3 µs, a twentieth of a call.
    const { versionId, role, deadlineMs, log, inputs, id, reply } = head;
    return { versionId, role, deadlineMs, log, inputs, id, reply, rows, about, place };
  }

  #readHead(text: string): Head {
    const end = text.indexOf('\n');
    const head = readHead(parse(end < 0 ? text : text.slice(0, end)), this.#limits);
    if (end < 0) throw invalid('there are no rows below it');
    // A copy: a slice would keep the whole text, with all its rows, in memory.
    this.#text = Buffer.from(text.slice(0, end + 1)).toString();
    this.#head = head;
    return head;
  }
}

function readHead(head: unknown, limits: RequestLimits): Head {
  checkMembers(head);
  const { version, role, deadline = limits.deadlineMs, log = false, inputs = true, id = null, reply = 'rows' } = head;
  if (!isInteger(version, 2 ** 31 - 1)) throw invalid('"version" is not the id of a version');
  if (!isName(role)) throw invalid('"role" is not the name of a role');
  if (typeof log !== 'boolean' || typeof inputs !== 'boolean') throw invalid('"log" or "inputs" is not true or false');
  if (!isReplyKind(reply)) throw invalid('"reply" is not known');
  return {
    versionId: version,
    role,
    deadlineMs: checkDeadline(deadline, limits),
    log,
    inputs,
    id: checkId(id),
    reply,
  };
}

function checkMembers(head: unknown): asserts head is Record<string, unknown> {
  if (!isObject(head)) throw invalid('it is not an object');
  const stranger = Object.keys(head).find((name) => !MEMBERS.has(name));
  if (stranger !== undefined) throw invalid(`"${stranger.slice(0, 63)}" is not known`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (isSeveral(text)) throw notSupported('this port answers one statement at a time');
    throw new WireError('22P02', 'the request of score is not JSON', { cause, ...OTHER_RELEASE });
  }
}

function checkDeadline(deadline: unknown, { mostDeadlineMs }: RequestLimits): number {
  if (isInteger(deadline, mostDeadlineMs)) return deadline;
  throw new WireError('22023', `the deadline of a call is a whole number of milliseconds from 1 to ${mostDeadlineMs}`, {
    hint: 'The option --online-deadline-limit of the service sets how long a call may wait.',
  });
}

function checkId(id: unknown): string | null {
  if (id === null || (typeof id === 'string' && id.length <= LONGEST_ID)) return id;
  throw invalid(`"id" is not null or a text of at most ${LONGEST_ID} characters`);
}

function readBody(text: string, limits: RequestLimits): Body {
  const found = text.startsWith('from ') ? PLACE.exec(text.slice(0, 40)) : null;
  if (found === null) return readRows(text, limits);
  const [line] = found;
  const place = { first: Number(found.groups?.['first']), of: Number(found.groups?.['of']) };
  try {
    return { ...readRows(text.slice(line.length), limits), place };
  } catch (error) {
    throw error instanceof RowRefusal ? error.among(place) : error;
  }
}

function readRows(text: string, limits: RequestLimits): Body {
  if (text.startsWith(NUMBERS)) {
    const sent = numbersOf(text);
    checkLength(sent.rows.length, limits);
    return sent;
  }
  return { rows: checkRows(parse(text), limits), about: {} };
}

function numbersOf(text: string): SentNumbers {
  try {
    return readNumbers(text);
  } catch (cause) {
    throw new WireError('22P02', 'the rows of score are not numbers as they are sent', { cause, ...OTHER_RELEASE });
  }
}

function checkRows(rows: unknown, limits: RequestLimits): JsonRow[] {
  if (isObject(rows)) return [rows];
  if (!Array.isArray(rows) || rows.length === 0) throw invalid('below it is neither a row nor a list of rows');
  checkLength(rows.length, limits);
  const index = rows.findIndex((row) => !isObject(row));
  if (index >= 0) throw noRow(rows[index], index, rows.length);
  return rows as JsonRow[];
}

function checkLength(rows: number, { mostRows }: RequestLimits): void {
  if (rows <= mostRows) return;
  throw new WireError('54000', `a call of ${rows} rows is past the limit of ${mostRows}`, {
    hint: 'Score whole tables with pgscore.score_table(); --gateway-queue-rows of the service sets the limit.',
  });
}

function invalid(reason: string): WireError {
  return new WireError('22023', `the request of score is not valid: ${reason}`, OTHER_RELEASE);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isInteger(value: unknown, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most;
}

function isReplyKind(value: unknown): value is ReplyKind {
  return value === 'rows' || value === 'columns' || value === 'score';
}

function isName(value: unknown): value is string {
  return (
    typeof value === 'string' && value !== '' && !value.includes('\0') && Buffer.byteLength(value) <= LONGEST_ROLE_BYTES
  );
}
