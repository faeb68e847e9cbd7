import { PgscoreError } from './errors.ts';
import { isLoopback } from './lib/loopback.ts';
import type { LogLevel } from './log.ts';
import { OPTIONS } from './option-table.ts';
import type { OptionName, OptionSpec } from './option-table.ts';

export { OPTIONS };
export type { OptionName, OptionSpec };
export type Flags = Partial<Record<OptionName, string | boolean>>;

/** A setting as text: the flag, else the environment, else the default. */
export function setting(name: OptionName, flags: Flags = {}): string | undefined {
  const flag = flags[name];
  if (flag !== undefined) return String(flag);
  const env = process.env[OPTIONS[name].env];
  return env === undefined || env === '' ? OPTIONS[name].fallback : env;
}

function numberSetting(name: OptionName, flags: Flags, least: number): number | undefined {
  const text = setting(name, flags);
  if (text === undefined) return undefined;
  const value = Number(text);
  const option: OptionSpec = OPTIONS[name];
  const whole = option.kind === 'integer' || option.kind === 'megabytes';
  if (text.trim() === '' || !Number.isFinite(value) || value < least || (whole && !Number.isInteger(value))) {
    throw new PgscoreError('usage', `${option.flag} (${option.env}) is "${text}"`, {
      remedy: `Give a${whole ? ' whole' : ''} number of ${option.kind === 'integer' ? '' : option.kind + ', '}at least ${least}.`,
    });
  }
  return value;
}

function requiredNumber(name: OptionName, flags: Flags, least: number): number {
  const value = numberSetting(name, flags, least);
  if (value === undefined) throw new PgscoreError('usage', `${OPTIONS[name].flag} is missing`);
  return value;
}

/** What the gateway of a service is set to. */
type GatewayConfig = {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly password: string | undefined;
  readonly mostConnections: number;
  readonly silenceMs: number;
  readonly deadlineMs: number;
  readonly mostDeadlineMs: number;
};

/** Who may look at the page. */
type PageConfig = {
  readonly token: string | undefined;
  /** In lower case. */
  readonly userHeader: string | undefined;
};

/** Where alerts are posted to. */
export type WebhookConfig = {
  /** May hold a token: not to be logged. */
  readonly url: string;
  readonly secret: string | undefined;
  readonly timeoutMs: number;
};

const WEBHOOK_TIMEOUT_MS = 10_000;

/** What a running service is set to. */
export type ServiceConfig = {
  readonly databaseUrl: string | undefined;
  readonly readerUrl: string | undefined;
  readonly readerPassword: string | undefined;
  readonly scorers: number;
  readonly batchRows: number;
  readonly batchTimeoutMs: number;
  readonly checkTimeoutMs: number;
  readonly checkMemoryBytes: number;
  readonly native: boolean;
  readonly modelMemoryBytes: number;
  readonly pollMs: number;
  readonly leaseMs: number;
  readonly graceMs: number;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly page: PageConfig;
  readonly gateway: GatewayConfig;
  readonly alertWebhook: WebhookConfig | undefined;
  /** What a child needs beside a URL to connect as this process would. */
  readonly connecting: Readonly<Record<string, string>>;
};

/** The settings of `pgscore serve`, each checked; `cores` is the default number of scorers. */
export function serviceConfig(flags: Flags, cores: number): ServiceConfig {
  return {
    databaseUrl: setting('databaseUrl', flags),
    readerUrl: setting('readerUrl', flags),
    readerPassword: setting('readerPassword', flags),
    scorers: numberSetting('scorers', flags, 1) ?? cores,
    batchRows: requiredNumber('batchRows', flags, 1),
    batchTimeoutMs: requiredNumber('batchSeconds', flags, 0.1) * 1000,
    checkTimeoutMs: requiredNumber('checkSeconds', flags, 0.1) * 1000,
    checkMemoryBytes: requiredNumber('checkMemory', flags, 64) * 2 ** 20,
    native: onOrOff('native', flags),
    modelMemoryBytes: requiredNumber('modelMemory', flags, 16) * 2 ** 20,
    pollMs: requiredNumber('pollSeconds', flags, 0.05) * 1000,
    leaseMs: requiredNumber('leaseSeconds', flags, 1) * 1000,
    graceMs: requiredNumber('graceSeconds', flags, 0) * 1000,
    httpHost: setting('httpHost', flags) ?? '127.0.0.1',
    httpPort: requiredNumber('httpPort', flags, 0),
    page: pageConfig(flags),
    gateway: gatewayConfig(flags),
    alertWebhook: webhookConfig(flags),
    connecting: connectingVariables(),
  };
}

function onOrOff(name: OptionName, flags: Flags): boolean {
  const value = setting(name, flags);
  if (value === 'on' || value === 'off') return value === 'on';
  throw new PgscoreError('usage', `${OPTIONS[name].flag} is "${value ?? ''}"`, {
    remedy: 'Use on or off.',
  });
}

