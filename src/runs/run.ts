import type { Task } from '../inference/signature.ts';

/** A column of a run's plan, as SQL decided it at submission. */
export type PlannedColumn = {
  readonly name: string;
  readonly role: 'key' | 'event_time' | 'feature' | 'segment' | 'hash' | 'split';
  readonly type: string;
  readonly width: number;
  readonly shape?: readonly (number | null)[];
  readonly sql_type: string;
  readonly feature?: string;
  readonly segment?: string;
};

/** How the service reads the source with the requester's rights. */
type Handle = {
  readonly handleId: number;
  readonly name: string;
  readonly kind: 'view' | 'function';
  readonly guardKey: string;
};

/** Where the predictions go. */
export type Target = {
  readonly targetId: number;
  readonly task: Task;
  readonly keys: readonly { readonly name: string; readonly sql_type: string }[];
  /** The labels of the classes, or the names of the values of a row. */
  readonly classLabels: readonly string[];
  /** One column for each class or value; null if the probabilities are one jsonb column, or if there are none. */
  readonly valueColumns: readonly string[] | null;
  readonly currentGeneration: number;
  readonly currentRows: number;
};

/** From the first bucket to the one behind the last. */
type Buckets = readonly (readonly [from: number, to: number])[];

/** How an experiment splits the rows of a run, as it was when the run was claimed. */
export type Split = {
  readonly salt: string;
  /** The versions beside the version of the run, and the buckets of their rows. */
  readonly arms?: readonly { readonly version_id: number; readonly buckets: Buckets }[];
  /** The runs that the rows of these versions belong to, in the same order. */
  readonly runs?: readonly number[];
  /** For a shadow: the buckets of the rows that it scores. */
  readonly sample?: Buckets;
};

/** Times as they were given; null: open. */
type ReplayWindow = { readonly from: string | null; readonly to: string | null };

/** A run in the hands of a service, with all that scoring it takes. */
export type Run = {
  readonly runId: string;
  /** Fence of the run: it goes up with every claim. */
  readonly attempt: number;
  readonly requestedBy: string;
  readonly versionId: number;
  /** Name of the model, without the version. */
  readonly model: string;
  /** The time zone in which the model's monitor begins and ends a day. */
  readonly timeZone: string;
  /** The window of a replay, which the monitor does not count. Null: the run is no replay. */
  readonly replayWindow: ReplayWindow | null;
  /** Whether the features of the model are counted. */
  readonly featuresWatched: boolean;
  /** The segment columns: each prediction keeps a value of each. */
  readonly segments: readonly string[];
  /** The frozen bins of the version's features as of the claim; null if there were none. */
  readonly binSet: number | null;
  /** Milliseconds from the request to this claim. */
  readonly waitedMs: number;
  readonly handle: Handle;
  readonly columns: readonly PlannedColumn[];
  /** How the source is read: in ranges of blocks, in shards of Citus, or from its beginning to its end. */
  readonly sourceKind: 'ctid' | 'distributed' | 'stream';
  readonly sourceSchema: string;
  readonly sourceName: string;
  readonly rls: 'error' | 'filter';
  /** Whether the latest view is to show the run, as of the claim. */
  readonly latest: boolean;
  readonly errorLimit: number | null;
  readonly rowsExpected: number | null;
  /** Pages of the source when the run was submitted. */
  readonly pages: number;
  readonly target: Target;
  /**
   * For a run over changed rows of a watch: the keys of these rows, an array for each column of the key, as PostgreSQL
   * writes it.
   */
  readonly keyLists: readonly string[] | null;
  /**
   * A digest of version, columns and arms, which salts the hash of each row that is written beside its prediction.
   * Null: the run writes no hashes, or the source computes them.
   */
  readonly hashedAs: string | null;
  /**
   * Whether the latest predictions had hashes with this salt as of the claim: rows that did not change keep their
   * predictions.
   */
  readonly comparesRows: boolean;
  /** Null: its version scores all rows. */
  readonly split: Split | null;
};

