import type pg from 'pg';
import { citusOf } from '../citus/nodes.ts';
import { nodeName, nodeUrl, placementsOf, type Placement } from '../citus/placements.ts';
import { PgscoreError } from '../errors.ts';
import { groupedBy } from '../lib/grouped-by.ts';
import { connect, disconnect } from '../postgres/connect.ts';
import type { Job, Shard, ShardReader } from './job.ts';
import type { Run } from './run.ts';

/** Whether a scorer is to read the nodes of Citus, each for itself. */
export function isReadFromNodes(job: Job): job is Job & { readonly shard: Shard } {
  return job.shard?.readBy === 'nodes';
}

/** Parts of a run for each scorer, so that all scorers end together. */
const PARTS_EACH = 4;

/** How a distributed table is read: ranges of the ids of its shards. */
export type DistributedSource = {
  readonly readBy: ShardReader;
  readonly ranges: readonly { readonly from: number; readonly to: number | null }[];
  readonly shardIds: readonly string[];
  /** Why the coordinator is to read. */
  readonly reason?: string;
};

/** Finds out whether the service may read each node itself, and divides the shards. */
export async function cutDistributed(
  client: pg.Client,
  readerUrl: string | undefined,
  run: Run,
  scorers: number,
): Promise<DistributedSource> {
  const placements = await placementsOf(client, run.sourceSchema, run.sourceName, 0, null);
  if (placements.length === 0) throw sourceChanged(run.sourceSchema, run.sourceName, 'is not distributed any more');
  const shardIds = placements.map(({ shardId }) => shardId);
  const reason = await whyNotNodes(readerUrl, run, placements);
  if (reason !== undefined) return { readBy: 'coordinator', ranges: [{ from: 0, to: null }], shardIds, reason };
  const each = Math.max(1, Math.ceil(shardIds.length / (PARTS_EACH * scorers)));
  const starts = shardIds.flatMap((shardId, at) => (at % each === 0 ? [at === 0 ? 0 : Number(shardId)] : []));
  return { readBy: 'nodes', ranges: starts.map((from, at) => ({ from, to: starts[at + 1] ?? null })), shardIds };
}

/** Raises if shards were split or created while a run read the others: rows may be missing or double. */
export async function expectSameShards(client: pg.Client, run: Run, shardIds: readonly string[]): Promise<void> {
  const now = await placementsOf(client, run.sourceSchema, run.sourceName, 0, null);
  if (now.map(({ shardId }) => shardId).join() !== shardIds.join()) throw shardsMoved(run);
}

/** Raises if a table was distributed while its blocks were read one after the other: on the nodes they hold other rows. */
export async function expectLocal(client: pg.Client, { sourceSchema, sourceName }: Run): Promise<void> {
  if ((await citusOf(client)) === undefined) return;
  if ((await placementsOf(client, sourceSchema, sourceName, 0, null)).length === 0) return;
  throw sourceChanged(sourceSchema, sourceName, 'was distributed while it was read');
}

function sourceChanged(schema: string, name: string, what: string): PgscoreError {
  return new PgscoreError('source_changed', `"${schema}.${name}" ${what}`, { remedy: 'Submit the run again.' });
}

export function shardsMoved({ sourceSchema, sourceName }: Run): PgscoreError {
  return new PgscoreError('shards_moved', `shards of "${sourceSchema}.${sourceName}" were moved while they were read`, {
    remedy: 'The run is tried again. If it still fails, submit it again after rebalancing.',
  });
}

/** The error of a node that lacks the read handle of a run. The next try finds out anew who reads. */
export function handleMissing(run: Run, node: Placement): PgscoreError {
  const { requestedBy, sourceSchema, sourceName } = run;
  const message = `${nodeName(node)}, to which shards of "${sourceSchema}.${sourceName}" were moved, has no read handle of ${requestedBy}`;
  return new PgscoreError('shards_unreadable', message, {
    remedy: 'The run is tried again, and the coordinator reads. If it still fails, submit it again after rebalancing.',
  });
}

/** Connects to a node as the role that reads sources. The node notices within seconds if the scorer is gone. */
export function connectToNode(readerUrl: string, placement: Placement): Promise<pg.Client> {
  return connect({
    url: nodeUrl(readerUrl, placement),
    applicationName: 'pgscore reader',
    settings: { client_connection_check_interval: '3s' },
  });
}

async function whyNotNodes(
  readerUrl: string | undefined,
  run: Run,
  placements: readonly Placement[],
): Promise<string | undefined> {
  if (readerUrl === undefined) return 'the URL of pgscore_reader is not set';
  if (placements.some(({ isCoordinator }) => isCoordinator)) return 'the coordinator holds shards, too';
  const nodes = [...groupedBy(placements, nodeName).values()];
  const reasons = await Promise.all(nodes.map(([node]) => whyNotNode(readerUrl, run, node)));
  return reasons.find((reason) => reason !== undefined);
}

async function whyNotNode(readerUrl: string, run: Run, node: Placement | undefined): Promise<string | undefined> {
  if (node === undefined) return undefined;
  try {
    const client = await connectToNode(readerUrl, node);
    try {
      return (await hasHandle(client, run)) ? undefined : `${nodeName(node)} has no read handle of ${run.requestedBy}`;
    } finally {
      await disconnect(client);
    }
  } catch (error) {
    return `${nodeName(node)}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/**
 * Whether a node has the handle and the requester owns it: another role may have taken its name. From then on only the
 * requester and pgscore can drop or replace it.
 */
export async function hasHandle(client: pg.Client, { handle, requestedBy }: Run): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      where n.nspname = 'pgscore_sources' and p.proname = $1 and p.proargtypes = '20'::oidvector and p.prosecdef
        and pg_catalog.pg_get_userbyid(p.proowner) = $2`,
    [handle.name, requestedBy],
  );
  return rowCount === 1;
}
