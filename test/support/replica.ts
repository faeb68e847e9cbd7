import { cp, lchown, mkdtemp, readdir, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type EmbeddedServer, launch, prepareCluster } from '../../src/server/start.ts';
import { atEnd } from './at-end.ts';
import { dataFolder } from './data-folder.ts';
import type { FaultServer } from './fault-server.ts';
import { programsUnderTest } from './test-server.ts';

/** Starts a hot standby of a server, which is stopped while its files are copied. To be called at the top of a test file. */
export async function startReplica(primary: FaultServer): Promise<EmbeddedServer> {
  const dataDir = await mkdtemp(join(await dataFolder(), 'pgscore-replica-'));
  await primary.stop();
  await rmdir(dataDir);
  await copyWithOwner(primary.dataDir, dataDir);
  await primary.start();
  await writeFile(join(dataDir, 'standby.signal'), '');
  const cluster = await prepareCluster({ dataDir, ...programsUnderTest() });
  const { hostname, port, username, password } = new URL(primary.url());
  const settings = { primary_conninfo: `host=${hostname} port=${port} user=${username} password=${password}` };
  const server = await launch(cluster, { settings }, cluster.dataDir);
  atEnd(async () => {
    await server.stop();
    await rm(cluster.dataDir, { recursive: true, force: true });
  });
  return server;
}

async function copyWithOwner(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, verbatimSymlinks: true });
  const { uid, gid } = await stat(from);
  const entries = await readdir(to, { recursive: true });
  await Promise.all(['.', ...entries].map((entry) => lchown(join(to, entry), uid, gid)));
}