/** A run as the database gives it. Its handle or target may be gone or altered: `runFrom` checks. */
export type ClaimedRun = Omit<Run, 'handle' | 'columns' | 'target' | 'comparesRows'> & {
  readonly handle: Handle | null;
  readonly handleOwner: string | null;
  /** Whether a view handle is not what pgscore makes of the source. */
  readonly altered: boolean;
  readonly newlySecured: boolean;
  readonly runsCode: boolean;
  readonly columns: readonly PlannedColumn[] | null;
  readonly target: Target | null;
  readonly targetHashedAs: string | null;
};

/** Goes up when rows are hashed in another way. */
const HASH_FORM = 1;

/** Most rows of a target that are compared: their hashes are kept in memory, 23 bytes each. */
const MOST_COMPARED = 20_000_000;

/** The select list of a ClaimedRun, over a claimed run `c` and RUN_PARTS. */
export const RUN_COLUMNS = `
  c.run_id as "runId", c.attempt, c.requested_by as "requestedBy", c.version_id as "versionId", m.name as model, m.time_zone as "timeZone",
  case when c.is_replay then coalesce(coalesce(c.plan, k.plan) -> 'window', '{"from": null, "to": null}') end as "replayWindow",
  m.features_watched and not c.is_replay as "featuresWatched", coalesce(c.segments, '{}') as segments,
  (select f.set_id from pgscore_data.feature_set f where f.version_id = c.version_id) as "binSet",
  extract(epoch from clock_timestamp() - c.requested_at)::float8 * 1000 as "waitedMs",
  case when h.handle_id is not null then jsonb_build_object('handleId', h.handle_id, 'name', h.name, 'kind', h.kind, 'guardKey', h.guard_key) end as handle,
  case h.kind
    when 'view' then (select pg_get_userbyid(x.relowner) from pg_class x where x.relname = h.name and x.relnamespace = 'pgscore_sources'::regnamespace)
    when 'function' then (select pg_get_userbyid(x.proowner) from pg_proc x where x.proname = h.name and x.pronamespace = 'pgscore_sources'::regnamespace
      and oidvectortypes(x.proargtypes) = 'tid, tid' and x.prosecdef)
  end as "handleOwner",
  h.kind = 'view' and not pgscore_data._reads_source(h.name, c.source_schema, c.source_name) as altered,
  h.kind = 'view' and exists (select from pg_class s join pg_namespace n on n.oid = s.relnamespace
    where n.nspname = c.source_schema and s.relname = c.source_name and s.relrowsecurity) as "newlySecured",
  h.kind = 'view' and exists (select from pg_class s join pg_namespace n on n.oid = s.relnamespace
    where n.nspname = c.source_schema and s.relname = c.source_name and pgscore._runs_code_when_planned(s.oid)) as "runsCode",
  coalesce(c.plan, k.plan) -> 'columns' as columns, c.pages::float8 as pages,
  c.source_kind as "sourceKind", c.source_schema as "sourceSchema", c.source_name as "sourceName", c.rls,
  coalesce(c.publish, exists (select from pgscore_data.alias a where a.version_id = c.version_id and a.alias = 'champion')) as latest,
  c.error_limit::float8 as "errorLimit", c.rows_expected::float8 as "rowsExpected",
  case when t.target_id is not null then jsonb_build_object('targetId', t.target_id, 'task', t.task, 'keys', t.key_columns, 'classLabels', to_jsonb(t.class_labels),
    'valueColumns', to_jsonb(t.value_columns), 'currentGeneration', coalesce(w.generation, t.current_generation), 'currentRows', t.current_rows) end as target,
  pgscore_data._keys_by_column(c.keys, jsonb_array_length(t.key_columns)) as "keyLists", t.hashed_as as "targetHashedAs",
  case when c.only_changed then md5(concat_ws(' ', ${HASH_FORM}, c.version_id, coalesce(c.plan, k.plan) -> 'columns', c.arms - 'runs')) end as "hashedAs",
  c.arms as split`;

