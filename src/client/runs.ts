import { codeOr, PgscoreError } from '../errors.ts';
import { callFunction, rowsOf, type Argument, type Connection } from './connection.ts';
import { checkOptions, type OptionNames } from './options.ts';
import { expectCommitted, WAIT_OPTIONS, waitFor, type WaitOptions } from './wait.ts';

/** Which rows are scored, and where the predictions go. */
export type SourceOptions = {
  /** View with the latest prediction for each key; by default the name of the source and `_scores`. */
  readonly target?: string | undefined;
  /** Schema of the target; by default the current schema of the connection. */
  readonly targetSchema?: string | undefined;
  /** Column that identifies a row, or several; by default the primary key. */
  readonly key?: string | readonly string[] | undefined;
  /** Column that says what time a prediction is for. */
  readonly eventTime?: string | undefined;
  /** Columns of features that have another name: `{ feature: 'column' }`. */
  readonly columnMap?: unknown;
  /** Whether these predictions become the latest ones; by default if the version is the champion. */
  readonly publish?: boolean | undefined;
  /** `error` (default): fail if a row-level policy hides rows. `filter`: score those that the caller sees. */
  readonly rls?: string | undefined;
  /** Failed rows beyond which the run fails; by default the larger of 1 % and 1,000. */
  readonly errorLimit?: number | undefined;
  /** Score only rows that are new or changed since the last such run, and take those that are gone out of the target. */
  readonly onlyChanged?: boolean | undefined;
};

/** How a run is waited for. */
export type WaitForRunOptions = WaitOptions & {
  /** Is given the run about ten times a second. */
  readonly onProgress?: ((run: Run) => void) | undefined;
  /** Aborted, it asks for the cancellation of the run. */
  readonly signal?: AbortSignal | undefined;
};

export type ScoreTableOptions = SourceOptions &
  WaitForRunOptions & {
    /** `churn` (its champion), `churn@3` or `churn@challenger`. */
    readonly model: string;
    /** Table, view, materialized view or foreign table, as it is written in SQL: `customers` or `crm.customers`. */
    readonly source: string;
    /** `false`: return at once with the queued run. */
    readonly wait?: boolean | undefined;
  };

export const WAIT_FOR_RUN_OPTIONS: OptionNames<WaitForRunOptions> = {
  onProgress: 'optional',
  signal: 'optional',
  ...WAIT_OPTIONS,
};

const SCORE_TABLE_OPTIONS: OptionNames<ScoreTableOptions> = {
  model: 'required',
  source: 'required',
  target: 'optional',
  targetSchema: 'optional',
  key: 'optional',
  eventTime: 'optional',
  columnMap: 'optional',
  publish: 'optional',
  rls: 'optional',
  errorLimit: 'optional',
  onlyChanged: 'optional',
  wait: 'optional',
  ...WAIT_FOR_RUN_OPTIONS,
};

/** A run over a table. */
export type Run = {
  /** Its number in `pgscore.runs`. */
  readonly run: number;
  readonly state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled';
  /** What a running run is at; null otherwise. */
  readonly phase: string | null;
  /** The version that scores, such as `churn@3`. */
  readonly model: string;
  readonly source: string;
  readonly target: string | null;
  readonly rowsDone: number;
  /** Rows that could not be scored; `pgscore.run_errors` says why. */
  readonly rowsFailed: number;
  /** null until the rows are counted. */
  readonly rowsTotal: number | null;
  /** Rows that kept their predictions; null without `onlyChanged`, and until it is done. */
  readonly rowsUnchanged: number | null;
  readonly rowsPerSecond: number | null;
  /** CPU time of the scorers. */
  readonly cpuSeconds: number;
  /** Whether the predictions are the latest ones of the target; null until the run ends. */
  readonly published: boolean | null;
};

const POLL_MS = 100;

/**
 * Scores every row of a table or view with the rights of the connection's role, and waits until the run is done. All of its
 * predictions become visible at once. Needs membership in pgscore_user and a grant of the model.
 *
 * @throws PgscoreError the run's own code, with reason and remedy, if it fails; `interrupted` if `signal` cancelled it and
 *   `aborted` if somebody else did; `no_service` if none runs; `still_waiting` after `timeoutSeconds`; `statement_failed` if
 *   PostgreSQL refuses the run; `usage` if an option does not exist, or one is missing
 */
export async function scoreTable(connection: Connection, options: ScoreTableOptions): Promise<Run> {
  checkOptions('scoreTable', SCORE_TABLE_OPTIONS, options);
  const args = sourceArguments(options.model, options.source, options);
  const run = Number(await callFunction(connection, 'pgscore.score_table', args));
  return submitted(connection, run, options);
}

