import type { Link } from '../db/link.ts';
import type { Logger } from '../log.ts';
import { evictHolders } from '../runs/evict-holders.ts';
import { recoverRuns } from '../runs/recover-runs.ts';
import { recoverShards } from '../runs/recover-shards.ts';
import { dropHandles, dropShards } from '../runs/sweep.ts';
import { dropGenerations, retireGenerations } from '../runs/sweep-generations.ts';
import { forgetWorkers } from './registry.ts';
import { MOST_TRIES } from './settlement.ts';

/** Takes over what silent services held; resolves with how much. */
export async function recover(link: Link, log: Logger): Promise<number> {
  return link.use(async (client) => {
    for (const { run_id: run, pid } of await evictHolders(client))
      log.warn({ run, backend: pid }, 'a session of a stopped service, which held a run, was ended');
    const runs = await recoverRuns(client, MOST_TRIES);
    for (const { run_id: run, state, attempt } of runs)
      log.warn({ run, state, attempt }, 'a run of a lost service was taken over');
    const shards = await recoverShards(client);
    return runs.length + shards.length;
  });
}

/** Drops storage and handles that nothing needs any more. What readers hold is waited for, each for a moment. */
export async function tidy(link: Link): Promise<void> {
  await link.use(async (client) => {
    await dropShards(client);
    await retireGenerations(client);
    await dropGenerations(client);
    await dropHandles(client);
    await forgetWorkers(client);
  });
}
