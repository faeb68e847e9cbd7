import type { Failure } from './describe-failure.ts';
import type { Run } from './run.ts';

/** Who reads a distributed table: the nodes that hold its shards, or the coordinator for them. */
export type ShardReader = 'nodes' | 'coordinator';

/** A part of a source: blocks of a table, or shards of a distributed one. */
export type Shard = {
  readonly shard: number;
  /** Goes up with each claim of the shard, as the attempt goes up with each claim of the run. */
  readonly fence: number;
  /** How often the shard was tried, this time included. */
  readonly tries: number;
  readonly from: number;
  readonly to: number | null;
  /** The snapshot that all shards of the run read; null for a distributed table, whose nodes share none. */
  readonly snapshotId: string | null;
  /** Null unless the table is distributed. */
  readonly readBy: ShardReader | null;
  readonly generation: number;
};

/** A run in one piece, or one shard of it. */
export type Job = {
  readonly id: number;
  readonly serviceId: string;
  readonly run: Run;
  readonly shard: Shard | null;
};

export type Counts = { readonly rowsDone: number; readonly rowsFailed: number; readonly cpuSeconds: number };

/**
 * How a job ended. `published`: the run is done. `loaded`: the rows are committed and wait for publication. `lost`:
 * another service has the job by now. `failed`: nothing was committed, or the answer to COMMIT was lost.
 */
export type Outcome =
  | ({ readonly kind: 'published' } & Counts)
  | ({ readonly kind: 'loaded'; readonly generation: number; readonly snapshotAt: string | null } & Counts)
  | { readonly kind: 'lost' }
  | { readonly kind: 'aborted' }
  | ({ readonly kind: 'failed' } & Failure & Omit<Counts, 'cpuSeconds'>);

/** A job that could not be scored together with others, and is to be scored alone: nothing was committed. */
export type ScoreAlone = { readonly kind: 'score_alone' };

/** The settings that a scorer is started with. It reads no flags, and only connection settings of the environment. */
export type ScorerSettings = {
  readonly connecting: Readonly<Record<string, string>>;
  readonly databaseUrl: string | undefined;
  readonly readerUrl: string | undefined;
  readonly batchRows: number;
  readonly modelMemoryBytes: number;
};

export type ToScorer =
  | { readonly type: 'start'; readonly settings: ScorerSettings }
  | { readonly type: 'score'; readonly jobs: readonly Job[] }
  | { readonly type: 'abort'; readonly jobId: number }
  /** No shard of this run is left: the scorer gives up its snapshot. */
  | { readonly type: 'release'; readonly runId: string };

export type FromScorer =
  | { readonly type: 'ready' }
  | { readonly type: 'progress'; readonly jobId: number; readonly rowsDone: number; readonly rowsFailed: number }
  | { readonly type: 'outcome'; readonly jobId: number; readonly outcome: Outcome | ScoreAlone };
