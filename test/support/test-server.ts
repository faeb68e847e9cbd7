import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers';
import { startDisposable } from '../../src/server/start.ts';
import { freePort, LOOPBACK } from '../../src/server/running.ts';
import { dataFolder } from './data-folder.ts';

/** The PostgreSQL that one run of the tests shares. */
export type TestServer = {
  readonly kind: string;
  /** URL of the superuser in the database `postgres`. */
  readonly url: string;
  stop(): Promise<void>;
};

const SETTINGS = {
  max_connections: 250,
  max_prepared_transactions: 10,
  wal_level: 'logical',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  // A server with LLVM compiles statements for longer than it runs those of most tests.
  jit: 'off',
};

/** The server named by PGSCORE_TEST_DATABASE_URL, else a container where a Docker engine answers, else an embedded one. */
export async function startTestServer(): Promise<TestServer> {
  const given = process.env['PGSCORE_TEST_DATABASE_URL'];
  if (given !== undefined) return { kind: 'named by PGSCORE_TEST_DATABASE_URL', url: given, stop: async () => {} };
  return (await dockerAnswers()) ? startContainer() : startEmbeddedServer();
}

async function dockerAnswers(): Promise<boolean> {
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
}

/** In the host's network, as PostgreSQL connects to the gateway of a test, which listens on this machine alone. */
async function startContainer(): Promise<TestServer> {
  const port = await freePort();
  const password = randomBytes(18).toString('base64url');
  const settings = Object.entries({ ...SETTINGS, port, listen_addresses: LOOPBACK });
  const image = `postgres:${process.env['PGSCORE_TEST_PG'] ?? '18'}`;
  const container = await new GenericContainer(image)
    .withNetworkMode('host')
    .withEnvironment({ POSTGRES_PASSWORD: password, POSTGRES_INITDB_ARGS: '--locale=C.UTF-8' })
    .withCommand(['postgres', ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])])
    // The first is the server that the image sets up by.
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
    .start();
  return {
    kind: `in a container of ${image}`,
    url: `postgres://postgres:${password}@${LOOPBACK}:${port}/postgres`,
    stop: async () => {
      await container.stop();
    },
  };
}

async function startEmbeddedServer(): Promise<TestServer> {
  const folder = await dataFolder();
  const server = await startDisposable({ folder, settings: SETTINGS, ...programsUnderTest(), notice: console.log });
  return { kind: 'embedded, as no Docker engine answers', url: server.url(), stop: () => server.stop() };
}

/** The programs of the version that PGSCORE_TEST_PG asks for: Debian's, which compile with LLVM, else those that `npm run test:matrix` installs. */
export function programsUnderTest(): { binaries?: string } {
  const version = process.env['PGSCORE_TEST_PG'];
  if (version === undefined || version === '18') return {};
  const debian = `/usr/lib/postgresql/${version}`;
  if (existsSync(`${debian}/bin/postgres`)) return { binaries: debian };
  return { binaries: fileURLToPath(new URL(`../matrix/node_modules/pg${version}/native`, import.meta.url)) };
}
