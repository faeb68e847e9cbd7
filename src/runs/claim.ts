import type { DatabaseConnection } from '../postgres/connection.ts';
import type { Logger } from '../log.ts';
import { isOfWatch, runFrom, type Run, type ClaimedRun, RUN_COLUMNS, RUN_PARTS, type RunDefect } from './run.ts';
import type { Job, Shard } from './job.ts';
import type { ScorerPool } from './scorer-pool.ts';
import { statement, type Queryable } from '../postgres/statement.ts';

/** A table of more pages than this is cut into shards; 4 MiB are scored in about the time that cutting takes. */
const LARGE_PAGES = 512;
/**
 * Jobs claimed ahead for each scorer, so that none waits for a claim. Shards are long, and other services may want
 * them; runs are short.
 */
const SHARDS_EACH = 2;
const RUNS_EACH = 4;
/** Most keys that one run of a watch takes. If a claim gave as many, more may wait. */
const MOST_KEYS = 10_000;
/** Most runs over large tables that are sharded at a time: each holds a snapshot, and all share the same scorers. */
const MOST_SHARDED = 4;

/** What may be claimed: anything; only shards of runs sharded here, so that they can end; nothing. */
type Intake = 'open' | 'own' | 'closed';

/**
 * `runs`: a run was submitted. `all`: there may be runs or shards. `known`: nothing new; only what an earlier claim
 * left because scorers were busy.
 */
export type Expected = 'runs' | 'all' | 'known';

/** Who does what is claimed. */
type ClaimedWork = {
  /** How many runs over large tables are in hand. */
  readonly sharded: number;
  score(job: Job): void;
  scoreSharded(run: Run): void;
  fail(run: Pick<Run, 'runId' | 'attempt' | 'model'>, defect: RunDefect): Promise<void>;
};

type DispatcherOptions = {
  readonly serviceId: string;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly connection: DatabaseConnection;
  readonly scorers: ScorerPool;
  readonly work: ClaimedWork;
  readonly log: Logger;
};

/**
 * Claims work for free scorers: queued runs in their order and shards of large runs, by turns, so that neither waits
 * for all of the other.
 */
export class Dispatcher {
  readonly #with: DispatcherOptions;
  #nextJob = 1;
  #shardsTurn = false;
  #intake: Intake = 'open';
  /** The last claim gave as many runs as it asked for: the next one waits until it can ask for several. */
  #lastClaimWasFull = false;
  /** Whether there may be runs, or shards, that the last claim did not find. */
  #runsExpected = true;
  #shardsExpected = true;
  #expectedAllAt = 0;
  #changesWait = false;

  constructor(options: DispatcherOptions) {
    this.#with = options;
  }

  /** From now on claims only the shards of runs in hand. */
  drain(): void {
    this.#intake = 'own';
  }

  /** From now on claims nothing. */
  close(): void {
    this.#intake = 'closed';
  }

  /** Tells that there may be work. */
  announce(expected: Expected): void {
    if (expected !== 'known') this.#runsExpected = true;
    if (expected !== 'all') return;
    this.#shardsExpected = true;
    this.#expectedAllAt = performance.now();
  }

