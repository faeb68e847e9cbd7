/** A line in which owners take turns: who has many in it is served one for each of anybody else's. */
export class FairLine<T extends { readonly owner: string }> {
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
