import type pg from 'pg';
import type { Logger } from '../log.ts';
import { controlConnection, type DatabaseConnection } from '../postgres/connection.ts';
import { isTransient } from '../postgres/sqlstate.ts';
import { BRIEF_LOCKS, createGeneration, publicationConnection, type Loaded } from './publish.ts';
import { problemOfWriting } from './publication-errors.ts';
import { type BlockRange, measureSource, openShards, shardRanges, shardsDone } from './shards.ts';
import { cutDistributed, expectLocal, expectSameShards } from './distributed-source.ts';
import type { Run } from './run.ts';
import type { Counts, ShardReader } from './job.ts';
import { exportSnapshot, type ExportedSnapshot } from './guarded-reading.ts';

const POLL_MS = 1000;

/** Who reads the source, and the ranges of its shards. */
type Cut = {
  /** Null unless the table is distributed. */
  readonly readBy: ShardReader | null;
  readonly ranges: readonly BlockRange[];
  readonly rows: number | null;
};

type ShardedRunOptions = {
  readonly serviceId: string;
  readonly scorers: number;
  readonly databaseUrl: string | undefined;
  readonly readerUrl: string | undefined;
  readonly log: Logger;
  /** Shards are open: scorers may claim them. */
  readonly onOpened: () => void;
  /** No shard of the run is left to be read. */
  readonly onScored: (runId: string) => void;
};

/** Something ended the run from outside: it was cancelled, failed, or belongs to another service by now. */
export class RunEnded extends Error {}

/** A run over a large table: one snapshot for all of its shards. */
export class ShardedRun {
  readonly run: Run;
  readonly #with: ShardedRunOptions;
  readonly #signal = new Signal();
  readonly #connection: DatabaseConnection;
  /** The connection that publishes the run; connected while its last shards are scored. */
  readonly publication: DatabaseConnection;
  #ended = false;
  /** The ids of the shards of a distributed table, if scorers read the nodes. */
  #shardIds: readonly string[] | undefined;

  constructor(run: Run, options: ShardedRunOptions) {
    this.run = run;
    this.#with = options;
    this.#connection = controlConnection(options.databaseUrl, 'sharded run', undefined, BRIEF_LOCKS);
    this.publication = publicationConnection(options.databaseUrl);
  }

  /** A shard of the run has ended. */
  shardEnded(): void {
    this.#signal.raise();
  }

  /** The run is not to go on: `score` rejects with RunEnded. */
  end(): void {
    this.#ended = true;
    this.#signal.raise();
  }

  /** Resolves when all of its shards are scored. */
  async score(): Promise<Loaded> {
    connectAhead(this.#connection);
    try {
      return await this.#scoreShards();
    } finally {
      await this.#connection.end();
    }
  }

  async #scoreShards(): Promise<Loaded> {
    const snapshot = await exportSnapshot(this.#with.readerUrl, this.run);
    try {
      const generation = await this.#open(snapshot);
      this.#with.onOpened();
      const counts = await this.#allDone(snapshot);
      const client = await this.#connection.client();
      if (snapshot.id !== undefined) await expectLocal(client, this.run);
      if (this.#shardIds !== undefined) await expectSameShards(client, this.run, this.#shardIds);
      this.#with.onScored(this.run.runId);
      return { ...counts, generation, snapshotAt: snapshot.at };
    } finally {
      await snapshot.close();
    }
  }

  async #open(snapshot: ExportedSnapshot): Promise<number> {
    const { run } = this;
    const client = await this.#connection.client();
    const { readBy, ranges, rows } = await (snapshot.id === undefined
      ? this.#cutDistributed(client)
      : this.#cutBlocks(client));
    const [created] = await createGeneration(client, run.runId, run.attempt).catch((error: unknown) => {
      throw problemOfWriting(error, run);
    });
    if (created === undefined) throw new RunEnded();
    const [opened] = await openShards(
      client,
      run.runId,
      run.attempt,
      this.#with.serviceId,
      snapshot.id ?? null,
      snapshot.at,
      created.generation,
      ranges.map(({ from }) => from),
      ranges.map(({ to }) => to),
      rows,
      readBy,
    );
    if (opened === undefined || opened.shards === 0) throw new RunEnded();
    return created.generation;
  }

  async #cutBlocks(client: pg.Client): Promise<Cut> {
    const [size] = await measureSource(client, this.run.sourceSchema, this.run.sourceName);
    const ranges = shardRanges(size?.longest ?? 0, size?.total ?? 0, this.#with.scorers);
    return {
      readBy: null,
      ranges,
      rows: size?.rows === null || size === undefined ? null : Math.round(size.rows),
    };
  }

  async #cutDistributed(client: pg.Client): Promise<Cut> {
    const { readerUrl, scorers, log } = this.#with;
    const { readBy, ranges, shardIds, reason } = await cutDistributed(client, readerUrl, this.run, scorers);
    if (reason === undefined) this.#shardIds = shardIds;
    else log.warn({ run: this.run.runId, reason }, 'the coordinator reads the shards of the run');
    return { readBy, ranges, rows: null };
  }

  async #allDone(snapshot: ExportedSnapshot): Promise<Counts> {
    let lost: Error | undefined;
    void snapshot.lost.then((error) => {
      lost = error;
      this.#signal.raise();
    });
    for (;;) {
      if (this.#ended) throw new RunEnded();
      const counts = await this.#countsWhenDone();
      if (counts !== undefined) return counts;
      if (lost !== undefined) throw lost;
      await this.#signal.wait(POLL_MS);
    }
  }

  /**
   * Undefined while shards are open, and if the database cannot be reached: the run goes on as long as its snapshot
   * lives.
   */
  async #countsWhenDone(): Promise<Counts | undefined> {
    const [found] = await this.#connection
      .use((client) => shardsDone(client, this.run.runId, this.run.attempt))
      .catch((error: unknown) => {
        if (isTransient(error)) return [];
        throw error;
      });
    if (found === undefined) return undefined;
    const { shards, open, ...counts } = found;
    if (open <= this.#with.scorers) connectAhead(this.publication);
    if (open > 0) return undefined;
    if (shards === 0) throw new RunEnded();
    return counts;
  }
}

/** Connects before the connection is needed. If that fails, its first use reports why. */
function connectAhead(connection: DatabaseConnection): void {
  void connection.client().catch(() => undefined);
}

/** A signal to wait for, with a time limit. One that is raised while nobody waits is kept for the next wait. */
class Signal {
  #raised = false;
  #wake: (() => void) | undefined;

  raise(): void {
    this.#raised = true;
    this.#wake?.();
  }

  async wait(limitMs: number): Promise<void> {
    if (!this.#raised) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, limitMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#raised = false;
    this.#wake = undefined;
  }
}
