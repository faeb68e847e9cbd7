import { invalid, isObject, parse, readBody, type Body } from './request-rows.ts';
import { WireError } from '../protocol/wire-error.ts';

/** One call of score(): who asks which version about which rows. */
export type ScoreRequest = Head & Body;

type Head = {
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
  /** Set by `_request_in_name_of()`: the role is claimed, not proven. Such a call shares a batch only of a row-wise model. */
  readonly alone: boolean;
};

/** A row for each prediction; one row of three arrays; or nothing but the score of the only row. */
type ReplyKind = 'rows' | 'columns' | 'score';

export type RequestLimits = {
  readonly deadlineMs: number;
  readonly mostDeadlineMs: number;
  readonly mostRows: number;
};

const MEMBERS = new Set(['version', 'role', 'deadline', 'log', 'inputs', 'id', 'reply', 'alone']);
/** The line that a request begins with, among what signs it. */
const HEAD = /\{[^\n]*/;
/** Past that it is none, and is not to be parsed. */
const LONGEST_HEAD = 64 * 1024;
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
   * Reads a line `{"version": 17, "role": "alice"}`, which may have "deadline" in ms, "log", "inputs", "id", "reply" and "alone". Below
   * it is a row `{…}`, a list of rows, or rows of numbers. Between them is `from 1001 of 2900` if these are some of the caller's rows.
   */
  read(text: string): ScoreRequest {
    const head = this.#headOf(text);
    return requestOf(head, readBody(text.slice(this.#text.length), this.#limits.mostRows));
  }

  /** Who asks, and the deadline, by the beginning of a message; what is not valid there is refused when all of it is read. */
  beginningOf(message: Buffer): Pick<Head, 'role' | 'deadlineMs'> {
    try {
      return readHead(parse(HEAD.exec(message.toString())?.[0] ?? ''), this.#limits);
    } catch {
      return { role: '', deadlineMs: this.#limits.deadlineMs };
    }
  }

  #headOf(text: string): Head {
    return this.#head !== undefined && text.startsWith(this.#text) ? this.#head : this.#readHead(text);
  }

  #readHead(text: string): Head {
    const end = text.indexOf('\n');
    const head = readHead(parse(text.slice(0, Math.min(end < 0 ? text.length : end, LONGEST_HEAD))), this.#limits);
    if (end < 0) throw invalid('there are no rows below it');
    // A copy: a slice would keep the whole text, with all its rows, in memory.
    this.#text = Buffer.from(text.slice(0, end + 1)).toString();
    this.#head = head;
    return head;
  }
}

/** Written out: to spread the head took 3 µs, a twentieth of a call. */
function requestOf(head: Head, { rows, about, range }: Body): ScoreRequest {
  if (head.reply === 'score' && rows.length > 1) throw invalid('more than one row has more than one score');
  const { versionId, role, deadlineMs, log, inputs, id, reply, alone } = head;
  return { versionId, role, deadlineMs, log, inputs, id, reply, alone, rows, about, range };
}

function readHead(head: unknown, limits: RequestLimits): Head {
  checkMembers(head);
  const { version, role, deadline = limits.deadlineMs, log = false, inputs = true, id = null } = head;
  const { reply = 'rows', alone = false } = head;
  if (!isInteger(version, 2 ** 31 - 1)) throw invalid('"version" is not the id of a version');
  if (!isName(role)) throw invalid('"role" is not the name of a role');
  if (![log, inputs, alone].every((value) => typeof value === 'boolean'))
    throw invalid('"log", "inputs" or "alone" is not true or false');
  if (!isReplyKind(reply)) throw invalid('"reply" is not known');
  const flags = { log: log === true, inputs: inputs === true, alone: alone === true };
  return { versionId: version, role, deadlineMs: checkDeadline(deadline, limits), id: checkId(id), reply, ...flags };
}

function checkMembers(head: unknown): asserts head is Record<string, unknown> {
  if (!isObject(head)) throw invalid('it is not an object');
  const stranger = Object.keys(head).find((name) => !MEMBERS.has(name));
  if (stranger !== undefined) throw invalid(`"${stranger.slice(0, 63)}" is not known`);
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