/**
 * The joins of a claimed run `c`. OFFSET 0 makes each a look-up by key: the planner would join small tables whole, dead
 * rows included.
 */
export const RUN_PARTS = `
  left join lateral (select x.name, y.time_zone, y.features_watched from pgscore_data.version v join pgscore_data.model x using (model_id) join pgscore_data.monitor y using (model_id)
    where v.version_id = c.version_id offset 0) m on true
  left join lateral (select x.* from pgscore_data.handle x where x.handle_id = c.handle_id offset 0) h on true
  left join lateral (select x.* from pgscore_data.target x where x.target_id = c.target_id offset 0) t on true
  left join lateral (select x.generation from pgscore_data.watch x where x.watch_id = c.watch_id offset 0) w on true
  left join lateral (select x.plan from pgscore_data.known_plan x where x.plan_id = c.plan_id offset 0) k on true`;

/** Why a claimed run cannot be scored at all. */
export type RunDefect = {
  readonly code: 'handle_missing' | 'handle_foreign' | 'target_missing' | 'source_changed';
  readonly message: string;
  readonly remedy: string;
};

/** A Run, or what is wrong with it: its handle or target may have been dropped, or its handle swapped by another role. */
export function runFrom(claimed: ClaimedRun): Run | RunDefect {
  const { handle, handleOwner, altered, newlySecured, runsCode, columns, target, targetHashedAs, ...run } = claimed;
  const defect = (code: RunDefect['code'], message: string): RunDefect => ({ code, message, remedy: remedyOf(run) });
  if (target === null) return defect('target_missing', 'the target was dropped after the run was submitted');
  if (handle === null || handleOwner === null || columns === null)
    return defect('handle_missing', 'the read handle of the run was dropped or altered after it was submitted');
  if (handleOwner !== run.requestedBy) {
    return defect(
      'handle_foreign',
      `the read handle belongs to "${handleOwner}", not to the requester "${run.requestedBy}"`,
    );
  }
  // A view stays bound to its table when the table is renamed.
  if (altered)
    return defect('source_changed', 'the source was renamed, or its read handle altered, after the run was submitted');
  // Functions of policies must run as the requester, which only a function handle does.
  if (newlySecured)
    return defect('source_changed', 'row-level security was enabled on the source after the run was submitted');
  if (runsCode)
    return defect('source_changed', 'an index, check or statistics object of the source came to call a function');
  const hasHashes = run.hashedAs !== null && run.hashedAs === targetHashedAs;
  const comparesRows = run.latest && hasHashes && target.currentRows <= MOST_COMPARED;
  return { ...run, handle, columns, target, comparesRows };
}

/** Whether the run is over changed rows of a watch. */
export function isOfWatch({ keyLists }: Pick<Run, 'keyLists'>): boolean {
  return keyLists !== null;
}

/** Whether versions of an experiment score rows of the run beside its own. */
export function hasArms({ split }: Pick<Run, 'split'>): boolean {
  return split?.arms !== undefined;
}

/**
 * Whether the reading session applies row-level policies, or raises if a policy would hide rows. A view handle is made
 * only for a table without policies. A policy that is added later would be checked for pgscore_reader, not for the
 * requester, so row_security is off and such a read raises.
 */
export function rowSecurity({ rls, handle }: Run): 'on' | 'off' {
  return rls === 'filter' && handle.kind === 'function' ? 'on' : 'off';
}

function remedyOf(run: Pick<Run, 'keyLists'>): string {
  return isOfWatch(run) ? WATCH_GOES_ON : 'Submit the run again with pgscore.score_table().';
}

/** What to do about a watch that something stops. Nobody submits its runs: it is tried again by itself. */
export const WATCH_GOES_ON =
  'Correct the source, and the watch goes on by itself; or change it: select pgscore.watch(…) with the same target.';
