import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import { Client } from 'pg';
import { ident } from '../../src/lib/text.ts';
import { atEnd } from './at-end.ts';
import { databaseUrl, type Login } from './database-url.ts';
import type { TestDatabase } from './database.ts';
import { startFaultServer, type FaultServer } from './fault-server.ts';
import { createOrdinaryRoles, passwordOf, type OrdinaryRole } from './ordinary-roles.ts';
import { prepareTemplate } from './prepare-template.ts';

/** A database on the coordinator of a Citus cluster and on its workers, dropped when the file is done. */
export type CitusDatabase = TestDatabase & {
  /** The URLs of the superuser in the same database of the workers. */
  readonly workerUrls: readonly string[];
  /** The servers, the coordinator first, where the file started them: to stop and start. Empty where a cluster was named. */
  readonly servers: readonly FaultServer[];
  /** Connects to a worker as the superuser; closed with the file. */
  worker(index: number): Promise<Client>;
  /** Makes another database on the same nodes, without pgscore. */
  another(): Promise<CitusDatabase>;
  /** The path of a program of the server, such as pg_dump. */
  program(name: string): string;
  /** Starts one more worker with the same database, which is not in the cluster yet. It ends with the file. */
  spareWorker(): Promise<{ readonly host: string; readonly port: number; readonly client: Client }>;
};

/**
 * Describes tests on a Citus cluster: the one whose coordinator PGSCORE_TEST_CITUS_URL names, as a superuser; else one of a
 * coordinator and two workers, started where the extension is installed; else they are skipped. To be awaited at the top of a file.
 */
export async function describeOnCitus(name: string, tests: (database: CitusDatabase) => void): Promise<void> {
  const cluster = await citusCluster();
  if (cluster === undefined) {
    console.log(`skipped: ${name}. No Citus is installed, and PGSCORE_TEST_CITUS_URL names no coordinator.`);
    describe.skip(name, () => tests(NOWHERE));
    return;
  }
  const database = await createOnNodes(cluster);
  await prepareTemplate(database.url());
  describe(name, () => tests(database));
}

const NOWHERE: CitusDatabase = {
  name: '',
  url: () => '',
  client: () => Promise.reject(new Error('no Citus')),
  worker: () => Promise.reject(new Error('no Citus')),
  another: () => Promise.reject(new Error('no Citus')),
  program: (name) => name,
  spareWorker: () => Promise.reject(new Error('no Citus')),
  workerUrls: [],
  servers: [],
};

type CitusCluster = { readonly urls: readonly [string, ...string[]]; readonly servers: readonly FaultServer[] };

async function citusCluster(): Promise<CitusCluster | undefined> {
  const given = process.env['PGSCORE_TEST_CITUS_URL'];
  if (given !== undefined) return { urls: [given, ...(await workersOf(given))], servers: [] };
  const binaries = citusBinaries();
  return binaries === undefined ? undefined : startCluster(binaries).catch(unlessOfOtherServer);
}

async function workersOf(url: string): Promise<string[]> {
  const client = await connected(url);
  const { rows } = await client.query<{ host: string; port: number }>(
    "select nodename as host, nodeport as port from pg_dist_node where groupid <> 0 and noderole = 'primary' order by 1, 2",
  );
  await client.end();
  return rows.map(({ host, port }) => {
    const worker = new URL(url);
    worker.host = `${host}:${port}`;
    return worker.href;
  });
}

/** The folder of bin and lib of a PostgreSQL with Citus: the one that PGSCORE_TEST_CITUS_BINARIES names, else Debian's. */
function citusBinaries(): string | undefined {
  const given = process.env['PGSCORE_TEST_CITUS_BINARIES'];
  if (given !== undefined) return given;
  return [15, 16, 17]
    .filter((version) => existsSync(`/usr/share/postgresql/${version}/extension/citus.control`))
    .map((version) => `/usr/lib/postgresql/${version}`)
    .at(-1);
}

