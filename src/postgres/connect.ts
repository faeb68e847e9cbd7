import pg from 'pg';
import pgpass from 'pgpass';
import type { Connecting } from 'pgpass';
import { PgscoreError } from '../errors.ts';
import { connectionProblem, mayPassWithOtherTls, serverLacksTls } from './connection-problem.ts';
import { tlsChoices, withoutSslParameters, type TlsChoice } from './tls.ts';
import { TYPES } from './pipeline.ts';

export type ConnectOptions = {
  /** A postgresql:// URL; without it the PG* variables and the password file decide. */
  readonly url: string | undefined;
  readonly applicationName: string;
  /** Server settings of the session, sent at start-up. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How long a query may go without its answer before it, and with it the connection, counts as lost; for ever, unless given. */
  readonly timeoutMs?: number;
};

/** Seconds of silence before either side asks whether the other still lives, when no packet says that it does not. */
const KEEPALIVE_SECONDS = 10;

/** Settings that our sessions must not inherit from a role or database that a DBA tuned for people. */
const SESSION: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog, pg_temp',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  client_min_messages: 'warning',
  // Short statements, of which compiling one takes longer than running it.
  jit: 'off',
  DateStyle: 'ISO',
  extra_float_digits: '1',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  // A host that vanished must not keep its locks and snapshots for the two hours that are the default.
  tcp_keepalives_idle: String(KEEPALIVE_SECONDS),
  tcp_keepalives_interval: '2',
  tcp_keepalives_count: '5',
};

/** A connected client, ours alone; the caller ends it. Raises `database_unreachable` or `database_refused` with the remedy. */
export function connect(options: ConnectOptions): Promise<pg.Client> {
  const settings = { ...SESSION, ...options.settings };
  const startUp = Object.entries(settings).map(([name, value]) => `-c ${name}=${value.replaceAll(/([\\ ])/g, '\\$1')}`);
  return connectByTlsChoices(options, { options: startUp.join(' ') }, liftTransactionTimeout);
}

/** Connects with the settings of the person's role and database, so that names mean what they mean to the person. */
export function connectAsPerson(options: Omit<ConnectOptions, 'settings'>): Promise<pg.Client> {
  return connectByTlsChoices(options, {});
}

type SetUp = (client: pg.Client) => Promise<void>;

async function connectByTlsChoices(
  options: ConnectOptions,
  config: pg.ClientConfig,
  setUp?: SetUp,
): Promise<pg.Client> {
  // This client never connects: the driver resolves the host from the URL and the PG* variables when it builds one.
  const { host } = newClient(options, config, {});
  const [first, second] = await tlsChoices(options.url, host);
  let refusal: unknown;
  try {
    return await connectOnce(newClient(options, config, first), setUp);
  } catch (error) {
    if (second === undefined || !mayPassWithOtherTls(error)) throw connectionProblem(error, options.url);
    refusal = error;
  }
  return connectOnce(newClient(options, config, second), setUp).catch((error: unknown) => {
    throw connectionProblem(serverLacksTls(error) ? refusal : error, options.url);
  });
}

function newClient(
  { url, applicationName, timeoutMs }: ConnectOptions,
  config: pg.ClientConfig,
  ssl: TlsChoice,
): pg.Client {
  return new pg.Client({
    ...(url === undefined
      ? {}
      : { connectionString: withOptions(withoutSslParameters(checkedUrl(url)), config.options) }),
    ...config,
    ssl,
    application_name: applicationName,
    types: TYPES,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_SECONDS * 1000,
    connectionTimeoutMillis: 10_000,
    ...(timeoutMs === undefined ? {} : { query_timeout: timeoutMs }),
  });
}

/** The URL with our options after its own, so that ours hold: the driver takes those of a URL in place of others. */
function withOptions(url: string, ours: string | undefined): string {
  const [address = '', query] = url.split('?', 2);
  const parameters = new URLSearchParams(query);
  const given = parameters.get('options');
  if (ours === undefined || given === null) return url;
  parameters.set('options', `${given} ${ours}`);
  return `${address}?${parameters.toString()}`;
}

async function connectOnce(client: pg.Client, setUp?: SetUp): Promise<pg.Client> {
  // Whoever awaits a query hears of a lost connection; without a listener it would end the process.
  client.on('error', () => undefined);
  try {
    client.password ??= await passwordOfFile(client);
    await client.connect();
    await setUp?.(client);
    return client;
  } catch (error) {
    await disconnect(client);
    throw error;
  }
}

function checkedUrl(url: string): string {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new PgscoreError('usage', 'the database URL does not begin with postgresql://', {
      remedy: 'Write postgresql://user@host:port/database; the password may come from PGPASSWORD or the password file.',
    });
  }
  return url;
}

/** The same database for another user: its URL, or one that leaves all else to the PG* variables. */
export function urlFor(url: string | undefined, user: string, password: string | undefined): string {
  if (url === undefined)
    return `postgresql://${user}${password === undefined ? '' : `:${encodeURIComponent(password)}`}@/`;
  const parsed = new URL(checkedUrl(url));
  parsed.username = user;
  parsed.password = password ?? '';
  return parsed.href;
}

/** PostgreSQL 15 and 16 lack the setting, and refuse a session that names it at its start. */
const NO_TRANSACTION_TIMEOUT = `select set_config('transaction_timeout', '0', false)
  where current_setting('server_version_num')::int >= 170000`;

const TIMEOUT_MS = 10_000;

/** Lifts what a DBA set for people and a start-up option can't undo on every server. */
async function liftTransactionTimeout(client: pg.Client): Promise<void> {
  const lifting = { text: NO_TRANSACTION_TIMEOUT, query_timeout: TIMEOUT_MS };
  await client.query(lifting);
}

/** Leaves the session as it was when it was connected; `discard all` by itself would bring the defaults of its role back. */
export async function discardAll(client: pg.Client): Promise<void> {
  await client.query('discard all');
  await liftTransactionTimeout(client);
}

/** A server that lives says good-bye within milliseconds. */
const GOODBYE_MS = 2000;

/** Ends a connection, in whatever state it is; one whose other side says nothing is cut off. Never raises. */
export async function disconnect(client: pg.Client): Promise<void> {
  const cut = setTimeout(() => client.connection.stream.destroy(), GOODBYE_MS);
  await client.end().catch(() => undefined);
  clearTimeout(cut);
}

/**
 * The password that ~/.pgpass, or the file that PGPASSFILE names, has for a connection. node-pg would look there too, but
 * with a warning on standard error each time.
 */
function passwordOfFile({ host, port, database, user }: Connecting): Promise<string | undefined> {
  return new Promise((resolve) => {
    pgpass({ host, port, database, user }, resolve);
  });
}
