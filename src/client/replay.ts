import { callFunction, type Argument, type Connection } from './connection.ts';
import { checkOptions, type OptionNames } from './options.ts';
import {
  keyColumns,
  submitted,
  WAIT_FOR_RUN_OPTIONS,
  type Run,
  type SourceOptions,
  type WaitForRunOptions,
} from './runs.ts';

/** What is replayed. Without a source it is the calls that were kept with their inputs. */
export type ReplayOptions = Omit<SourceOptions, 'publish' | 'onlyChanged'> &
  WaitForRunOptions & {
    /** `churn` (its champion), `churn@3` or `churn@challenger`. */
    readonly model: string;
    /** Table or view with the rows, as it is written in SQL; `eventTime` names the column that says what time a row is for. */
    readonly source?: string | undefined;
    /** Where the window begins, as PostgreSQL reads a time; by default with the first row. */
    readonly fromTime?: string | undefined;
    /** Where it ends, this time excluded; by default with the last row. */
    readonly toTime?: string | undefined;
    /** `false`: return at once with the queued run. */
    readonly wait?: boolean | undefined;
  };

const REPLAY_OPTIONS: OptionNames<ReplayOptions> = {
  model: 'required',
  source: 'optional',
  fromTime: 'optional',
  toTime: 'optional',
  target: 'optional',
  targetSchema: 'optional',
  key: 'optional',
  eventTime: 'optional',
  columnMap: 'optional',
  rls: 'optional',
  errorLimit: 'optional',
  wait: 'optional',
  ...WAIT_FOR_RUN_OPTIONS,
};

/**
 * Scores the past again by a version, and waits until the run is done. Its predictions go to the history of a target of their
 * own; nothing that is live changes. `pgscore_bi.version_comparison` compares them with the live ones of the champion.
 *
 * @throws PgscoreError as `scoreTable()`; `statement_failed` where no call was kept with its inputs
 */
export async function replay(connection: Connection, options: ReplayOptions): Promise<Run> {
  checkOptions('replay', REPLAY_OPTIONS, options);
  const run = Number(await callFunction(connection, 'pgscore.replay', replayArguments(options)));
  return submitted(connection, run, options);
}

function replayArguments(options: ReplayOptions): Argument[] {
  const key = keyColumns(options);
  const [only, ...others] = key ?? [];
  return [
    ['model', 'text', options.model],
    ['from_time', 'timestamptz', options.fromTime],
    ['to_time', 'timestamptz', options.toTime],
    ['source', 'regclass', options.source],
    others.length === 0 ? ['key', 'text', only] : ['key', 'text[]', key],
    ['event_time', 'text', options.eventTime],
    ['target', 'name', options.target],
    ['target_schema', 'name', options.targetSchema],
    ['column_map', 'jsonb', options.columnMap],
    ['rls', 'text', options.rls],
    ['error_limit', 'bigint', options.errorLimit],
  ];
}
