import type { Link } from '../db/link.ts';
import type { Logger } from '../log.ts';
import { recoverRuns } from '../runs/recover-runs.ts';
import { recoverShards } from '../runs/recover-shards.ts';
import { dropGenerations, dropHandles } from '../runs/sweep.ts';
import { MOST_ATTEMPTS } from './conduct-run.ts';
import { forgetWorkers } from './registry.ts';

/** Takes over what silent services held, and drops storage and handles that nothing needs any more. */
export async function sweep(link: Link, log: Logger): Promise<{ recovered: number }> {
  return link.use(async (client) => {
    const runs = await recoverRuns(client, MOST_ATTEMPTS);
    for (const { run_id: run, state, attempt } of runs)
      log.warn({ run, state, attempt }, 'a run of a lost service was taken over');
    const shards = await recoverShards(client);
    await dropGenerations(client);
    await dropHandles(client);
    await forgetWorkers(client);
    return { recovered: runs.length + shards.length };
  });
}
