import { setImmediate as afterInput, setTimeout as rest } from 'node:timers/promises';
import { OneAtATime } from '../../lib/one-at-a-time.ts';

/** The deadline of a message, and who sent it. */
type Wait = { readonly owner: string; or<T>(awaited: Promise<T>): Promise<T> };

/** After work of more than this, others have the thread for as long: a call that needs several turns of the event loop would wait in each. */
const LONG_WORK_MS = 10;
const MOST_REST_MS = 100;

type Ticket = { readonly owner: string; readonly bytes: number; readonly enter: () => void };

/**
 * Long messages that wait until there is memory for them, up to their deadline. Their owners, the roles that call, take turns, and none
 * has more than half of the memory.
 */
export class FairQueue {
  readonly #share: number;
  #left: number;
  readonly #held = new Map<string, number>();
  readonly #waiting = new Map<string, Set<Ticket>>();
  readonly #thread = new OneAtATime();

  constructor(bytes: number) {
    this.#share = bytes / 2;
    this.#left = bytes;
  }

  /** Resolves with what gives the bytes back. */
  async enter(bytes: number, deadline: Wait): Promise<() => void> {
    const ticket = await this.#admitted(Math.min(bytes, this.#share), deadline);
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#giveBack(ticket);
    };
  }

  async #admitted(bytes: number, deadline: Wait): Promise<Ticket> {
    const { owner } = deadline;
    let enter: () => void = () => undefined;
    const entered = new Promise<void>((resolve) => {
      enter = resolve;
    });
    const ticket = { owner, bytes, enter };
    this.#wait(ticket);
    this.#admit();
    try {
      await deadline.or(entered);
      return ticket;
    } catch (error) {
      if (this.#leave(ticket)) this.#admit();
      else this.#giveBack(ticket);
      throw error;
    }
  }

  /** Does work that holds the thread: one at a time, with as long for others before the next. */
  work<T>(work: () => T): Promise<T> {
    let ms = 0;
    const done = this.#thread.run(async () => {
      await afterInput();
      const began = performance.now();
      try {
        return work();
      } finally {
        ms = performance.now() - began;
      }
    });
    void this.#thread.run(async () => {
      if (ms > LONG_WORK_MS) await rest(Math.min(ms, MOST_REST_MS));
    });
    return done;
  }

  #wait(ticket: Ticket): void {
    const own = this.#waiting.get(ticket.owner) ?? new Set();
    this.#waiting.set(ticket.owner, own.add(ticket));
  }

  /** False where it does not wait any more. */
  #leave(ticket: Ticket): boolean {
    const own = this.#waiting.get(ticket.owner);
    const waited = own?.delete(ticket) ?? false;
    if (own?.size === 0) this.#waiting.delete(ticket.owner);
    return waited;
  }

  #giveBack({ owner, bytes }: Ticket): void {
    this.#left += bytes;
    const held = this.#heldBy(owner) - bytes;
    if (held > 0) this.#held.set(owner, held);
    else this.#held.delete(owner);
    this.#admit();
  }

  #admit(): void {
    for (let next = this.#next(); next !== undefined && next.bytes <= this.#left; next = this.#next()) {
      const { owner, bytes, enter } = next;
      this.#left -= bytes;
      this.#held.set(owner, this.#heldBy(owner) + bytes);
      // Its owner is behind all others now.
      const own = this.#waiting.get(owner) ?? new Set();
      own.delete(next);
      this.#waiting.delete(owner);
      if (own.size > 0) this.#waiting.set(owner, own);
      enter();
    }
  }

  /** Whose turn it is, passing by owners who have their share. */
  #next(): Ticket | undefined {
    for (const [ticket] of this.#waiting.values())
      if (ticket !== undefined && this.#heldBy(ticket.owner) + ticket.bytes <= this.#share) return ticket;
    return undefined;
  }

  #heldBy(owner: string): number {
    return this.#held.get(owner) ?? 0;
  }
}
