import { PgscoreError } from '../errors.ts';
import { retrying } from '../lib/retry.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import { statement, type Queryable } from '../postgres/statement.ts';

const syncStatement = statement<[], { node: string; changed: number }>(
  'sync_nodes',
  'select node, changed from pgscore.sync_nodes()',
);

/** Brings the functions of native models to all nodes of Citus. Tries again where another service does so at the same time. */
export async function syncNodes(client: Queryable): Promise<void> {
  const again = (error: unknown): boolean => sqlState(error) === '08006';
  await retrying(() => syncStatement(client), { attempts: 3, pauseMs: 200, again }).catch((error: unknown) => {
    if (!again(error) || !(error instanceof Error)) throw error;
    throw new PgscoreError('node_unavailable', error.message, {
      remedy:
        'Start the node, or take it out with citus_remove_node(). If it is new, run pgscore migrate. Then deploy again.',
      cause: error,
    });
  });
}
