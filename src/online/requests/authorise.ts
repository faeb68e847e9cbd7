import type { DatabaseConnection } from '../../postgres/connection.ts';
import { statement } from '../../postgres/statement.ts';
import { WireError } from '../protocol/wire-error.ts';

const mayScore = statement<[role: string, versionId: number], { permitted: boolean | null }>(
  'may_score',
  'select pgscore._may_score($1, $2) as permitted',
);

/** Asks the database, where the grants are. */
export function permissionOf(connection: DatabaseConnection): Permission {
  return async (role, versionId) => {
    try {
      const [row] = await connection.insist((client) => mayScore(client, role, versionId));
      return row?.permitted === true;
    } catch (cause) {
      throw new WireError('58000', `the database could not be asked whether "${role}" may score`, {
        hint: 'The log of the service says why; the call may succeed when tried again.',
        cause,
      });
    }
  };
}

/** Whether a role may score with a version. */
type Permission = (role: string, versionId: number) => Promise<boolean>;

/** A revoke takes effect within this time; in the database, which asks here for nobody else, at once. */
const REMEMBERED_MS = 1000;
const MOST_REMEMBERED = 10_000;

/**
 * Remembers who may for a second, so that a busy role costs the database one question a second and version. Not who may
 * not: the database lets a role through as soon as it is granted the model, and it would be refused here.
 */
export class Permissions {
  readonly #ask: Permission;
  /** Until when a role may use a version. */
  readonly #permitted = new Map<string, number>();
  readonly #asked = new Map<string, Promise<boolean>>();

  constructor(ask: Permission) {
    this.#ask = ask;
  }

  /** Whether it is remembered that the role may use the version. */
  known(role: string, versionId: number): boolean {
    return (this.#permitted.get(keyOf(role, versionId)) ?? 0) > performance.now();
  }

  ask(role: string, versionId: number): Promise<boolean> {
    const key = keyOf(role, versionId);
    const asked = this.#asked.get(key) ?? this.#question(key, role, versionId);
    this.#asked.set(key, asked);
    return asked;
  }

  async #question(key: string, role: string, versionId: number): Promise<boolean> {
    // An answer is as old as its question.
    const until = performance.now() + REMEMBERED_MS;
    try {
      const permitted = await this.#ask(role, versionId);
      if (this.#permitted.size >= MOST_REMEMBERED) this.#permitted.clear();
      if (permitted) this.#permitted.set(key, until);
      else this.#permitted.delete(key);
      return permitted;
    } finally {
      this.#asked.delete(key);
    }
  }
}

function keyOf(role: string, versionId: number): string {
  return `${versionId} ${role}`;
}
