import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseConnection } from '../postgres/connection.ts';
import { GraphLost, type Graph } from '../inference/graph.ts';
import { limitWork } from '../lib/work-time.ts';
import type { ModelCache } from '../inference/cache.ts';
import { readOutline } from '../onnx/outline.ts';
import { ModelSession } from '../inference/session.ts';
import { stepOf, type Feature } from '../inference/signature.ts';
import { TreeGraph } from '../inference/trees/tree-graph.ts';
import { saveVersion, type LoadedVersion } from '../models/load-version.ts';
import { inModelFolder } from '../onnx/model-folder.ts';
import { loadFailure, refusedForAWhile } from './load-failures.ts';
import type { WantedVersion } from './gateway-process.ts';
import { OneAtATime } from './fair-queue.ts';
import { RemoteGraph, type Runner } from './runner.ts';
import { Runners } from './runners.ts';

export type OnlineModelsOptions = {
  readonly connection: DatabaseConnection;
  readonly cache: ModelCache;
  readonly warn: (message: string, error: unknown) => void;
};

/** Work with a model, and whether anybody still waits for it. */
type ModelWork = {
  readonly work: (session: ModelSession) => Promise<void>;
  /** Whether anybody waits for what it is about. */
  readonly waits: () => boolean;
};

/** A larger one takes too long to load for others to wait. */
const SMALL_BYTES = 1024 ** 2;
/** In CPU time of the runner. */
const LOADING_MS = 120_000;
const FIRST_RUN_MS = 10_000;
/** What a runner takes before it has a model. */
const RUNNER_BYTES = 50 * 1024 ** 2;

type Loaded = { readonly session: ModelSession; readonly bytes: number };

/**
 * The versions that calls ask for: loaded at the first call or before, kept as long as the memory for models allows. Trees
 * are walked here, all others are computed by runners.
 */
export class OnlineModels {
  readonly #options: OnlineModelsOptions;
  readonly #runners: Runners;
  readonly #loading = new Map<number, Promise<ModelSession>>();
  /** Of versions that are not walked here. */
  readonly #runnerOf = new Map<number, Runner>();
  /** What detached runners have loaded. */
  readonly #ofDetached = new Map<Runner, Map<number, Loaded>>();
  /** Keeps a model that is walked here from being given up in the middle of its run. */
  readonly #thread = new OneAtATime();

