type OptionKind = 'text' | 'integer' | 'seconds' | 'megabytes' | 'boolean';

export type OptionSpec = {
  readonly flag: string;
  readonly env: string;
  readonly kind: OptionKind;
  readonly fallback: string | undefined;
  readonly help: string;
};

/** Every setting of pgscore: flag, environment variable, kind, default and meaning. `docs/configuration.md` is made from it. */
export const OPTIONS = {
  databaseUrl: spec(
    '--database-url',
    'PGSCORE_DATABASE_URL',
    'text',
    undefined,
    'PostgreSQL to connect to; without it, the PG* variables and the password file',
  ),
  readerUrl: spec(
    '--reader-url',
    'PGSCORE_READER_URL',
    'text',
    undefined,
    'the same database as pgscore_reader; default: the database URL with that user',
  ),
  servicePassword: spec(
    '--service-password',
    'PGSCORE_SERVICE_PASSWORD',
    'text',
    undefined,
    'password of pgscore_service; migrate sets it',
  ),
  readerPassword: spec(
    '--reader-password',
    'PGSCORE_READER_PASSWORD',
    'text',
    undefined,
    'password of pgscore_reader; migrate sets it',
  ),
  scorers: spec('--scorers', 'PGSCORE_SCORERS', 'integer', undefined, 'scorer processes; default: one a core'),
  batchRows: spec('--batch-rows', 'PGSCORE_BATCH_ROWS', 'integer', '16384', 'rows a batch'),
  batchSeconds: spec(
    '--batch-timeout',
    'PGSCORE_BATCH_TIMEOUT',
    'seconds',
    '60',
    'a scorer that makes no progress for so long is killed',
  ),
  checkSeconds: spec(
    '--check-timeout',
    'PGSCORE_CHECK_TIMEOUT',
    'seconds',
    '60',
    'a model check that takes longer is killed and the version rejected',
  ),
  checkMemory: spec(
    '--check-memory',
    'PGSCORE_CHECK_MEMORY',
    'megabytes',
    '4096',
    'memory that a model check may take',
  ),
  modelMemory: spec(
    '--model-memory',
    'PGSCORE_MODEL_MEMORY',
    'megabytes',
    '1024',
    'memory for loaded models in each scorer; the least recently used go first',
  ),
  pollSeconds: spec('--poll', 'PGSCORE_POLL', 'seconds', '2', 'how often to look for work that no NOTIFY told of'),
  leaseSeconds: spec(
    '--lease',
    'PGSCORE_LEASE',
    'seconds',
    '15',
    'work of a service that is silent for so long goes to another',
  ),
  graceSeconds: spec('--grace', 'PGSCORE_GRACE', 'seconds', '30', 'time to finish what runs after SIGTERM'),
  httpHost: spec('--http-host', 'PGSCORE_HTTP_HOST', 'text', '127.0.0.1', 'address of /healthz, /readyz and /metrics'),
  httpPort: spec('--http-port', 'PGSCORE_HTTP_PORT', 'integer', '8432', 'port of the same; 0 picks a free one'),
  logLevel: spec('--log-level', 'PGSCORE_LOG_LEVEL', 'text', 'info', 'debug, info, warn, error or silent'),
  logPretty: spec('--log-pretty', 'PGSCORE_LOG_PRETTY', 'boolean', undefined, 'readable logs; default: on a terminal'),
  dataDir: spec('--data-dir', 'PGSCORE_DATA_DIR', 'text', undefined, 'where the embedded PostgreSQL keeps its data'),
} as const satisfies Record<string, OptionSpec>;

export type OptionName = keyof typeof OPTIONS;
function spec(flag: string, env: string, kind: OptionKind, fallback: string | undefined, help: string): OptionSpec {
  return { flag, env, kind, fallback, help };
}