/** An extension that was built for another minor version of the server does not load. */
function unlessOfOtherServer(error: unknown): undefined {
  if (!(error instanceof Error) || !error.message.includes('could not load library')) throw error;
  console.log(error.message);
}

const SETTINGS = {
  shared_preload_libraries: 'citus',
  max_connections: 200,
  max_prepared_transactions: 200,
  wal_level: 'logical',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
};

async function startCluster(binaries: string): Promise<CitusCluster> {
  const coordinator = await startNode(binaries);
  const workers = await Promise.all([startNode(binaries), startNode(binaries)]);
  return { urls: [coordinator.url(), ...workers.map((worker) => worker.url())], servers: [coordinator, ...workers] };
}

/** Nodes trust each other: each has a superuser's password of its own. */
async function startNode(binaries?: string): Promise<FaultServer> {
  const server = await startFaultServer(SETTINGS, binaries === undefined ? {} : { binaries });
  await writeFile(join(server.dataDir, 'pg_hba.conf'), 'host all all 127.0.0.1/32 trust\n');
  const client = await connected(server.url());
  await client.query('select pg_reload_conf()');
  await client.end();
  return server;
}

async function createOnNodes(cluster: CitusCluster): Promise<CitusDatabase> {
  const { urls, servers } = cluster;
  const [coordinatorUrl] = urls;
  const name = `pgscore_test_${randomBytes(4).toString('hex')}`;
  for (const url of urls) await createWithExtension(url, name);
  const nodeUrls = urls.map((url) => databaseUrl(url, name));
  const superuser = await connected(databaseUrl(coordinatorUrl, name));
  await addNodes(superuser, nodeUrls);
  await createOrdinaryRoles(superuser, coordinatorUrl);
  await superuser.end();
  const clients: Client[] = [];
  const opened = async (url: string): Promise<Client> => {
    const client = await connected(url);
    clients.push(client);
    return client;
  };
  atEnd(async () => {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
    // The servers of the file go with it.
    if (servers.length === 0) for (const url of urls) await dropDatabase(url, name);
  });
  const url = (as?: OrdinaryRole | Login): string => databaseUrl(coordinatorUrl, name, loginOf(as, coordinatorUrl));
  const workerUrls = nodeUrls.slice(1);
  return {
    name,
    url,
    client: (as) => opened(url(as)),
    worker: (index) => opened(workerUrls[index] ?? ''),
    another: () => createOnNodes(cluster),
    program: (program) => (servers.length === 0 ? program : join(citusBinaries() ?? '', 'bin', program)),
    spareWorker: async () => {
      const spare = await startNode(citusBinaries());
      await createWithExtension(spare.url(), name);
      const spareUrl = databaseUrl(spare.url(), name);
      return { host: '127.0.0.1', port: Number(new URL(spareUrl).port), client: await opened(spareUrl) };
    },
    workerUrls,
    servers,
  };
}

async function createWithExtension(url: string, name: string): Promise<void> {
  const server = await connected(url);
  const create = `create database ${ident(name)} template template0`;
  await server.query(create);
  await server.end();
  const client = await connected(databaseUrl(url, name));
  await client.query('create extension citus');
  await client.end();
}

async function dropDatabase(url: string, name: string): Promise<void> {
  const client = await connected(url);
  const drop = `drop database ${ident(name)} with (force)`;
  await client.query(drop);
  await client.end();
}

async function addNodes(coordinator: Client, [first = '', ...workers]: readonly string[]): Promise<void> {
  const placeOf = (url: string): [string, number] => [new URL(url).hostname, Number(new URL(url).port)];
  await coordinator.query('select citus_set_coordinator_host($1, $2)', placeOf(first));
  for (const worker of workers) await coordinator.query('select citus_add_node($1, $2)', placeOf(worker));
}

function loginOf(as: OrdinaryRole | Login | undefined, superuserUrl: string): Login | undefined {
  return typeof as === 'string' ? { user: as, password: passwordOf(as, superuserUrl) } : as;
}

async function connected(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