  constructor(options: OnlineModelsOptions) {
    this.#options = options;
    this.#runners = new Runners({
      onLeft: (runner, gone) => this.#forget(runner, gone),
      onBack: (runner) => this.#takeBack(runner),
      onRefused: (versionId) => void options.cache.forget(versionId)?.session.release(),
      warn: options.warn,
    });
  }

  /** Has a runner at hand for the first call. */
  start(): void {
    this.#runners.begin();
  }

  loaded(versionId: number): ModelSession | undefined {
    return this.#options.cache.known(versionId);
  }

  /** Loads a version, once for all who ask meanwhile. */
  load(versionId: number): Promise<ModelSession> {
    return this.#once(versionId, async () => {
      const { connection } = this.#options;
      const refusedMs = this.#runners.refusedMs(versionId);
      if (refusedMs !== undefined) throw refusedForAWhile(versionId, refusedMs);
      await this.#runners.roomFor(versionId);
      return inModelFolder(async (folder) => {
        const path = join(folder, 'model.onnx');
        const version = await connection.insist((client) => saveVersion(client, versionId, path));
        return this.#begin(versionId, version);
      });
    });
  }

  /** Loads what is about to become ready. */
  async prepare(versionId: number, version: LoadedVersion): Promise<void> {
    if (this.loaded(versionId) === undefined) await this.#once(versionId, () => this.#begin(versionId, version));
  }

  /** Loads versions that calls may soon ask for, one after the other, where that gives up no other. */
  async warm(versions: readonly WantedVersion[]): Promise<void> {
    for (const { versionId, bytes } of versions) {
      if (this.loaded(versionId) !== undefined || !this.#options.cache.hasRoomFor(bytes)) continue;
      await this.load(versionId).catch(() => undefined);
    }
  }

  /**
   * Runs `work` in the turn of its version. True: it takes long and goes on by itself. False: it is done, or the version was
   * unloaded meanwhile and nothing was done.
   */
  inTurn(versionId: number, { work, waits }: ModelWork): Promise<boolean> {
    const home = this.#runnerOf.get(versionId);
    return (home?.turn ?? this.#thread).run(async () => {
      const session = this.loaded(versionId);
      if (session === undefined || this.#runnerOf.get(versionId) !== home) return false;
      const ended = work(session);
      if (home !== undefined) return this.#runners.attend(home, { versionId, ended, waits });
      await ended;
      return false;
    });
  }

  #once(versionId: number, begin: () => Promise<ModelSession>): Promise<ModelSession> {
    const under = this.#loading.get(versionId);
    if (under !== undefined) return under;
    const loading = begin().catch((error: unknown) => {
      throw loadFailure(error, versionId);
    });
    this.#loading.set(versionId, loading);
    const forget = (): boolean => this.#loading.delete(versionId);
    loading.then(forget, forget);
    return loading;
  }

  #begin(versionId: number, version: LoadedVersion): Promise<ModelSession> {
    const runners = this.#runners;
    const small = version.size <= SMALL_BYTES && !runners.isSlow(versionId);
    const runner = small ? runners.common : runners.own(versionId, (own) => this.#modelsOf(own));
    return new Promise((resolve, reject) => {
      const begin = async (): Promise<void> => {
        if (!runners.serves(runner) || runner.gone) return resolve(this.#begin(versionId, version));
        const loading = this.#loadIn(runner, versionId, version);
        loading.then(resolve, reject);
        if (small) await runners.attend(runner, { versionId, ended: loading, waits: () => true });
        else await loading;
      };
      runner.turn.run(begin).catch(reject);
    });
  }

  async #loadIn(runner: Runner, versionId: number, version: LoadedVersion): Promise<ModelSession> {
    const { cache } = this.#options;
    try {
      const { walked, bytes } = await this.#limited(runner, versionId, LOADING_MS, () =>
        runner.load(versionId, version),
      );
      const session = new ModelSession(
        walked ? await treesOf(version) : new RemoteGraph(runner, versionId, () => this.#released(runner, versionId)),
        version.signature,
      );
      await this.#runFirst(runner, versionId, session, walked);
      if (walked) this.#runnerOf.delete(versionId);
      else this.#runnerOf.set(versionId, runner);
      await cache.put(versionId, session, walked || this.#runners.isCommon(runner) ? bytes : bytes + RUNNER_BYTES);
      return session;
    } finally {
      this.#endIdle(runner);
    }
  }

  async #runFirst(runner: Runner, versionId: number, session: ModelSession, walked: boolean): Promise<void> {
    if (walked) await warmUp(session);
    else await this.#limited(runner, versionId, FIRST_RUN_MS, () => warmUp(session));
  }

  async #limited<T>(runner: Runner, versionId: number, limitMs: number, work: () => Promise<T>): Promise<T> {
    const reason = `loading it, or its first run, took longer than ${limitMs / 1000} s of CPU time`;
    const lift = limitWork(runner.pid ?? 0, limitMs, () => this.#runners.giveUp(runner, versionId, reason));
    return work().finally(lift);
  }

  #released(runner: Runner, versionId: number): void {
    if (this.#runnerOf.get(versionId) === runner && this.loaded(versionId) === undefined)
      this.#runnerOf.delete(versionId);
    this.#endIdle(runner);
  }

  #endIdle(runner: Runner): void {
    if (this.#isHome(runner) || this.#runners.isCommon(runner) || !this.#runners.serves(runner)) return;
    runner.kill('it had nothing to do');
  }

  #isHome(runner: Runner): boolean {
    return this.#modelsOf(runner) > 0;
  }

  #modelsOf(runner: Runner): number {
    return [...this.#runnerOf.values()].filter((home) => home === runner).length;
  }

  #forget(runner: Runner, gone: boolean): void {
    const away = this.#ofDetached.get(runner) ?? new Map<number, Loaded>();
    this.#ofDetached.delete(runner);
    for (const [versionId, home] of this.#runnerOf) {
      if (home !== runner) continue;
      const loaded = this.#options.cache.forget(versionId);
      this.#runnerOf.delete(versionId);
      if (loaded !== undefined) away.set(versionId, loaded);
    }
    if (!gone) this.#ofDetached.set(runner, away);
  }

  /** Slow versions are used again where they were not loaded elsewhere meanwhile; others that they took along are loaded anew. */
  #takeBack(runner: Runner): boolean {
    const away = this.#ofDetached.get(runner) ?? new Map<number, Loaded>();
    this.#ofDetached.delete(runner);
    for (const [versionId, { session, bytes }] of away) {
      const elsewhere = this.loaded(versionId) !== undefined || this.#loading.has(versionId);
      if (!this.#runners.isSlow(versionId) || elsewhere || this.#runners.refusedMs(versionId) !== undefined) {
        runner.release(versionId);
      } else {
        this.#runnerOf.set(versionId, runner);
        void this.#options.cache.put(versionId, session, bytes);
      }
    }
    return this.#isHome(runner);
  }
}

async function treesOf({ path, signature }: LoadedVersion): Promise<Graph> {
  const trees = TreeGraph.of(readOutline(await readFile(path)), signature);
  if (trees === undefined) throw new GraphLost('the model was said to be of trees, and is not');
  return trees;
}

/**
 * The first run allocates what later ones use. What the model says of such a row is nothing to us.
 * @throws GraphLost
 */
async function warmUp(session: ModelSession): Promise<void> {
  const { features } = session.signature;
  const row = Object.fromEntries(features.map((feature) => [feature.name, sample(feature)]));
  try {
    await session.predictRows([row]);
  } catch (error) {
    if (error instanceof GraphLost) throw error;
  }
}

function sample({ type, width, shape = [width || null] }: Feature): unknown {
  const filling = type === 'string' ? '' : 0;
  if (width !== 1) return Array.from({ length: width === 0 ? stepOf(shape) : width }, () => filling);
  if (type === 'bool') return false;
  return filling;
}
