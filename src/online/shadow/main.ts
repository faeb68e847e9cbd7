/** The process of shadows: scores logged calls again by the arms of experiments, in nobody's way, and ends with its parent. */
import { endWithParent, listenToParent, tellParent, warningOf } from '../../lib/child-process.ts';
import { ModelCache } from '../../inference/cache.ts';
import type { ModelSession } from '../../inference/session.ts';
import { loadSession } from '../../models/load-session.ts';
import { DatabaseConnection, LOOKING_UP } from '../../postgres/connection.ts';
import { isConnectionLoss, sqlState } from '../../postgres/sqlstate.ts';
import { encodeKeyedCalls, batchOf } from '../call-log/encode.ts';
import { CLOCK_FACTOR } from '../../lib/work-time.ts';
import { WatchedVersions } from '../call-log/watched-versions.ts';
import { writeCalls } from '../call-log/write.ts';
import {
  claimShadow,
  failShadow,
  finishShadow,
  readShadowedCalls,
  renewShadow,
  type ShadowClaim,
  type ShadowedBlock,
} from './queue.ts';
import type { FromShadow, ShadowSettings, ToShadow } from './keeper.ts';
import { lackingFeatures, scoreCalls, type ScoredCalls } from './score-calls.ts';

/** Beside the time by the clock that an arm may take for some rows: to write them, and to find that it hangs. */
const LEASE_MORE_MS = 5000;
const TIMEOUT_MS = 30_000;
/** Each message makes the keeper read the CPU times of this process from /proc: not after every row. */
const PROGRESS_MS = 50;
/** What _finish_shadow() raises. */
const TAKEN = '55000';

type Scored = {
  /** The features that the arm reads and calls are kept without; then none is scored. */
  readonly lacking: readonly string[];
  readonly scored: ScoredCalls;
};

class ShadowScorer {
  readonly #connection: DatabaseConnection;
  readonly #versions: WatchedVersions;
  readonly #writeCalls: ReturnType<typeof writeCalls>;
  readonly #models: ModelCache;
  readonly #leaseMs: number;

  constructor({ databaseUrl, batchTimeoutMs, modelMemoryBytes }: ShadowSettings) {
    this.#connection = new DatabaseConnection({
      url: databaseUrl,
      applicationName: 'pgscore shadow',
      timeoutMs: TIMEOUT_MS,
      settings: { ...LOOKING_UP, synchronous_commit: 'off' },
    });
    this.#versions = new WatchedVersions(this.#connection);
    this.#writeCalls = writeCalls(this.#connection, this.#versions);
    this.#models = new ModelCache(modelMemoryBytes);
    this.#leaseMs = CLOCK_FACTOR * batchTimeoutMs + LEASE_MORE_MS;
  }

  /** Scores what waits, until nothing does. */
  async work(): Promise<void> {
    for (;;) {
      const [claim] = await this.#connection.use((client) => claimShadow(client, this.#leaseMs));
      if (claim === undefined) return;
      await this.#serve(claim).catch((error: unknown) => this.#fail(claim, error));
    }
  }

  async #serve(claim: ShadowClaim): Promise<void> {
    const { experimentId, versionId, batches } = claim;
    const blocks = await this.#connection.use((client) => readShadowedCalls(client, experimentId, versionId, batches));
    const { lacking, scored } = await this.#score(claim, blocks);
    await this.#write(claim, blocks, scored, lacking.length > 0 ? lackOf(lacking, claim) : reasonOf(scored, claim));
  }

  /** Tells the service to watch the arm meanwhile. */
  async #score(claim: ShadowClaim, blocks: readonly ShadowedBlock[]): Promise<Scored> {
    const { experimentId, versionId } = claim;
    await sendAndWait({ type: 'scoring', arm: { experimentId, versionId } });
    try {
      const session = await this.#session(versionId);
      const lacking = lackingFeatures(claim, session);
      let renewed = performance.now();
      const scored = await scoreCalls(claim, lacking.length > 0 ? [] : blocks, session, async () => {
        tellProgress();
        if (performance.now() - renewed < this.#leaseMs / 4) return;
        renewed = performance.now();
        await this.#connection.use((client) => renewShadow(client, experimentId, versionId, this.#leaseMs));
      });
      return { lacking, scored };
    } finally {
      send({ type: 'scored' });
    }
  }

  async #session(versionId: number): Promise<ModelSession> {
    return this.#models.get(versionId, async () => {
      return await this.#connection.use((client) => loadSession(client, versionId, tellProgress));
    });
  }

  async #write(
    claim: ShadowClaim,
    blocks: readonly ShadowedBlock[],
    scored: ScoredCalls,
    error: string | null,
  ): Promise<void> {
    const { experimentId, versionId, batches } = claim;
    await this.#versions.renew(new Set([versionId]));
    const encoded = encodeKeyedCalls(scored.calls, scored.scored + scored.failed, this.#versions);
    const read = blocks.map(({ id }) => id);
    const counts = [scored.scored, scored.failed, scored.leftOut] as const;
    const also = [finishShadow.pipelined(experimentId, versionId, batches, read, ...counts, error)];
    await this.#writeCalls({ ...batchOf([encoded]), also });
  }

  /** What the database says of values may show them; it is for the log of the service. */
  async #fail({ experimentId, versionId, version }: ShadowClaim, error: unknown): Promise<void> {
    const state = sqlState(error);
    if (state === TAKEN) return;
    if (isConnectionLoss(error)) throw error;
    warn(`calls could not be scored by ${version}, the shadow`, error);
    const said = error instanceof Error ? error.message : String(error);
    const reason =
      state === undefined ? said : `its predictions could not be kept (${state}); the log of the service says why`;
    await this.#connection.insist((client) => failShadow(client, experimentId, versionId, reason, 0));
  }
}

function lackOf(lacking: readonly string[], { champion }: ShadowClaim): string {
  return `it reads ${lacking.map((name) => `"${name}"`).join(', ')}, which calls of ${champion} are kept without`;
}

function reasonOf({ failed, withoutInputs }: ScoredCalls, { champion }: ShadowClaim): string | null {
  const [model] = champion.split('@');
  if (withoutInputs > 0)
    return `calls were kept without their inputs: select pgscore.log_calls('${model}', inputs => true); keeps them, but for rows past 16 kB`;
  return failed > 0 ? 'it could not score some calls: pgscore.online_predictions has the reasons' : null;
}

function send(message: FromShadow, onSent?: () => void): void {
  tellParent(message, onSent);
}

let toldAt = 0;

function tellProgress(): void {
  if (performance.now() - toldAt < PROGRESS_MS) return;
  toldAt = performance.now();
  send({ type: 'progress' });
}

/** Before a model may block this thread. */
function sendAndWait(message: FromShadow): Promise<void> {
  return new Promise((resolve) => {
    send(message, resolve);
  });
}

function warn(message: string, error: unknown): void {
  send(warningOf(message, error));
}

// A model that never ends blocks this thread, and 'disconnect' would not be heard.
endWithParent(Number(process.argv[2]));

let scorer: ShadowScorer | undefined;
let working = false;

async function look(): Promise<void> {
  if (scorer === undefined || working) return;
  working = true;
  try {
    await scorer.work();
  } catch (error) {
    warn('calls could not be scored by a shadow', error);
  } finally {
    working = false;
  }
}

listenToParent((message: ToShadow) => {
  if (message.type === 'start') scorer = new ShadowScorer(message.settings);
  else void look();
});
