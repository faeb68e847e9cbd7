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
    'text',
    'PostgreSQL to connect to; without it, the PG* variables and the password file',
  ),
  readerUrl: spec(
    '--reader-url',
    'text',
    'the same database as pgscore_reader; default: the database URL with that user',
  ),
  servicePassword: spec('--service-password', 'text', 'password of pgscore_service; migrate sets it'),
  readerPassword: spec('--reader-password', 'text', 'password of pgscore_reader; migrate sets it'),
  scorers: spec('--scorers', 'integer', 'scorer processes; default: one a core'),
  batchRows: spec(
    '--batch-rows',
    'integer',
    'rows that a scorer reads and scores at once; 16 MiB end a batch sooner',
    '16384',
  ),
  batchSeconds: spec('--batch-timeout', 'seconds', 'a scorer that makes no progress for so long is killed', '60'),
  checkSeconds: spec(
    '--check-timeout',
    'seconds',
    'a model check that takes more CPU time is killed and the version rejected',
    '60',
  ),
  checkMemory: spec(
    '--check-memory',
    'megabytes',
    'memory that a model check may take, beside the size of the file',
    '4096',
  ),
  native: spec(
    '--native',
    'text',
    'off: checked models are compiled to no functions, whose source whoever may connect to the database can read',
    'on',
  ),
  modelMemory: spec(
    '--model-memory',
    'megabytes',
    'memory for loaded models in each scorer, and in the gateway; the least recently used go first',
    '1024',
  ),
  pollSeconds: spec(
    '--poll',
    'seconds',
    'how often to count what is new, and to look for work that no NOTIFY told of',
    '5',
  ),
  leaseSeconds: spec('--lease', 'seconds', 'work of a service that is silent for so long goes to another', '15'),
  graceSeconds: spec('--grace', 'seconds', 'time to finish what runs after SIGTERM', '30'),
  httpHost: spec('--http-host', 'text', 'address of the page, /healthz, /readyz and /metrics', '127.0.0.1'),
  httpPort: spec('--http-port', 'integer', 'port of the same; 0 picks a free one', '8432'),
  pageToken: spec(
    '--page-token',
    'text',
    'what opens the page, 16 characters or more; needed on any address beyond this machine',
  ),
  pageUserHeader: spec(
    '--page-user-header',
    'text',
    'header in which a proxy names whom it let in, instead of a token; nobody else may reach the port then',
  ),
  gatewayHost: spec('--gateway-host', 'text', 'address that answers score()', '127.0.0.1'),
  gatewayPort: spec('--gateway-port', 'integer', 'port of the same; 0 picks a free one', '8433'),
  gatewayTlsCert: spec(
    '--gateway-tls-cert',
    'text',
    'PEM file of its certificate; needed on any address beyond this machine',
  ),
  gatewayTlsKey: spec('--gateway-tls-key', 'text', 'PEM file of its private key'),
  gatewayPassword: spec(
    '--gateway-password',
    'text',
    'password that the database shows it; default: a new one at each start',
  ),
  gatewayConnections: spec(
    '--gateway-max-connections',
    'integer',
    'connections it takes, one for each session of the database that calls score(). Half of them may be before their login; the oldest of these makes room for the next',
    '1000',
  ),
  gatewaySilenceSeconds: spec(
    '--gateway-timeout',
    'seconds',
    'a gateway that is silent for so long, as one that hangs in a model, is killed and replaced',
    '10',
  ),
  onlineDeadlineSeconds: spec(
    '--online-deadline',
    'seconds',
    'how long a call of score() waits that names no deadline itself',
    '5',
  ),
  onlineDeadlineLimitSeconds: spec('--online-deadline-limit', 'seconds', 'longest deadline that a call may name', '60'),
  alertWebhook: spec('--alert-webhook', 'text', 'http(s) URL that alerts are posted to, as Alertmanager does'),
  alertSecret: spec('--alert-secret', 'text', 'key by which they are signed, HMAC-SHA256; default: not at all'),
  logLevel: spec('--log-level', 'text', 'debug, info, warn, error or silent', 'info'),
  logPretty: spec('--log-pretty', 'boolean', 'readable logs; default: on a terminal'),
  dataDir: spec('--data-dir', 'text', 'where the embedded PostgreSQL keeps its data'),
} as const satisfies Record<string, OptionSpec>;

export type OptionName = keyof typeof OPTIONS;

/** The variable has the name of the flag: PGSCORE_BATCH_ROWS for --batch-rows. */
function spec(flag: string, kind: OptionKind, help: string, fallback?: string): OptionSpec {
  return { flag, env: `PGSCORE_${flag.slice(2).toUpperCase().replaceAll('-', '_')}`, kind, fallback, help };
}
