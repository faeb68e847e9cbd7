import type pg from 'pg';
import { nodeName, placementsOf, type Placement } from '../citus/placements.ts';
import type { DecodedBatch } from '../copy/batch.ts';
import { readBatches } from '../copy/read.ts';
import { PgscoreError } from '../errors.ts';
import { groupedBy } from '../lib/grouped-by.ts';
import { qualified } from '../lib/text.ts';
import { disconnect } from '../postgres/connect.ts';
import { PipelinedStatement } from '../postgres/pipeline.ts';
import { isConnectionLoss, sqlState } from '../postgres/sqlstate.ts';
import { connectToNode, handleMissing, hasHandle, shardsMoved } from '../runs/distributed-source.ts';
import { BEGIN_READING, prepareToLock, takeGuard } from '../runs/guarded-reading.ts';
import type { Job, Shard } from '../runs/job.ts';
import type { Run } from '../runs/run.ts';
import { sourceColumns } from './read-source.ts';

type ReadShards = { readonly rows: number; readonly signal: AbortSignal };

/** Reads shards of a distributed table from the nodes that hold them, each node in a session of its own. */
export class ShardReading {
  readonly #run: Run;
  readonly #shard: Shard;
  readonly #placements: readonly Placement[];

  private constructor(run: Run, shard: Shard, placements: readonly Placement[]) {
    this.#run = run;
    this.#shard = shard;
    this.#placements = placements;
  }

  static async of(client: pg.Client, { run }: Job, shard: Shard): Promise<ShardReading> {
    return new ShardReading(run, shard, await placements(client, run, shard));
  }

  async *batches(readerUrl: string | undefined, options: ReadShards): AsyncGenerator<DecodedBatch> {
    if (readerUrl === undefined) throw new PgscoreError('internal', 'no URL to read nodes by');
    for (const held of groupedBy(this.#placements, nodeName).values()) yield* this.#ofNode(readerUrl, held, options);
  }

  /** Raises if a shard has left its node meanwhile: the rows that were read there may have been out of date. */
  async expectUnmoved(client: pg.Client): Promise<void> {
    const now = await placements(client, this.#run, this.#shard);
    if (textOf(now) !== textOf(this.#placements)) throw shardsMoved(this.#run);
  }

  async *#ofNode(readerUrl: string, held: readonly Placement[], options: ReadShards): AsyncGenerator<DecodedBatch> {
    const [node] = held;
    if (node === undefined) return;
    let client: pg.Client | undefined;
    try {
      client = await connectToNode(readerUrl, node);
      // Shards may have moved to this node after the run was cut.
      if (!(await hasHandle(client, this.#run))) throw handleMissing(this.#run, node);
      for (const { shardId } of held)
        yield* readBatches(client, shardQuery(this.#run, shardId), sourceColumns(this.#run), {
          ...options,
          before: [BEGIN_READING, prepareToLock(this.#run), takeGuard(this.#run)].map(
            (config) => new PipelinedStatement(config),
          ),
          after: [new PipelinedStatement({ text: 'rollback' })],
        });
    } catch (error) {
      throw this.#problem(error, node);
    } finally {
      if (client !== undefined) await disconnect(client);
    }
  }

  #problem(error: unknown, node: Placement): unknown {
    if (sqlState(error) === '42P01') return shardsMoved(this.#run);
    const isAway = isConnectionLoss(error) || (error instanceof PgscoreError && error.code.startsWith('database_'));
    if (!isAway || !(error instanceof Error)) return error;
    const { sourceSchema, sourceName } = this.#run;
    const message = `node ${nodeName(node)}, which holds rows of "${sourceSchema}.${sourceName}", did not answer: ${error.message}`;
    return new PgscoreError('source_unreachable', message, {
      remedy: 'The run goes on when that server is back.',
      cause: error,
    });
  }
}

function placements(client: pg.Client, run: Run, { from, to }: Shard): Promise<readonly Placement[]> {
  return placementsOf(client, run.sourceSchema, run.sourceName, from, to);
}

function textOf(all: readonly Placement[]): string {
  return all.map((placement) => `${placement.shardId} ${nodeName(placement)}`).join();
}

/** Anybody may overload the name. A call with exactly these types cannot reach another function. */
function shardQuery({ handle, columns }: Run, shardId: string): string {
  const list = columns.map((_, index) => `c${index + 1}`).join(', ');
  return `copy (select ${list} from ${qualified('pgscore_sources', handle.name)}('${BigInt(shardId)}'::pg_catalog.int8)) to stdout (format binary)`;
}
