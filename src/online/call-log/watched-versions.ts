import type { DatabaseConnection } from '../../postgres/connection.ts';
import { statement } from '../../postgres/statement.ts';
import type { KeyColumn } from './logged-call.ts';

/** How the monitor watches a version whose calls are logged. */
export type WatchedVersion = {
  readonly versionId: number;
  readonly timeZone: string;
  /** None where it is not known what identifies an entity. */
  readonly keys: readonly KeyColumn[];
  /** The field of a row that says what time it is for; null: the moment of the call. */
  readonly eventTime: string | null;
  readonly featuresWatched: boolean;
  /** The frozen bins of its features; null where there are none yet. */
  readonly binSet: number | null;
};

type Row = {
  version_id: number;
  time_zone: string;
  features_watched: boolean;
  bin_set: number | null;
  key_columns: string[] | null;
  key_types: string[] | null;
  event_time: string | null;
};

const readWatched = statement<[versionIds: readonly number[]], Row>(
  'watched_versions',
  `select v.version_id, m.time_zone, m.features_watched, f.set_id as bin_set, coalesce(c.key, m.key_columns)::text[] as key_columns, m.key_types,
          c.event_time
     from pgscore_data.version v
     join pgscore_data.monitor m using (model_id)
     left join pgscore_data.call_log c using (model_id)
     left join pgscore_data.feature_set f using (version_id)
    where v.version_id = any ($1)`,
);

/** A setting of the monitor holds for calls that come so much later, at the latest. */
const FRESH_MS = 500;

/** What is known of the versions that are called. */
export class WatchedVersions {
  readonly #connection: DatabaseConnection;
  readonly #known = new Map<number, { readonly version: WatchedVersion | undefined; readonly at: number }>();

  constructor(connection: DatabaseConnection) {
    this.#connection = connection;
  }

  /** As it was last read; undefined for a version that the database does not know. */
  get(versionId: number): WatchedVersion | undefined {
    return this.#known.get(versionId)?.version;
  }

  isFresh(versionId: number): boolean {
    const known = this.#known.get(versionId);
    return known !== undefined && performance.now() - known.at < FRESH_MS;
  }

  async renew(versionIds: ReadonlySet<number>): Promise<void> {
    const rows = await this.#connection.insist((client) => readWatched(client, [...versionIds]));
    const at = performance.now();
    for (const versionId of versionIds) this.#known.set(versionId, { version: undefined, at });
    for (const row of rows) this.#known.set(row.version_id, { version: versionFrom(row), at });
  }
}

function versionFrom(row: Row): WatchedVersion {
  const { version_id: versionId, time_zone: timeZone, features_watched: featuresWatched, bin_set: binSet } = row;
  return { versionId, timeZone, keys: keysFrom(row), eventTime: row.event_time, featuresWatched, binSet };
}

/** Labels that are keyed by more or fewer columns than the rows are not about these rows. */
function keysFrom({ key_columns: names, key_types: families }: Row): KeyColumn[] {
  if (names === null || (families !== null && families.length !== names.length)) return [];
  return names.map((name, index) => ({ name, family: families?.[index] ?? null }));
}
