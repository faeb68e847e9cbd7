import type { ModelSession } from './session.ts';

/** A loaded model, and how much memory it takes. */
export type CachedModel = { readonly session: ModelSession; readonly bytes: number };

/** Loaded models of a process, the least recently used given up first. Memory is what loading one took, or its file's size if that is more. */
export class ModelCache {
  readonly #limit: number;
  readonly #entries = new Map<number, CachedModel>();
  #used = 0;
  /** The one that was used last. */
  #latest: number | undefined;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /** The session of a version, from the cache or by `load`, which also tells the size of the model's file. */
  async get(versionId: number, load: () => Promise<{ session: ModelSession; size: number }>): Promise<ModelSession> {
    const known = this.known(versionId);
    if (known !== undefined) return known;
    const before = process.memoryUsage.rss();
    const { session, size } = await load();
    await this.put(versionId, session, Math.max(process.memoryUsage.rss() - before, size));
    return session;
  }

  /** Keeps a session that was loaded elsewhere, and takes so much memory there. */
  async put(versionId: number, session: ModelSession, bytes: number): Promise<void> {
    await this.#makeRoom(bytes);
    this.#entries.set(versionId, { session, bytes });
    this.#latest = versionId;
    this.#used += bytes;
  }

  /** Gives a session up without releasing it, with what it took. */
  forget(versionId: number): CachedModel | undefined {
    const entry = this.#entries.get(versionId);
    if (!this.#entries.delete(versionId)) return undefined;
    this.#used -= entry?.bytes ?? 0;
    return entry;
  }

  /** Whether so much more fits, without giving anything up. */
  hasRoomFor(bytes: number): boolean {
    return this.#used + bytes <= this.#limit;
  }

  /** The session of a version, where it is loaded; it counts as used. */
  known(versionId: number): ModelSession | undefined {
    const known = this.#entries.get(versionId);
    if (known === undefined) return undefined;
    // To put it where it is leaves garbage, which one that is asked for again and again makes much of.
    if (this.#latest !== versionId) {
      this.#entries.delete(versionId);
      this.#entries.set(versionId, known);
      this.#latest = versionId;
    }
    return known.session;
  }

  async #makeRoom(bytes: number): Promise<void> {
    for (const [versionId, entry] of this.#entries) {
      if (this.#used + bytes <= this.#limit) return;
      this.#entries.delete(versionId);
      this.#used -= entry.bytes;
      await entry.session.release();
    }
  }
}
