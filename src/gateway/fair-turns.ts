type Taker<Rows> = { readonly rowsLeft: number; take(most: number): Rows };

export type Turn<Call, Rows> = { readonly call: Call; readonly rows: Rows };

/** Calls that wait, which take turns: each has its share of the runs, however many rows another has. */
export class FairTurns<Rows extends { readonly length: number }, Call extends Taker<Rows>> {
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

  /** At most `most` rows, shared as evenly as the calls that wait allow; who was not served enough is next. */
  take(most: number): Turn<Call, Rows>[] {
    const turns: Turn<Call, Rows>[] = [];
    for (let room = most; room > 0 && !this.empty;) {
      const share = Math.max(1, Math.floor(room / this.#calls.size));
      for (const call of [...this.#calls].slice(0, room)) {
        const rows = call.take(share);
        room -= rows.length;
        turns.push({ call, rows });
        this.#calls.delete(call);
        if (call.rowsLeft > 0) this.#calls.add(call);
      }
    }
    return turns;
  }
}
