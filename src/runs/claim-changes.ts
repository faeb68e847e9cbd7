import { statement, type Queryable } from '../postgres/statement.ts';
import { RUN_COLUMNS, RUN_PARTS, type ClaimedRunRow } from './run.ts';

const takeChanges = statement<[worker: string, leaseMs: number, most: number], { run_id: string }>(
  'take_changes',
  'select pgscore_data._claim_watches($1, $2, $3) as run_id',
);

const claimedChanges = statement<[runIds: string[]], ClaimedRunRow>(
  'claimed_changes',
  `select ${RUN_COLUMNS} from pgscore_data.run c ${RUN_PARTS} where c.run_id = any ($1) order by c.run_id`,
);

/** Makes runs of the queued changes of up to `most` watches, which this worker has in hand then. */
export async function claimChanges(
  client: Queryable,
  worker: string,
  leaseMs: number,
  most: number,
): Promise<readonly ClaimedRunRow[]> {
  const taken = await takeChanges(client, worker, leaseMs, most);
  return taken.length === 0
    ? []
    : claimedChanges(
        client,
        taken.map(({ run_id }) => run_id),
      );
}
