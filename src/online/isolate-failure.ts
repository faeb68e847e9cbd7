const MEMORY_MS = 600_000;
/** One may be an accident. */
const TOO_MANY = 2;

/** Versions in whose runs runners hung or crashed: one that did so twice within ten minutes is left alone until that is past. */
export class RunBlame {
  readonly #faults = new Map<number, number[]>();

  add(versionId: number, now: number): void {
    this.#faults.set(versionId, [...this.#recent(versionId, now), now]);
  }

  /** For how long a version is left alone; undefined where it is not. */
  refusedMs(versionId: number, now: number): number | undefined {
    const deciding = this.#recent(versionId, now).at(-TOO_MANY);
    return deciding === undefined ? undefined : deciding + MEMORY_MS - now;
  }

  #recent(versionId: number, now: number): number[] {
    return (this.#faults.get(versionId) ?? []).filter((at) => now - at < MEMORY_MS);
  }
}