  /**
   * Claims changed rows of watches: one run for each scorer, two if more changes wait. Resolves with the number of
   * runs.
   */
  async dispatchChanges(): Promise<number> {
    let claimed = 0;
    while (this.#intake === 'open' && this.#roomForChanges > 0) {
      const { connection, serviceId, leaseMs } = this.#with;
      const rows = await connection.use((client) => claimChanges(client, serviceId, leaseMs, this.#roomForChanges));
      for (const row of rows) await this.#begin(row);
      claimed += rows.length;
      this.#changesWait = rows.some(({ rowsExpected: keys }) => (keys ?? 0) >= MOST_KEYS);
      if (!this.#changesWait) break;
    }
    return claimed;
  }

  /** Whether more changed rows wait than the last claim could take. */
  get changesWait(): boolean {
    return this.#changesWait;
  }

  get #roomForChanges(): number {
    const inHand = this.#with.scorers.progress.filter(({ job }) => isOfWatch(job.run)).length;
    return this.#with.scorers.size * (this.#changesWait ? 2 : 1) - inHand;
  }

  /** Claims until no scorer is free or no work is expected. */
  async dispatch(): Promise<void> {
    // A little less than the poll, so that each poll looks for everything.
    if (performance.now() - this.#expectedAllAt > 0.8 * this.#with.pollMs) this.announce('all');
    while (this.#intake !== 'closed' && (this.#wantsRuns || this.#wantsShards)) {
      this.#shardsTurn = this.#wantsShards && !(this.#shardsTurn && this.#wantsRuns);
      await (this.#shardsTurn ? this.#dispatchShard() : this.#dispatchRuns());
    }
  }

  get #wantsShards(): boolean {
    return this.#shardsExpected && this.#with.scorers.roomFor(SHARDS_EACH) > 0;
  }

  get #wantsRuns(): boolean {
    return (
      this.#runsExpected &&
      this.#with.scorers.roomFor(RUNS_EACH) >= (this.#lastClaimWasFull ? this.#with.scorers.size : 1)
    );
  }

  async #dispatchRuns(): Promise<void> {
    this.#runsExpected = false;
    if (this.#intake !== 'open') return;
    const { connection, serviceId, leaseMs, scorers, work } = this.#with;
    const large = work.sharded < MOST_SHARDED;
    const most = scorers.roomFor(RUNS_EACH);
    const rows = await connection.use((client) => claimRuns(client, serviceId, leaseMs, most, large, LARGE_PAGES));
    this.#lastClaimWasFull = rows.length === most;
    if (this.#lastClaimWasFull) this.#runsExpected = true;
    for (const row of rows) await this.#begin(row);
  }

  async #begin(row: ClaimedRun): Promise<void> {
    const run = await this.#validRunOrFail(row);
    if (run === undefined) return;
    this.#with.log.debug(
      { run: run.runId, attempt: run.attempt, source: `${run.sourceSchema}.${run.sourceName}` },
      'run claimed',
    );
    if (isCut(run)) this.#with.work.scoreSharded(run);
    else this.#with.work.score(this.#job(run, null));
  }

  async #dispatchShard(): Promise<void> {
    this.#shardsExpected = false;
    const { connection, serviceId, leaseMs } = this.#with;
    const [row] = await connection.use((client) => claimShard(client, serviceId, leaseMs, this.#intake === 'open'));
    if (row === undefined) return;
    this.#shardsExpected = true;
    const { shard, fence, tries, from, to, snapshotId, readBy, generation, ...claimed } = row;
    const run = await this.#validRunOrFail(claimed);
    if (run !== undefined)
      this.#with.work.score(this.#job(run, { shard, fence, tries, from, to, snapshotId, readBy, generation }));
  }

  /** The run of a row, or undefined after it was failed for what is wrong with it. */
  async #validRunOrFail(row: ClaimedRun): Promise<Run | undefined> {
    const run = runFrom(row);
    if ('runId' in run) return run;
    await this.#with.work.fail(row, run);
    return undefined;
  }

  #job(run: Run, shard: Shard | null): Job {
    const id = this.#nextJob;
    this.#nextJob += 1;
    return { id, serviceId: this.#with.serviceId, run, shard };
  }
}

/** Whether a run is scored in shards. A distributed table is, whatever its size, unless keys are given or rows compared. */
function isCut(run: Run): boolean {
  const { sourceKind, pages, comparesRows } = run;
  const hasShards = sourceKind === 'distributed' ? !isOfWatch(run) : sourceKind === 'ctid' && pages > LARGE_PAGES;
  return hasShards && !comparesRows;
}

/**
 * Claims up to `limit` queued runs, oldest first, for a service. The attempt goes up at the claim, so that a run which
 * kills its service still ends. Arms of an experiment score at the first try only: they may be why the run failed.
 * `large`: whether tables of more than `largePages` pages may be among them.
 */
export const claimRuns = statement<
  [serviceId: string, leaseMs: number, limit: number, large: boolean, largePages: number],
  ClaimedRun
>(
  'claim_runs',
  `with queued as materialized (
     select r.run_id from pgscore_data.run r
      where r.state = 'queued' and (r.lease_until is null or r.lease_until < clock_timestamp())
        and ($4 or case r.source_kind when 'ctid' then r.pages <= $5 else r.source_kind = 'stream' end)
        and not exists (select from pgscore_data.cancellation c where c.run_id = r.run_id)
      order by r.run_id limit $3 for no key update skip locked
   ), claimed as (
     update pgscore_data.run r
        set state = 'running', phase = 'reading', attempt = r.attempt + 1, claimed_by = $1,
            lease_until = clock_timestamp() + $2 * interval '1 millisecond', started_at = coalesce(r.started_at, clock_timestamp()),
            rows_done = 0, rows_failed = 0, cpu_seconds = 0, generation = null, snapshot_id = null, shards_read_by = null,
            snapshot_at = null,
            arms = case when r.experiment_id is null then r.arms
                        when r.attempt = r.handed_back then pgscore_data._arms_of_run(r.experiment_id, r.version_id) end
      where r.run_id = any (array(select run_id from queued))
     returning r.*
   )
   select ${RUN_COLUMNS}
     from claimed c ${RUN_PARTS}
    order by c.run_id`,
);

/**
 * Claims one open shard for a service: of any run, or only of runs that the service itself shards. The fence goes up,
 * so that an earlier holder can no longer commit.
 */
export const claimShard = statement<[serviceId: string, leaseMs: number, ofAnyRun: boolean], ClaimedRun & Shard>(
  'claim_shard',
  `with open as materialized (
     select s.run_id, s.attempt, s.shard
       from pgscore_data.shard s
       join pgscore_data.run r on r.run_id = s.run_id and r.attempt = s.attempt and r.state = 'running' and ($3 or r.claimed_by = $1)
      where s.state = 'queued' and (s.lease_until is null or s.lease_until < clock_timestamp())
        and not exists (select from pgscore_data.cancellation c where c.run_id = s.run_id)
      order by s.run_id, s.shard limit 1 for update of s skip locked
   ), taken as (
     update pgscore_data.shard s
        set state = 'running', fence = s.fence + 1, claimed_by = $1, lease_until = clock_timestamp() + $2 * interval '1 millisecond'
      where (s.run_id, s.attempt, s.shard) = (select o.run_id, o.attempt, o.shard from open o)
     returning s.*
   )
   select ${RUN_COLUMNS}, s.shard, s.fence, s.fence - s.handed_back as tries, s.block_from::float8 as "from", s.block_to::float8 as "to",
          c.snapshot_id as "snapshotId", c.shards_read_by as "readBy", c.generation
     from taken s
     cross join lateral (select x.* from pgscore_data.run x where x.run_id = s.run_id offset 0) c ${RUN_PARTS}`,
);

const takeChanges = statement<[serviceId: string, leaseMs: number, most: number], { run_id: string }>(
  'take_changes',
  'select pgscore_data._claim_watches($1, $2, $3) as run_id',
);

const claimedRun = statement<[runId: string], ClaimedRun>(
  'claimed_run',
  `select ${RUN_COLUMNS} from pgscore_data.run c ${RUN_PARTS} where c.run_id = $1`,
);

/** Makes runs of the queued changes of up to `most` watches, and claims these runs for this service. */
async function claimChanges(
  client: Queryable,
  serviceId: string,
  leaseMs: number,
  most: number,
): Promise<readonly ClaimedRun[]> {
  const taken = await takeChanges(client, serviceId, leaseMs, most);
  // One by one: PostgreSQL would plan a list of runs anew each time, which takes longer than the look-ups.
  const runs = await Promise.all(taken.map(({ run_id }) => claimedRun(client, run_id)));
  return runs.flat();
}