const LEAST_TOKEN = 16;

function pageConfig(flags: Flags): PageConfig {
  const [token, userHeader] = [setting('pageToken', flags), setting('pageUserHeader', flags)?.toLowerCase()];
  if (token !== undefined && token.length < LEAST_TOKEN) {
    throw new PgscoreError('usage', `${OPTIONS.pageToken.flag} has fewer than ${LEAST_TOKEN} characters`, {
      remedy: `Make one that nobody guesses: openssl rand -base64 24. Best set it as ${OPTIONS.pageToken.env}.`,
    });
  }
  if (userHeader !== undefined && !/^[a-z0-9-]+$/.test(userHeader)) {
    throw new PgscoreError('usage', `${OPTIONS.pageUserHeader.flag} is "${userHeader}", which is no name of a header`, {
      remedy: 'Give the name alone, such as X-Forwarded-User.',
    });
  }
  return { token, userHeader };
}

function gatewayConfig(flags: Flags): GatewayConfig {
  const host = setting('gatewayHost', flags) ?? '127.0.0.1';
  const tls = tlsFiles(flags);
  if (tls === undefined && !isLoopback(host)) {
    throw new PgscoreError(
      'usage',
      `${OPTIONS.gatewayHost.flag} is ${host}, which others can reach, but there is no TLS`,
      {
        remedy: `Give ${OPTIONS.gatewayTlsCert.flag} and ${OPTIONS.gatewayTlsKey.flag}, or listen on 127.0.0.1.`,
      },
    );
  }
  const deadlineMs = Math.ceil(requiredNumber('onlineDeadlineSeconds', flags, 0.001) * 1000);
  return {
    host,
    port: requiredNumber('gatewayPort', flags, 0),
    tls,
    password: setting('gatewayPassword', flags),
    mostConnections: requiredNumber('gatewayConnections', flags, 1),
    silenceMs: requiredNumber('gatewaySilenceSeconds', flags, 1) * 1000,
    deadlineMs,
    mostDeadlineMs: Math.max(deadlineMs, requiredNumber('onlineDeadlineLimitSeconds', flags, 0.001) * 1000),
  };
}

function webhookConfig(flags: Flags): WebhookConfig | undefined {
  const [text, secret] = [setting('alertWebhook', flags), setting('alertSecret', flags)];
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // The URL is not repeated: it may hold a token.
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new PgscoreError('usage', `${OPTIONS.alertWebhook.flag} (${OPTIONS.alertWebhook.env}) is no URL to post to`, {
      remedy: `Give an http or https URL without user and password; ${OPTIONS.alertSecret.env} signs what is posted.`,
    });
  }
  return { url: url.href, secret, timeoutMs: WEBHOOK_TIMEOUT_MS };
}

function tlsFiles(flags: Flags): GatewayConfig['tls'] {
  const [cert, key] = [setting('gatewayTlsCert', flags), setting('gatewayTlsKey', flags)];
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert === key) return undefined;
  throw new PgscoreError('usage', `${OPTIONS.gatewayTlsCert.flag} and ${OPTIONS.gatewayTlsKey.flag} go together`, {
    remedy: 'Give both files, or neither.',
  });
}

/** The variables that say which database to connect to and with which password: PG*, and where the password file lies. */
function connectingVariables(): Record<string, string> {
  const wanted = /^(?:PG(?!SCORE_).*|HOME|APPDATA|NODE_EXTRA_CA_CERTS)$/;
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || !wanted.test(name) ? [] : [[name, value]],
    ),
  );
}

export type TlsVariable = 'sslmode' | 'sslrootcert' | 'sslcert' | 'sslkey';

/** A parameter of libpq about TLS that the environment sets: PGSSLMODE and its like. */
export function tlsVariable(name: TlsVariable): string | undefined {
  return process.env[`PG${name.toUpperCase()}`] || undefined;
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

const DATABASE_VARIABLES = ['PGHOST', 'PGPORT', 'PGDATABASE', 'PGUSER'];

/** Whether anybody said which database to connect to. */
export function databaseNamed(flags: Flags): boolean {
  return setting('databaseUrl', flags) !== undefined || DATABASE_VARIABLES.some((name) => process.env[name]);
}

/** How to log, for every command. */
export function logConfig(flags: Flags, terminal: boolean): { level: LogLevel; pretty: boolean } {
  const level = setting('logLevel', flags);
  const known = LEVELS.find((candidate) => candidate === level);
  if (known === undefined) {
    throw new PgscoreError('usage', `${OPTIONS.logLevel.flag} is "${level}"`, {
      remedy: `Use one of ${LEVELS.join(', ')}.`,
    });
  }
  const pretty = setting('logPretty', flags);
  return { level: known, pretty: pretty === undefined ? terminal : pretty === 'true' };
}
