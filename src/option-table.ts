type OptionKind = 'text' | 'integer' | 'seconds' | 'megabytes' | 'boolean';

export type OptionSpec = {
  readonly flag: string;
  readonly env: string;
  readonly kind: OptionKind;
  readonly fallback: string | undefined;
  readonly help: string;
};

/** Every setting of pgscore: flag, environment variable, kind, default and meaning. `docs/reference/configuration.md` is made from it. */
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
  batchRows: spec(
    '--batch-rows',
    'PGSCORE_BATCH_ROWS',
    'integer',
    '16384',
    'rows that a scorer reads and scores at once; 16 MiB end a batch sooner',
  ),
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
    'a model check that takes more CPU time is killed and the version rejected',
  ),
  checkMemory: spec(
    '--check-memory',
    'PGSCORE_CHECK_MEMORY',
    'megabytes',
    '4096',
    'memory that a model check may take, beside the size of the file',
  ),
  native: spec(
    '--native',
    'PGSCORE_NATIVE',
    'text',
    'on',
    'off: checked models are compiled to no functions, whose source whoever may connect to the database can read',
  ),
  modelMemory: spec(
    '--model-memory',
    'PGSCORE_MODEL_MEMORY',
    'megabytes',
    '1024',
    'memory for loaded models in each scorer, and in the gateway; the least recently used go first',
  ),
  pollSeconds: spec(
    '--poll',
    'PGSCORE_POLL',
    'seconds',
    '5',
    'how often to count what is new, and to look for work that no NOTIFY told of',
  ),
  leaseSeconds: spec(
    '--lease',
    'PGSCORE_LEASE',
    'seconds',
    '15',
    'work of a service that is silent for so long goes to another',
  ),
  graceSeconds: spec('--grace', 'PGSCORE_GRACE', 'seconds', '30', 'time to finish what runs after SIGTERM'),
  httpHost: spec(
    '--http-host',
    'PGSCORE_HTTP_HOST',
    'text',
    '127.0.0.1',
    'address of the page, /healthz, /readyz and /metrics',
  ),
  httpPort: spec('--http-port', 'PGSCORE_HTTP_PORT', 'integer', '8432', 'port of the same; 0 picks a free one'),
  pageToken: spec(
    '--page-token',
    'PGSCORE_PAGE_TOKEN',
    'text',
    undefined,
    'what opens the page, 16 characters or more; needed on any address beyond this machine',
  ),
  pageUserHeader: spec(
    '--page-user-header',
    'PGSCORE_PAGE_USER_HEADER',
    'text',
    undefined,
    'header in which a proxy names whom it let in, instead of a token; nobody else may reach the port then',
  ),
  gatewayHost: spec('--gateway-host', 'PGSCORE_GATEWAY_HOST', 'text', '127.0.0.1', 'address that answers score()'),
  gatewayPort: spec(
    '--gateway-port',
    'PGSCORE_GATEWAY_PORT',
    'integer',
    '8433',
    'port of the same; 0 picks a free one',
  ),
  gatewayTlsCert: spec(
    '--gateway-tls-cert',
    'PGSCORE_GATEWAY_TLS_CERT',
    'text',
    undefined,
    'PEM file of its certificate; needed on any address beyond this machine',
  ),
  gatewayTlsKey: spec('--gateway-tls-key', 'PGSCORE_GATEWAY_TLS_KEY', 'text', undefined, 'PEM file of its private key'),
  gatewayPassword: spec(
    '--gateway-password',
    'PGSCORE_GATEWAY_PASSWORD',
    'text',
    undefined,
    'password that the database shows it; default: a new one at each start',
  ),
  gatewayConnections: spec(
    '--gateway-max-connections',
    'PGSCORE_GATEWAY_MAX_CONNECTIONS',
    'integer',
    '1000',
    'connections it takes, one for each session of the database that calls score(); half of them before they log in, of which the oldest makes room for the next',
  ),
  gatewayBatchRows: spec(
    '--gateway-batch-rows',
    'PGSCORE_GATEWAY_BATCH_ROWS',
    'integer',
    '1024',
    'most rows of calls of score() that are run together',
  ),
  gatewayIdleSeconds: spec(
    '--gateway-idle-timeout',
    'PGSCORE_GATEWAY_IDLE_TIMEOUT',
    'seconds',
    '0',
    'a connection that asks nothing for so long is closed; 0: never',
  ),
  gatewaySilenceSeconds: spec(
    '--gateway-timeout',
    'PGSCORE_GATEWAY_TIMEOUT',
    'seconds',
    '10',
    'a gateway that is silent for so long, as one that hangs in a model, is killed and replaced',
  ),
  onlineDeadlineSeconds: spec(
    '--online-deadline',
    'PGSCORE_ONLINE_DEADLINE',
    'seconds',
    '5',
    'how long a call of score() waits that names no deadline itself',
  ),
  onlineDeadlineLimitSeconds: spec(
    '--online-deadline-limit',
    'PGSCORE_ONLINE_DEADLINE_LIMIT',
    'seconds',
    '60',
    'longest deadline that a call may name',
  ),
  alertWebhook: spec(
    '--alert-webhook',
    'PGSCORE_ALERT_WEBHOOK',
    'text',
    undefined,
    'http(s) URL that alerts are posted to, as Alertmanager does',
  ),
  alertSecret: spec(
    '--alert-secret',
    'PGSCORE_ALERT_SECRET',
    'text',
    undefined,
    'key by which they are signed, HMAC-SHA256; default: not at all',
  ),
  logLevel: spec('--log-level', 'PGSCORE_LOG_LEVEL', 'text', 'info', 'debug, info, warn, error or silent'),
  logPretty: spec('--log-pretty', 'PGSCORE_LOG_PRETTY', 'boolean', undefined, 'readable logs; default: on a terminal'),
  dataDir: spec('--data-dir', 'PGSCORE_DATA_DIR', 'text', undefined, 'where the embedded PostgreSQL keeps its data'),
} as const satisfies Record<string, OptionSpec>;

export type OptionName = keyof typeof OPTIONS;
function spec(flag: string, env: string, kind: OptionKind, fallback: string | undefined, help: string): OptionSpec {
  return { flag, env, kind, fallback, help };
}
