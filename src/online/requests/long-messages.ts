import { setImmediate as afterInput, setTimeout as rest } from 'node:timers/promises';
import type { LongRequest, ScoreRequest } from './parse.ts';
import { oneStep } from './request-rows.ts';
import type { Deadline } from './deadline.ts';
import { MemoryBudget } from './memory-budget.ts';
import { FairQueue } from '../fair-queue.ts';

/** How many of the longest have room on their way, and for the rows of how many there is. */
const MESSAGES = 4;
const MESSAGES_OF_ROWS = 16;

/** What a request became, and what gives its memory back. */
export type Held = { readonly request: ScoreRequest; readonly release: () => void };

/**
 * Long messages of all sessions: read from their sockets when there is room, looked through and parsed in turns, so that
 * they take neither the memory nor the thread from others. Whoever gives one up leaves it where it is.
 */
export class LongMessages {
  readonly #messages: MemoryBudget;
  readonly #rows: MemoryBudget;
  readonly #turns = new LongTurns();

  constructor(messageBytes: number) {
    this.#messages = new MemoryBudget(MESSAGES * messageBytes);
    this.#rows = new MemoryBudget(MESSAGES_OF_ROWS * messageBytes);
  }

  /** Reads a message; `look` says what it asks for, a request of many steps or anything that is answered at once. */
  async take<Reply>(
    bytes: number,
    read: () => Promise<Buffer>,
    look: (body: Buffer) => LongRequest | Reply,
    deadline: Deadline,
  ): Promise<Held | Reply> {
    const leave = await this.#messages.take(bytes, deadline);
    try {
      const asked = await this.#lookThrough(read, look, deadline);
      return isLong(asked) ? await this.#parse(asked, deadline) : asked;
    } finally {
      leave();
    }
  }

  /** By itself, so that the message is not held while its rows are parsed, which are a copy. */
  async #lookThrough<T>(read: () => Promise<Buffer>, look: (body: Buffer) => T, deadline: Deadline): Promise<T> {
    const body = await deadline.or(read());
    return this.#turns.run(
      oneStep(() => look(body)),
      deadline,
    );
  }

  async #parse({ bytes, read }: LongRequest, deadline: Deadline): Promise<Held> {
    const release = await this.#rows.take(bytes, deadline);
    try {
      return { request: await this.#turns.run(read(), deadline), release };
    } catch (error) {
      release();
      throw error;
    }
  }
}

function isLong(asked: unknown): asked is LongRequest {
  return typeof asked === 'object' && asked !== null && 'read' in asked;
}

/** Does one step; true where it was the last. */
type Work = { readonly owner: string; readonly step: () => boolean };

/** Whoever needs several turns of the event loop, such as for a process that computes, would wait for such a step in each: after it there is time for these. */
const LONG_STEP_MS = 20;
const REST_MS = 5;

/** Work that would hold the thread for long, in steps: one at a time, of each caller in turn, and what else came in between. */
export class LongTurns {
  readonly #line = new FairQueue<Work>();
  #working = false;

  /** What the steps end with; the next is not taken where nobody waits for it any more. */
  run<T>(steps: Iterator<void, T>, deadline: Deadline): Promise<T> {
    const { owner } = deadline;
    const ended = new Promise<T>((resolve, reject) => {
      const step = (): boolean => {
        try {
          deadline.check();
          const { done, value } = steps.next();
          if (done === true) resolve(value);
          return done === true;
        } catch (error) {
          reject(error);
          return true;
        }
      };
      this.#line.add({ owner, step });
    });
    if (!this.#working) void this.#work();
    return deadline.or(ended);
  }

  async #work(): Promise<void> {
    this.#working = true;
    await afterInput();
    for (let work = this.#next(); work !== undefined; work = this.#next()) {
      const began = performance.now();
      if (!work.step()) this.#line.add(work);
      const took = performance.now() - began;
      await (took > LONG_STEP_MS ? rest(REST_MS) : afterInput());
    }
    this.#working = false;
  }

  #next(): Work | undefined {
    const next = this.#line.first(() => true);
    if (next !== undefined) this.#line.take(next);
    return next;
  }
}
