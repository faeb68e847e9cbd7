/** Whether a role may score with a version. */
export type Permission = (role: string, versionId: number) => Promise<boolean>;

/** A grant or a revoke takes effect within this time. */
const KEPT_MS = 1000;
const MOST_KEPT = 10_000;

/** Remembers answers for a second, so that a busy role costs the database one question a second and version. */
export class Permissions {
  readonly #ask: Permission;
  readonly #known = new Map<string, { readonly until: number; readonly permitted: boolean }>();
  readonly #asked = new Map<string, Promise<boolean>>();

  constructor(ask: Permission) {
    this.#ask = ask;
  }

  /** The answer, if it is remembered. */
  known(role: string, versionId: number): boolean | undefined {
    const known = this.#known.get(keyOf(role, versionId));
    return known !== undefined && known.until > performance.now() ? known.permitted : undefined;
  }

  ask(role: string, versionId: number): Promise<boolean> {
    const key = keyOf(role, versionId);
    const asked = this.#asked.get(key) ?? this.#question(key, role, versionId);
    this.#asked.set(key, asked);
    return asked;
  }

  async #question(key: string, role: string, versionId: number): Promise<boolean> {
    // An answer is as old as its question.
    const until = performance.now() + KEPT_MS;
    try {
      const permitted = await this.#ask(role, versionId);
      if (this.#known.size >= MOST_KEPT) this.#known.clear();
      this.#known.set(key, { until, permitted });
      return permitted;
    } finally {
      this.#asked.delete(key);
    }
  }
}

function keyOf(role: string, versionId: number): string {
  return `${versionId} ${role}`;
}
