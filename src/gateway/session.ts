import { isUtf8 } from 'node:buffer';
import type { Call } from './call.ts';
import { Gone, type Connection } from './connection.ts';
import type { Message } from './frame-reader.ts';
import {
  commandComplete,
  dataRow,
  EMPTY_QUERY,
  errorResponse,
  parameterStatus,
  READY,
  rowDescription,
} from './replies.ts';
import { asWireError } from './score-desk.ts';
import { scoreReply } from './score-reply.ts';
import { readScoreRequest, type RequestLimits, type ScoreRequest } from './score-request.ts';
import { checkEncoding, notSupported, readVerb } from './verb.ts';
import { protocolViolation, WireError } from './wire-error.ts';

export type SessionOptions = {
  readonly messageBytes: number;
  /** A session that asks nothing for so long ends; 0: never. */
  readonly idleMs: number;
  readonly limits: RequestLimits;
  readonly score: (request: ScoreRequest) => Call;
  readonly onError: (error: WireError) => void;
};

const PONG = Buffer.concat([
  rowDescription([{ name: 'ping', type: 'text' }]),
  dataRow(['ok']),
  commandComplete('PING'),
  READY,
]);
const ENCODING_SET = Buffer.concat([parameterStatus('client_encoding', 'UTF8'), commandComplete('SET'), READY]);
const NOTHING_DONE = Buffer.concat([EMPTY_QUERY, READY]);

const EXTENDED = 'PBDEC';
/** Flush, and what is left of a COPY that failed. */
const IGNORED = 'Hdcf';

/** An authenticated connection: answers one query after the other until the client leaves. */
export class Session {
  readonly #connection: Connection;
  readonly #options: SessionOptions;
  #call: Call | undefined;
  #busy = false;
  #draining = false;

  constructor(connection: Connection, options: SessionOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Resolves at Terminate; raises where the client is gone or broke the protocol. */
  async serve(): Promise<void> {
    this.#connection.onGone = () => this.#abandon();
    for (;;) {
      this.#busy = false;
      const { type, body } = await this.#nextMessage();
      this.#busy = true;
      if (type === 'X') return;
      if (type === 'Q') await this.#answer(body);
      else if (EXTENDED.includes(type)) await this.#refuseExtended();
      else if (type === 'S') await this.#connection.write(READY);
      else if (type === 'F') await this.#refuse(notSupported('this port has no function calls'));
      else if (!IGNORED.includes(type)) throw protocolViolation(`a message of the unknown type ${type.charCodeAt(0)}`);
      if (this.#draining) throw shuttingDown();
    }
  }

  /** Gives the call under way up, as its caller wished. */
  cancel(): void {
    this.#call?.fail(new WireError('57014', 'canceling the call due to user request'));
  }

  /** Ends the session: at once where it is idle, else after its answer. */
  drain(): void {
    this.#draining = true;
    if (!this.#busy) this.#connection.close(errorResponse(shuttingDown()));
  }

  #abandon(): void {
    if (this.#call === undefined) return;
    const error = new WireError('08006', 'the caller went away');
    this.#options.onError(error);
    this.#call.fail(error);
  }

  async #nextMessage(): Promise<Message> {
    const { idleMs, messageBytes } = this.#options;
    if (idleMs === 0) return this.#connection.message(messageBytes);
    const idle = setTimeout(() => this.#connection.close(errorResponse(idleTooLong())), idleMs);
    return this.#connection.message(messageBytes).finally(() => clearTimeout(idle));
  }

  async #answer(body: Buffer): Promise<void> {
    try {
      for (const piece of await this.#reply(textOf(body))) await this.#connection.write(piece);
    } catch (error) {
      if (this.#connection.gone) throw new Gone();
      await this.#refuse(asWireError(error));
    }
  }

  async #reply(query: string): Promise<Iterable<Buffer>> {
    const verb = readVerb(query);
    switch (verb.name) {
      case 'ping':
        return [PONG];
      case 'nothing':
        return [NOTHING_DONE];
      case 'encoding':
        checkEncoding(verb.encoding);
        return [ENCODING_SET];
      case 'score':
        return scoreReply(await this.#score(verb.request));
    }
  }

  async #score(text: string): Promise<Awaited<Call['answer']>> {
    this.#call = this.#options.score(readScoreRequest(text, this.#options.limits));
    try {
      return await this.#call.answer;
    } finally {
      this.#call = undefined;
    }
  }

  async #refuseExtended(): Promise<void> {
    const error = notSupported('this port knows simple queries only, not prepared statements or parameters');
    this.#options.onError(error);
    await this.#connection.write(errorResponse(error));
    while ((await this.#nextMessage()).type !== 'S');
    await this.#connection.write(READY);
  }

  async #refuse(error: WireError): Promise<void> {
    if (error.severity === 'FATAL') throw error;
    this.#options.onError(error);
    await this.#connection.write(Buffer.concat([errorResponse(error), READY]));
  }
}

function textOf(body: Buffer): string {
  if (body.indexOf(0) !== body.length - 1) throw protocolViolation('a query does not end with its only zero byte');
  if (!isUtf8(body)) throw new WireError('22021', 'the query is not valid UTF-8');
  return body.toString('utf8', 0, body.length - 1);
}

function shuttingDown(): WireError {
  return WireError.fatal('57P01', 'terminating connection: the service stops', { hint: 'Connect again.' });
}

function idleTooLong(): WireError {
  return WireError.fatal('57P05', 'terminating connection: it was idle for too long');
}
