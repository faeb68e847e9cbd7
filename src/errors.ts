/**
 * Every error pgscore raises, in one table: the stable code, what it means, the exit status of the command line, and
 * whether trying again can help. PostgreSQL's own errors are distinguished by SQLSTATE, never by message.
 */
export const ERRORS = {
  database_unreachable: { exit: 3, retry: true, meaning: 'PostgreSQL did not answer' },
  database_refused: { exit: 3, retry: false, meaning: 'PostgreSQL refused the connection' },
  missing_right: { exit: 4, retry: false, meaning: 'the role lacks a right that the command needs' },
  not_installed: { exit: 4, retry: false, meaning: 'the database has no pgscore, or another version of it' },
  install_locked: { exit: 75, retry: true, meaning: 'another session holds the lock of installers' },
  permission_denied: { exit: 77, retry: false, meaning: 'the requester lacks a right on the source' },
  duplicate_key: { exit: 65, retry: false, meaning: 'two rows of the source have the same key' },
  key_too_long: { exit: 65, retry: false, meaning: 'a key of the source is longer than an index takes' },
  null_key: { exit: 65, retry: false, meaning: 'a row of the source has no key' },
  source_locked: {
    exit: 75,
    retry: true,
    meaning: 'another session holds or waits for an exclusive lock on the source',
  },
  source_unreachable: { exit: 75, retry: true, meaning: 'another server that holds rows of the source did not answer' },
  source_error: { exit: 65, retry: false, meaning: 'a view, function or policy of the source raised an error' },
  source_changed: { exit: 65, retry: false, meaning: 'the source is not what it was when the run was submitted' },
  too_many_failed_rows: { exit: 65, retry: false, meaning: 'more rows failed than the error limit allows' },
  too_many_segments: {
    exit: 65,
    retry: false,
    meaning: 'the rows of a run lie in more days and segments than are counted',
  },
  replay_empty: { exit: 65, retry: false, meaning: 'a replay found no row in its window' },
  handle_missing: { exit: 65, retry: false, meaning: 'the read handle of a run was dropped or altered' },
  handle_foreign: { exit: 77, retry: false, meaning: 'the read handle of a run belongs to another role' },
  target_missing: { exit: 65, retry: false, meaning: 'the target was dropped' },
  target_changed: { exit: 75, retry: true, meaning: 'another run published to the target at the same time' },
  target_locked: {
    exit: 75,
    retry: true,
    meaning: 'an open transaction of another session holds the target, or the watch that fills it',
  },
  version_missing: { exit: 65, retry: false, meaning: 'the version was dropped' },
  scorer_lost: { exit: 70, retry: true, meaning: 'a scorer process died or was killed' },
  snapshot_lost: { exit: 75, retry: true, meaning: 'the snapshot that the shards of a run share is gone' },
  shards_moved: { exit: 75, retry: true, meaning: 'shards of a distributed table were moved while a run read them' },
  shards_unreadable: {
    exit: 75,
    retry: true,
    meaning: 'shards of a distributed table were moved to a node that has no read handle of the requester',
  },
  service_lost: { exit: 75, retry: false, meaning: 'the services that took a run died, one after the other' },
  database_lost: { exit: 75, retry: true, meaning: 'the database broke off in the middle of a run' },
  node_unavailable: { exit: 75, retry: true, meaning: 'a node of the Citus cluster does not answer' },
  aborted: { exit: 75, retry: false, meaning: 'the work was cancelled' },
  http_unavailable: { exit: 71, retry: false, meaning: 'the address for HTTP can not be used' },
  gateway_unavailable: { exit: 71, retry: false, meaning: 'the address for score() can not be used' },
  usage: { exit: 2, retry: false, meaning: 'the command line or a setting is wrong' },
  internal: { exit: 70, retry: false, meaning: 'a defect in pgscore; please report it' },
  embedded_unavailable: { exit: 69, retry: false, meaning: 'no embedded PostgreSQL can run here' },
  embedded_failed: { exit: 69, retry: false, meaning: 'the embedded PostgreSQL could not be made, started or reached' },
  model_empty: { exit: 65, retry: false, meaning: 'the model file is empty' },
  model_unreadable: { exit: 65, retry: false, meaning: 'the model file is not ONNX, or is damaged' },
  model_truncated: { exit: 65, retry: false, meaning: 'the model file is cut off' },
  model_too_large: { exit: 65, retry: false, meaning: 'the model file is past 1,000 MB' },
  model_external_data: { exit: 65, retry: false, meaning: 'the model keeps its weights in a second file' },
  model_data_file: { exit: 65, retry: false, meaning: 'the second file of a model can not be taken in' },
  model_unknown_operator: { exit: 65, retry: false, meaning: 'the model uses an operator that ONNX does not define' },
  model_unknown_domain: { exit: 65, retry: false, meaning: 'the model uses an operator of an extension' },
  model_refused_operator: { exit: 65, retry: false, meaning: 'the model uses an operator that pgscore does not run' },
  model_too_deep: { exit: 65, retry: false, meaning: 'the model nests too many control-flow bodies' },
  model_too_complex: { exit: 65, retry: false, meaning: 'the model has too many parts' },
  model_tensor_too_large: { exit: 65, retry: false, meaning: 'the model holds a tensor past the limit' },
  model_input_unsupported: {
    exit: 65,
    retry: false,
    meaning: 'an input of the model has a type or shape that columns can not fill',
  },
  model_feature_names_missing: { exit: 65, retry: false, meaning: 'a matrix input has columns without names' },
  model_feature_names_wrong: {
    exit: 65,
    retry: false,
    meaning: 'the feature names given do not fit the inputs of the model',
  },
  model_null_values_wrong: {
    exit: 65,
    retry: false,
    meaning: 'a default for NULL names no feature, or has the wrong type',
  },
  model_class_labels_missing: { exit: 65, retry: false, meaning: 'the class labels of a classifier are not known' },
  model_class_labels_wrong: { exit: 65, retry: false, meaning: 'the class labels given do not fit the model' },
  model_options_wrong: { exit: 65, retry: false, meaning: 'a deploy option does not fit the model' },
  model_outputs_unclear: { exit: 65, retry: false, meaning: 'the outputs of the model do not say what they mean' },
  model_outputs_unsupported: {
    exit: 65,
    retry: false,
    meaning: 'the outputs of the model are not one prediction a row',
  },
  model_load_failed: { exit: 65, retry: false, meaning: 'ONNX Runtime can not load the model' },
  model_run_failed: { exit: 65, retry: false, meaning: 'the model fails on every row it was tried on' },
  model_output_rows: { exit: 65, retry: false, meaning: 'the model does not return one row for each row' },
  model_output_nan: { exit: 65, retry: false, meaning: 'the model returned no finite number for any row' },
  model_output_not_probability: {
    exit: 65,
    retry: false,
    meaning: 'the model returned class scores that are not probabilities',
  },
  model_rows_mixed: { exit: 65, retry: false, meaning: 'the prediction of a row depends on the other rows beside it' },
  model_expectation_wrong: { exit: 65, retry: false, meaning: 'the rows of expected predictions can not be read' },
  model_expectation_failed: {
    exit: 65,
    retry: false,
    meaning: 'the predictions differ from those of the training framework',
  },
  model_check_timeout: { exit: 65, retry: false, meaning: 'the check of the model took too long' },
  model_check_memory: { exit: 65, retry: false, meaning: 'the check of the model took too much memory' },
  model_disk_full: { exit: 71, retry: true, meaning: 'the temporary folder of the service has no room for the model' },
  model_check_crashed: { exit: 65, retry: false, meaning: 'the check of the model died' },
  feature_column_missing: { exit: 65, retry: false, meaning: 'the source has no column for a feature' },
  feature_column_mistyped: { exit: 65, retry: false, meaning: 'a column has a type that its feature can not take' },
  schedule_cron_invalid: { exit: 65, retry: false, meaning: 'a cron expression can not be read, or never fires' },
  schedule_time_zone_unknown: { exit: 65, retry: false, meaning: 'a schedule names no known time zone' },
  watch_failed: { exit: 1, retry: false, meaning: 'a watch could not be planned anew, or its source not be read' },
  copy_protocol: { exit: 76, retry: true, meaning: 'a COPY stream is not what the columns asked for would send' },
  statement_failed: { exit: 1, retry: false, meaning: 'PostgreSQL refused a statement; its SQLSTATE says more' },
  server_unsupported: { exit: 69, retry: false, meaning: 'PostgreSQL is too old, a standby, or the database not UTF8' },
  run_failed: { exit: 1, retry: false, meaning: 'a run failed' },
  doctor_failed: { exit: 1, retry: false, meaning: 'the doctor found what keeps pgscore from working' },
  gates_not_passed: { exit: 1, retry: false, meaning: 'a version does not pass the gates of its model' },
  uninstall_refused: { exit: 4, retry: false, meaning: 'uninstalling would take away what somebody still uses' },
  model_rejected: { exit: 65, retry: false, meaning: 'the check rejected the model' },
  file_unreadable: { exit: 66, retry: false, meaning: 'a file can not be read' },
  no_service: { exit: 75, retry: true, meaning: 'no `pgscore serve` is running' },
  still_waiting: { exit: 75, retry: true, meaning: 'what was waited for goes on' },
  interrupted: { exit: 130, retry: false, meaning: 'stopped by Ctrl-C, or cancelled' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorKind = {
  /** Exit status of the command line. */
  readonly exit: number;
  /** Whether the same work may succeed when tried again unchanged. */
  readonly retry: boolean;
  readonly meaning: string;
};

export type ErrorCode = keyof typeof ERRORS;

/** A code that was stored, such as a run's, if this version knows it; else `fallback`. */
export function codeOr(fallback: ErrorCode, stored: string | null): ErrorCode {
  return stored !== null && isErrorCode(stored) ? stored : fallback;
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

export type ErrorDetails = { remedy?: string | undefined; cause?: unknown };

/** An error as it goes from one process to another. */
export type ErrorParts = { readonly code: ErrorCode; readonly message: string; readonly remedy: string | undefined };

/** An error that names the thing and the reason in its message, and the next step in `remedy`. */
export class PgscoreError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'PgscoreError';
    this.code = code;
    this.remedy = details.remedy;
  }

  get retry(): boolean {
    return ERRORS[this.code].retry;
  }

  get exit(): number {
    return ERRORS[this.code].exit;
  }
}

/** What of any thrown value goes to another process. */
export function errorParts(error: unknown): ErrorParts {
  const { code, message, remedy } = toPgscoreError(error);
  return { code, message, remedy };
}

/** Any thrown value as a PgscoreError, so that one place decides what a stranger's error becomes. */
export function toPgscoreError(error: unknown): PgscoreError {
  if (error instanceof PgscoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new PgscoreError('internal', message, { cause: error });
}
