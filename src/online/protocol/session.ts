import { isUtf8 } from 'node:buffer';
import { Call, Deadline, type Arrival } from '../requests/call.ts';
import { ClientGone, type Connection } from './connection.ts';
import type { Message } from './frames.ts';
import type { FairQueue } from './fair-queue.ts';
import {
  commandComplete,
  dataRow,
  EMPTY_QUERY,
  errorResponse,
  parameterStatus,
  READY,
  rowDescription,
} from './replies.ts';
import { columnsReply, scoreOnlyReply, scoreReply } from '../requests/reply.ts';
import { ScoreRequestReader, type RequestLimits, type ScoreRequest } from '../requests/parse.ts';
import { NotSigned, type Signing } from './signing.ts';
import { checkEncoding, notSupported, readCommand, type Command } from './command.ts';
import { asWireError, protocolViolation, WireError } from './wire-error.ts';

export type SessionOptions = {
  readonly messageBytes: number;
  readonly limits: RequestLimits;
  readonly score: (request: ScoreRequest, arrival?: Arrival) => Call;
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

/** What is left to do for a message; resolves with whether the session goes on. */
type Work = () => Promise<boolean>;

/** An authenticated connection: answers one query after the other until the client leaves. */
export class Session {
  readonly #connection: Connection;
  readonly #options: SessionOptions;
  readonly #requests: ScoreRequestReader;
  /** What is under way: a call, or a message that may become one. */
  #call: Call | Deadline | undefined;
  #busy = false;
  #draining = false;
  readonly #signing: Signing | undefined;
  readonly #queue: FairQueue;

  /** `queue`: where its long messages wait. */
  constructor(connection: Connection, options: SessionOptions, signing: Signing | undefined, queue: FairQueue) {
    this.#connection = connection;
    this.#queue = queue;
    this.#options = options;
    this.#signing = signing;
    this.#requests = new ScoreRequestReader(options.limits);
  }

  /** Resolves at Terminate; raises where the client is gone or broke the protocol. */
  async serve(): Promise<void> {
    this.#connection.onGone = () => this.#abandon();
    for (let goesOn = true; goesOn;) {
      this.#busy = false;
      const { messageBytes } = this.#options;
      const work = await this.#connection.next(messageBytes, (message) => this.#take(message));
      this.#busy = true;
      goesOn = await work();
      if (this.#draining) throw shuttingDown();
    }
  }

  /** Gives the call under way up, as its caller wished. */
  cancel(): void {
    this.#call?.fail(new WireError('57014', 'canceling the call due to user request'));
  }

  /** Ends the session: at once where it is idle or its message still waits to be read, else after its answer. */
  drain(): void {
    this.#draining = true;
    if (this.#call instanceof Deadline) this.#call.fail(shuttingDown());
    if (!this.#busy) this.#connection.close(errorResponse(shuttingDown()));
  }

  #abandon(): void {
    if (this.#call === undefined) return;
    const error = new WireError('08006', 'the caller went away');
    this.#options.onError(error);
    this.#call.fail(error);
  }

  /** Answers a message at once where that can be; else hands back what there is to be awaited. */
  #take(message: Message): Work | undefined {
    if (message.type !== 'Q') return () => this.#handle(message);
    const { longBytes } = message;
    if (longBytes !== undefined) return () => this.#answerLong(message.body, longBytes);
    try {
      const reply = this.#reply(this.#commandOf(message.body));
      return reply instanceof Call && reply.outcome === undefined ? () => this.#answerLater(reply) : this.#send(reply);
    } catch (error) {
      if (error instanceof ClientGone) throw error;
      return () => this.#refuse(asWireError(error));
    }
  }

  async #handle({ type }: Message): Promise<boolean> {
    if (type === 'X') return false;
    if (EXTENDED.includes(type)) return this.#refuseExtended();
    if (type === 'F') return this.#refuse(notSupported('this port has no function calls'));
    if (type === 'S') await this.#connection.write(READY);
    else if (!IGNORED.includes(type)) throw protocolViolation(`a message of the unknown type ${type.charCodeAt(0)}`);
    return true;
  }

  #commandOf(body: Buffer): Command {
    const query = textOf(body);
    return this.#signing === undefined ? readCommand(query) : this.#signing.read(query);
  }

  /** What a query is answered with, or the call that will be. */
  #reply(command: Command, arrival?: Arrival): Buffer | Call {
    switch (command.name) {
      case 'hello':
        return Buffer.concat([commandComplete(command.welcome), READY]);
      case 'ping':
        return PONG;
      case 'nothing':
        return NOTHING_DONE;
      case 'encoding':
        checkEncoding(command.encoding);
        return ENCODING_SET;
      case 'score':
        return this.#options.score(this.#requests.read(command.request), arrival);
    }
  }

  /** Undefined where all was sent and the client has room for more. */
  #send(reply: Buffer | Call): Work | undefined {
    if (reply instanceof Call) return this.#sendAnswer(reply);
    return this.#connection.writeAtOnce(reply) ? undefined : () => this.#drained();
  }

  #sendAnswer({ outcome, request }: Call): Work | undefined {
    if (outcome === undefined || outcome instanceof WireError) throw outcome ?? new Error('there is no answer yet');
    if (request.reply === 'score')
      return this.#connection.writeAtOnce(scoreOnlyReply(outcome)) ? undefined : () => this.#drained();
    return () => this.#writeAll(request.reply === 'columns' ? columnsReply(outcome) : scoreReply(outcome));
  }

  async #drained(): Promise<boolean> {
    await this.#connection.drained();
    return true;
  }

  async #writeAll(pieces: Iterable<Buffer>): Promise<boolean> {
    for (const piece of pieces) await this.#connection.write(piece);
    return true;
  }

  async #answerLater(call: Call): Promise<boolean> {
    this.#call = call;
    try {
      await call.answer;
      await this.#sendAnswer(call)?.();
      return true;
    } catch (error) {
      return await this.#failed(error);
    } finally {
      this.#call = undefined;
    }
  }

  /** Reads a long message when there is room for it, which it holds until its call is finished. */
  async #answerLong(beginning: Buffer, bytes: number): Promise<boolean> {
    const { role, deadlineMs } = this.#requests.beginningOf(beginning);
    const deadline = new Deadline(role, deadlineMs);
    this.#call = deadline;
    let leave: () => void = () => undefined;
    try {
      leave = await this.#queue.enter(bytes, deadline);
      const reply = await this.#readLong(deadline);
      if (!(reply instanceof Call)) return (await this.#send(reply)?.()) ?? true;
      reply.onFinished(leave);
      return await this.#answerLater(reply);
    } catch (error) {
      return await this.#failed(error);
    } finally {
      leave();
      deadline.end();
      this.#call = undefined;
    }
  }

  /** By itself, so that the message is not held while its call is answered. */
  async #readLong(deadline: Deadline): Promise<Buffer | Call> {
    const body = await deadline.or(this.#connection.whole());
    const read = this.#queue.work(() => {
      deadline.check();
      return this.#reply(this.#commandOf(body), { isLong: true, waitedMs: deadline.elapsedMs });
    });
    return deadline.or(read);
  }

  #failed(error: unknown): Promise<boolean> {
    if (this.#connection.gone) throw new ClientGone();
    return this.#refuse(asWireError(error));
  }

  async #refuseExtended(): Promise<boolean> {
    const error = notSupported('this port knows simple queries only, not prepared statements or parameters');
    this.#options.onError(error);
    await this.#connection.write(errorResponse(error));
    const { messageBytes } = this.#options;
    await this.#connection.next(messageBytes, ({ type }) => (type === 'S' ? type : undefined));
    await this.#connection.write(READY);
    return true;
  }

  async #refuse(error: WireError): Promise<boolean> {
    if (error.severity === 'FATAL') throw error;
    this.#options.onError(error);
    await this.#connection.write(Buffer.concat([errorResponse(error), READY]));
    return !(error instanceof NotSigned);
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
