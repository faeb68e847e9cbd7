import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { totalmem } from 'node:os';
import type pg from 'pg';
import type { Flags } from '../src/config.ts';
import { connect } from '../src/postgres/connect.ts';
import { startDisposable } from '../src/server/start.ts';
import { migrate } from '../src/install/migrate.ts';
import { ident } from '../src/lib/text.ts';

/** What is measured, set up: a database with pgscore, a service on it, and someone who may use it. */
export type Stage = {
  /** As PostgreSQL writes it. */
  readonly version: string;
  /** The database as the role that installed pgscore, and as the one that asks for runs. */
  readonly ownerUrl: string;
  readonly requesterUrl: string;
  readonly service: ServiceProcess;
  close(): Promise<void>;
};

export type StageOptions = {
  /** A server to use, as a role that may create databases and roles; by default an embedded one is started. */
  readonly url: string | undefined;
  readonly servicePassword: string | undefined;
  readonly readerPassword: string | undefined;
  /** Whether the database of the URL is used, rather than a new one on its server. */
  readonly inItsDatabase?: boolean;
};

export type ServerSize = 'default' | 'large';

type Server = { readonly url: string; stop(): Promise<void> };

const REQUESTER = 'pgscore_bench';
/** A disposable server skips the disk, a production server does not. All else is PostgreSQL's default. */
const DURABLE = { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' };
/** In the data directory; pgbench goes by it. */
const SOCKET = { unix_socket_directories: '.' };
/** As large as PostgreSQL's manual advises for a machine of its own: for ten million predictions. */
const LARGE = {
  ...DURABLE,
  shared_buffers: `${Math.floor(totalmem() / 4 / 2 ** 20)}MB`,
  max_wal_size: '8GB',
};

/** Starts a server or takes the one given, makes a database in it, installs pgscore there and starts a service. */
export async function setStage(options: StageOptions, size: ServerSize = 'default', flags: Flags = {}): Promise<Stage> {
  const server = options.url === undefined ? await embedded(size) : { url: options.url, stop: async () => undefined };
  const own = options.inItsDatabase === true;
  const database = own ? new URL(server.url).pathname.slice(1) : `pgscore_bench_${randomBytes(4).toString('hex')}`;
  const passwords = {
    service: options.servicePassword ?? secret(),
    reader: options.readerPassword ?? secret(),
    requester: secret(),
  };
  if (!own) await onServer(server.url, `create database ${ident(database)}`);
  const as = (user: string, password: string): string => address(server.url, database, user, password);
  const ownerUrl = address(server.url, database);
  await migrate({ url: ownerUrl, servicePassword: passwords.service, readerPassword: passwords.reader });
  const version = await makeRequester(ownerUrl, passwords.requester);
  const service = await startServiceProcess({
    databaseUrl: as('pgscore_service', passwords.service),
    readerUrl: as('pgscore_reader', passwords.reader),
    httpPort: '0',
    gatewayPort: '0',
    ...flags,
  });
  const close = async (): Promise<void> => {
    await service.stop();
    if (!own) await onServer(server.url, `drop database ${ident(database)} with (force)`);
    await server.stop();
  };
  return { version, ownerUrl, requesterUrl: as(REQUESTER, passwords.requester), service, close };
}

async function embedded(size: ServerSize): Promise<Server> {
  const server = await startDisposable({ settings: { ...(size === 'large' ? LARGE : DURABLE), ...SOCKET } });
  return { url: server.url(), stop: () => server.stop() };
}

/** An ordinary login that may deploy and score, with a schema of its own. */
async function makeRequester(ownerUrl: string, password: string): Promise<string> {
  const client = await connect({ url: ownerUrl, applicationName: 'pgscore bench' });
  try {
    const { rowCount } = await client.query('select from pg_roles where rolname = $1', [REQUESTER]);
    const verb = rowCount === 0 ? 'create' : 'alter';
    const login = `${verb} role ${REQUESTER} login password ${client.escapeLiteral(password)}`;
    await client.query(login);
    await client.query('grant pgscore_deployer to pgscore_bench');
    await client.query('create schema pgscore_bench authorization pgscore_bench');
    const { rows } = await client.query<{ server_version: string }>('show server_version');
    return rows[0]?.server_version ?? 'unknown';
  } finally {
    await client.end();
  }
}

/** A connection as the requester, whose names mean her own tables. */
export function asRequester(stage: Stage): Promise<pg.Client> {
  const settings = { search_path: 'pgscore_bench' };
  return connect({ url: stage.requesterUrl, applicationName: 'pgscore bench', settings });
}

export function asOwner(stage: Stage): Promise<pg.Client> {
  return connect({ url: stage.ownerUrl, applicationName: 'pgscore bench' });
}

async function onServer(url: string, line: string): Promise<void> {
  const client = await connect({ url, applicationName: 'pgscore bench' });
  try {
    await client.query(line);
  } finally {
    await client.end();
  }
}

function address(url: string, database: string, user?: string, password?: string): string {
  const parsed = new URL(url);
  parsed.pathname = `/${encodeURIComponent(database)}`;
  if (user !== undefined) parsed.username = user;
  if (password !== undefined) parsed.password = password;
  return parsed.href;
}

function secret(): string {
  return randomBytes(18).toString('base64url');
}

const MAIN = new URL('service-main.mjs', import.meta.url);

/** A running `pgscore serve`, with the settings that it has unless told otherwise. */
export type ServiceProcess = {
  readonly pid: number;
  readonly scorerPids: readonly number[];
  stop(): Promise<void>;
};

async function startServiceProcess(flags: Flags): Promise<ServiceProcess> {
  const child = fork(MAIN, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
  const exited = once(child, 'exit');
  child.send(flags);
  const started = once(child, 'message') as Promise<[{ scorerPids: number[] }]>;
  const [{ scorerPids }] = await Promise.race([started, exited.then(refused)]);
  const stop = async (): Promise<void> => {
    if (child.exitCode === null) child.kill('SIGTERM');
    await exited;
  };
  return { pid: child.pid ?? 0, scorerPids, stop };
}

function refused(): never {
  throw new Error('the service did not start; its log says why');
}

/** Features of the models in bench/: f0 to f19. */
export const FEATURES: readonly string[] = Array.from({ length: 20 }, (_, index) => `f${index}`);

/**
 * Makes a table of `rows` rows, a bigint key and 20 real columns, the same at every run. The features lie between -6 and
 * 6, as those did that the trees were trained on.
 */
export async function makeSource(client: pg.Client, name: string, rows: number): Promise<void> {
  const features = FEATURES.map((feature) => `(random() * 4 + random() * 4 + random() * 4 - 6)::real as ${feature}`);
  const create = `create table ${ident(name)} as select i as id, ${features.join(', ')} from generate_series(1::bigint, ${rows}) i`;
  const key = `alter table ${ident(name)} add primary key (id)`;
  const vacuum = `vacuum (analyze) ${ident(name)}`;
  await client.query('select setseed(0.5)');
  for (const line of [create, key, vacuum]) await client.query(line);
}
