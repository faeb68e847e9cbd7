import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../../src/server/cluster.ts';
import { startPostmaster, stopPostmaster } from '../../src/server/postmaster.ts';
import { readPostmaster } from '../../src/server/running.ts';
import { type EmbeddedServer, launch, prepareCluster } from '../../src/server/start.ts';
import { atEnd } from './at-end.ts';
import { dataFolder } from './data-folder.ts';
import { programsUnderTest } from './test-server.ts';
import { waitFor } from './wait-for.ts';

/** A server of one test file's own, to crash. */
export type FaultServer = EmbeddedServer & {
  /** Crashes the server and starts it again on the same port: `pg_ctl restart -m immediate`. */
  immediateRestart(): Promise<void>;
  /** Kills the postmaster with SIGKILL and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again after `kill` or `stop`, on the same port. */
  start(): Promise<void>;
};

/** Starts an embedded server whose data directory goes with the test file. To be called at the top of a test file. */
export async function startFaultServer(
  settings: Settings = {},
  programs: { binaries?: string } = programsUnderTest(),
): Promise<FaultServer> {
  const wanted = await mkdtemp(join(await dataFolder(), 'pgscore-fault-'));
  const cluster = await prepareCluster({ dataDir: wanted, ...programs });
  atEnd(() => rm(cluster.dataDir, { recursive: true, force: true }));
  const server = await launch(cluster, { settings: { jit: 'off', ...settings } }, cluster.dataDir);
  const start = async () => {
    await startPostmaster(cluster);
  };
  atEnd(() => server.stop());
  return {
    ...server,
    start,
    stop: () => stopPostmaster(cluster, 'fast'),
    immediateRestart: async () => {
      await stopPostmaster(cluster, 'immediate');
      await start();
    },
    kill: async () => {
      const postmaster = await readPostmaster(cluster.dataDir);
      if (postmaster !== undefined) process.kill(postmaster.pid, 'SIGKILL');
      await waitFor(async () => (await readPostmaster(cluster.dataDir)) === undefined, {
        message: 'the postmaster to die',
      });
    },
  };
}
