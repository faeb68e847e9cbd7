import type { Link } from '../postgres/connection.ts';
import { statement } from '../postgres/statement.ts';
import type { Logger } from '../log.ts';
import { evictHolders } from './evict-holders.ts';
import { recoverRuns } from './recover-runs.ts';
import { recoverShards } from './recover-shards.ts';
import { dropHandles, dropShards } from './drop.ts';
import { dropGenerations, retireGenerations } from './sweep-generations.ts';
import type { RunDesk } from './worker.ts';
import { MOST_TRIES } from './run-failures.ts';

/**
 * Takes over what silent services held; resolves with how much. What this one has in hand is let be: where its lease ran out,
 * the service or its machine was paused, nobody took it meanwhile, and the heartbeat is about to renew it.
 */
export async function recover(link: Link, { runs, shards }: RunDesk, log: Logger): Promise<number> {
  const mine = [runs.map(({ runId }) => runId), runs.map(({ attempt }) => attempt)] as const;
  return link.use(async (client) => {
    for (const { run_id: run, pid } of await evictHolders(client, ...mine))
      log.warn({ run, backend: pid }, 'a session of a stopped service, which held a run, was ended');
    const recovered = await recoverRuns(client, ...mine, MOST_TRIES);
    for (const { run_id: run, state, attempt } of recovered)
      log.warn({ run, state, attempt }, 'a run of a lost service was taken over');
    const reopened = await recoverShards(
      client,
      shards.map(({ runId }) => runId),
      shards.map(({ attempt }) => attempt),
      shards.map(({ shard }) => shard),
      shards.map(({ fence }) => fence),
    );
    return recovered.length + reopened.length;
  });
}

/** Polls from one look at what can be dropped to the next: nobody waits for it, and it takes five statements. */
export const TIDY_EVERY = 3;

/** Takes services off the list that ended or fell silent a day ago. */
const forgetWorkers = statement<[]>(
  'forget_workers',
  `delete from pgscore_data.worker where heartbeat_at < clock_timestamp() - interval '1 day'`,
);

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
