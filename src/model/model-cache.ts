import type { ModelSession } from './session.ts';

type Entry = { readonly session: ModelSession; readonly bytes: number };

/** Loaded models of a process, the least recently used given up first. Memory is what loading one took, or its file's size if that is more. */
export class ModelCache {
  readonly #limit: number;
  readonly #entries = new Map<number, Entry>();
  #used = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /** The session of a version, from the cache or by `load`, which also tells the size of the model's file. */
  async get(versionId: number, load: () => Promise<{ session: ModelSession; size: number }>): Promise<ModelSession> {
    const known = this.known(versionId);
    if (known !== undefined) return known;
    const before = process.memoryUsage.rss();
    const { session, size } = await load();
    const bytes = Math.max(process.memoryUsage.rss() - before, size);
    await this.#makeRoom(bytes);
    this.#entries.set(versionId, { session, bytes });
    this.#used += bytes;
    return session;
  }

  /** The session of a version, where it is loaded; it counts as used. */
  known(versionId: number): ModelSession | undefined {
    const known = this.#entries.get(versionId);
    if (known === undefined) return undefined;
    this.#entries.delete(versionId);
    this.#entries.set(versionId, known);
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
