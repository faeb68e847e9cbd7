import { FairQueue } from '../fair-queue.ts';
import type { Deadline } from './deadline.ts';

type Place = { readonly owner: string; readonly bytes: number; readonly enter: () => void };

/** Memory that long messages share, by their sizes, of which half is the most for any owner: who finds too little waits in line. */
export class MemoryBudget {
  readonly #share: number;
  #left: number;
  readonly #held = new Map<string, number>();
  readonly #line = new FairQueue<Place>();

  constructor(bytes: number) {
    this.#share = bytes / 2;
    this.#left = bytes;
  }

  /** Resolves when there is room, with what gives it back; what is larger than an owner's share has all of that. */
  async take(bytes: number, deadline: Deadline): Promise<() => void> {
    const place = await this.#enter(Math.min(bytes, this.#share), deadline);
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#giveBack(place);
    };
  }

  async #enter(bytes: number, deadline: Deadline): Promise<Place> {
    let enter: () => void = () => undefined;
    const entered = new Promise<void>((resolve) => {
      enter = resolve;
    });
    const place = { owner: deadline.owner, bytes, enter };
    this.#line.add(place);
    this.#admit();
    try {
      await deadline.or(entered);
      return place;
    } catch (error) {
      if (this.#line.delete(place)) this.#admit();
      else this.#giveBack(place);
      throw error;
    }
  }

  #giveBack({ owner, bytes }: Place): void {
    this.#left += bytes;
    const held = this.#heldBy(owner) - bytes;
    if (held > 0) this.#held.set(owner, held);
    else this.#held.delete(owner);
    this.#admit();
  }

  #admit(): void {
    for (let next = this.#next(); next !== undefined && next.bytes <= this.#left; next = this.#next()) {
      this.#line.take(next);
      this.#left -= next.bytes;
      this.#held.set(next.owner, this.#heldBy(next.owner) + next.bytes);
      next.enter();
    }
  }

  #next(): Place | undefined {
    return this.#line.first(({ owner, bytes }) => this.#heldBy(owner) + bytes <= this.#share);
  }

  #heldBy(owner: string): number {
    return this.#held.get(owner) ?? 0;
  }
}