/** A run that was submitted: as it is now with `wait: false`, else when it is done. */
export async function submitted(
  connection: Connection,
  run: number,
  options: WaitForRunOptions & { readonly wait?: boolean | undefined },
): Promise<Run> {
  if (options.wait === false) return readRun(connection, run);
  await expectCommitted(connection, `run ${run}`);
  const { timeoutSeconds, onNotice, onProgress, signal } = options;
  return waitForRun(connection, run, { timeoutSeconds, onNotice, onProgress, signal });
}

/** The arguments of pgscore.score_table() and pgscore.schedule() for a source. */
export function sourceArguments(model: string, source: string, options: SourceOptions): Argument[] {
  return [
    ['model', 'text', model],
    ['source', 'regclass', source],
    ['key', 'text[]', keyColumns(options)],
    ['target', 'name', options.target],
    ['target_schema', 'name', options.targetSchema],
    ['event_time', 'text', options.eventTime],
    ['column_map', 'jsonb', options.columnMap],
    ['publish', 'boolean', options.publish],
    ['rls', 'text', options.rls],
    ['error_limit', 'bigint', options.errorLimit],
    ['only_changed', 'boolean', options.onlyChanged],
  ];
}

export function keyColumns({ key }: Pick<SourceOptions, 'key'>): readonly string[] | undefined {
  return typeof key === 'string' ? [key] : key;
}

/**
 * Waits until a run of the caller is done.
 *
 * @throws PgscoreError as `scoreTable()`; `usage` if there is no such run or option
 */
export async function waitForRun(
  connection: Connection,
  number: number,
  options: WaitForRunOptions = {},
): Promise<Run> {
  checkOptions('waitForRun', WAIT_FOR_RUN_OPTIONS, options);
  const { onProgress, signal } = options;
  let cancelled = false;
  return waitFor(
    async (watch) => {
      const row = await readRow(connection, number);
      const run = runOf(row);
      onProgress?.(run);
      if (run.state === 'done') return run;
      if (run.state === 'failed') throw failed(row);
      if (run.state === 'cancelled') throw wasCancelled(number, cancelled);
      if (signal?.aborted === true && !cancelled) {
        cancelled = true;
        await callFunction(connection, 'pgscore.cancel_run', [['run', 'bigint', number]]);
      }
      await watch.expectService(connection, `run ${number}`);
      return undefined;
    },
    `run ${number}`,
    POLL_MS,
    options,
  );
}

/** The caller's run of this number. Raises `usage` if there is none. */
async function readRun(connection: Connection, number: number): Promise<Run> {
  return runOf(await readRow(connection, number));
}

/** Counts as double precision, which every reader of pg gives as numbers. */
const RUN = `select run::float8 as run, state, phase, model, source::text as source, target::text as target,
         rows_done::float8 as rows_done, rows_failed::float8 as rows_failed, rows_total::float8 as rows_total, rows_unchanged::float8 as rows_unchanged,
         rows_per_second::float8 as rows_per_second, cpu_seconds::float8 as cpu_seconds, published, error, error_code, remedy
    from pgscore.runs where run = $1`;

type RunState = Pick<Run, 'run' | 'state' | 'phase' | 'model' | 'source' | 'target' | 'published'> & {
  readonly rows_done: number;
  readonly rows_failed: number;
  readonly rows_total: number | null;
  readonly rows_unchanged: number | null;
  readonly rows_per_second: number | null;
  readonly cpu_seconds: number;
  readonly error: string | null;
  readonly error_code: string | null;
  readonly remedy: string | null;
};

async function readRow(connection: Connection, number: number): Promise<RunState> {
  const [row] = await rowsOf<RunState>(connection, RUN, [number]);
  if (row !== undefined) return row;
  throw new PgscoreError('usage', `run ${number} does not exist, or is not yours`, {
    remedy: 'pgscore runs lists your runs.',
  });
}

function runOf(row: RunState): Run {
  const { run, state, phase, model, source, target, published } = row;
  return {
    run,
    state,
    phase,
    model,
    source,
    target,
    rowsDone: row.rows_done,
    rowsFailed: row.rows_failed,
    rowsTotal: row.rows_total,
    rowsUnchanged: row.rows_unchanged,
    rowsPerSecond: row.rows_per_second,
    cpuSeconds: row.cpu_seconds,
    published,
  };
}

function failed({ run, error, error_code: code, remedy }: RunState): PgscoreError {
  return new PgscoreError(codeOr('run_failed', code), `run ${run} failed: ${error}`, remedy === null ? {} : { remedy });
}

function wasCancelled(run: number, byCaller: boolean): PgscoreError {
  return new PgscoreError(byCaller ? 'interrupted' : 'aborted', `run ${run} was cancelled`);
}
