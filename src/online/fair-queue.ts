type Taker<Rows> = { readonly rowsLeft: number; take(most: number): Rows };

export type Turn<Call, Rows> = { readonly call: Call; readonly rows: Rows };

/** Calls that wait, which take turns: each has its share of the runs, however many rows another has. */
export class FairBatches<Rows extends { readonly length: number }, Call extends Taker<Rows>> {
  readonly #calls = new Set<Call>();

  get empty(): boolean {
    return this.#calls.size === 0;
  }

  get calls(): Call[] {
    return [...this.#calls];
  }

  add(call: Call): void {
    this.#calls.add(call);
  }

  delete(call: Call): void {
    this.#calls.delete(call);
  }

  /**
   * At most `most` rows of calls of one group, that of the call whose turn it is, shared as evenly as they allow. A call that
   * has rows left waits behind all others.
   */
  take(most: number, groupOf: (call: Call) => unknown = () => undefined): Turn<Call, Rows>[] {
    const [first] = this.#calls;
    if (first === undefined) return [];
    const group = new Set(this.calls.filter((call) => groupOf(call) === groupOf(first)));
    const turns: Turn<Call, Rows>[] = [];
    for (let room = most; room > 0 && group.size > 0;) {
      const share = Math.max(1, Math.floor(room / group.size));
      for (const call of [...group].slice(0, room)) {
        const rows = call.take(share);
        room -= rows.length;
        turns.push({ call, rows });
        moveBehind(this.#calls, call);
        moveBehind(group, call);
      }
    }
    return turns;
  }
}

/** A call that has no rows left goes. */
function moveBehind<Call extends { readonly rowsLeft: number }>(calls: Set<Call>, call: Call): void {
  calls.delete(call);
  if (call.rowsLeft > 0) calls.add(call);
}

/** A line in which owners take turns: who has many in it is served one for each of anybody else's. */
export class FairQueue<T extends { readonly owner: string }> {
  readonly #waiting = new Map<string, Set<T>>();

  add(item: T): void {
    const own = this.#waiting.get(item.owner);
    if (own === undefined) this.#waiting.set(item.owner, new Set([item]));
    else own.add(item);
  }

  /** False where it does not wait any more. */
  delete(item: T): boolean {
    const own = this.#waiting.get(item.owner);
    const waited = own?.delete(item) ?? false;
    if (own?.size === 0) this.#waiting.delete(item.owner);
    return waited;
  }

  /** Whose turn it is, passing by owners whose next may not go. */
  first(may: (item: T) => boolean): T | undefined {
    for (const own of this.#waiting.values()) {
      const [item] = own;
      if (item !== undefined && may(item)) return item;
    }
    return undefined;
  }

  /** Takes one out, whose owner is then behind all others. */
  take(item: T): void {
    const own = this.#waiting.get(item.owner);
    if (own === undefined) return;
    own.delete(item);
    this.#waiting.delete(item.owner);
    if (own.size > 0) this.#waiting.set(item.owner, own);
  }
}

/** Work that takes turns, in the order in which it was asked for. */
export class OneAtATime {
  #turn: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
}
