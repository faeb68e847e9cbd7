import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { EmbeddedServer } from './server.ts';
import { launch, prepareCluster, type EmbeddedOptions } from './start.ts';

/** A crash of the machine may lose the data, which then does not matter; a crash of the server does not. */
const NOT_DURABLE = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/** Starts PostgreSQL on a temporary data directory, which goes when the server stops or this process ends. */
export async function startDisposable(options: Omit<EmbeddedOptions, 'dataDir'> = {}): Promise<EmbeddedServer> {
  const wanted = await mkdtemp(join(tmpdir(), 'pgscore-'));
  const cluster = await prepareCluster({ ...options, dataDir: wanted });
  const settings = { ...NOT_DURABLE, ...options.settings };
  const server = await launch(cluster, { ...options, settings }, cluster.dataDir);
  const stop = async () => {
    await server.stop();
    await rm(cluster.dataDir, { recursive: true, force: true });
  };
  return { ...server, stop };
}
