import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseConnection } from '../postgres/connection.ts';
import { GraphLost, type Graph } from '../inference/graph.ts';
import type { ModelCache } from '../inference/cache.ts';
import { readOutline } from '../onnx/outline.ts';
import { ModelSession } from '../inference/session.ts';
import { TreeGraph } from '../inference/trees/tree-graph.ts';
import { saveVersion, type LoadedVersion } from '../models/load-version.ts';
import { inModelFolder } from '../onnx/model-folder.ts';
import type { WantedVersion } from './gateway-process.ts';
import { firstRun } from './runner.ts';
import { Runners } from './runners.ts';
import { loadFailure } from './version-faults.ts';

type OnlineModelsOptions = {
  readonly connection: DatabaseConnection;
  readonly cache: ModelCache;
  readonly warn: (message: string, error: unknown) => void;
};

/** A run of a loaded model. */
type ModelRun = {
  readonly run: (session: ModelSession) => Promise<void>;
  /** Whether anybody waits for it. */
  readonly waits: () => boolean;
};

/**
 * The versions that calls ask for: loaded at the first call or before, kept as long as the memory for models allows. Trees
 * are walked here, all others are computed by runners.
 */
export class OnlineModels {
  readonly #connection: DatabaseConnection;
  readonly #cache: ModelCache;
  readonly #runners: Runners;
  readonly #loading = new Map<number, Promise<ModelSession>>();

  constructor({ connection, cache, warn }: OnlineModelsOptions) {
    this.#connection = connection;
    this.#cache = cache;
    this.#runners = new Runners(cache, warn);
  }

  /** Has a runner at hand for the first call. */
  start(): void {
    this.#runners.start();
  }

  loaded(versionId: number): ModelSession | undefined {
    return this.#cache.known(versionId);
  }

  /** Loads a version from the database, once for all who ask meanwhile. */
  load(versionId: number): Promise<ModelSession> {
    return this.#once(versionId, async () => {
      await this.#runners.admit(versionId);
      // A runner may have taken it back.
      const loaded = this.loaded(versionId);
      if (loaded !== undefined) return loaded;
      return inModelFolder(async (folder) => {
        const path = join(folder, 'model.onnx');
        const version = await this.#connection.insist((client) => saveVersion(client, versionId, path));
        return this.#loadFile(versionId, version);
      });
    });
  }

  /** Loads what is about to become ready. */
  async prepare(versionId: number, version: LoadedVersion): Promise<void> {
    if (this.loaded(versionId) === undefined) await this.#once(versionId, () => this.#loadFile(versionId, version));
  }

  /** Loads versions that calls may soon ask for, one after the other, where that gives up no other. */
  async warm(versions: readonly WantedVersion[]): Promise<void> {
    for (const { versionId, bytes } of versions) {
      if (this.loaded(versionId) !== undefined || !this.#cache.hasRoomFor(bytes)) continue;
      await this.load(versionId).catch(() => undefined);
    }
  }

  /**
   * Runs a version when it is its turn in its runner. Resolves with true if the run takes long and goes on by itself; with false
   * when it has ended, or if the version was unloaded meanwhile and nothing was done.
   */
  async inTurn(versionId: number, { run, waits }: ModelRun): Promise<boolean> {
    const runner = this.#runners.of(versionId);
    const begin = async (): Promise<void> => {
      const session = this.loaded(versionId);
      if (session !== undefined && this.#runners.of(versionId) === runner) await run(session);
    };
    if (runner !== undefined) {
      const turn = await this.#runners.inTurn(runner, { versionId, begin, waits, mayDetach: true });
      return turn?.goesOn === true;
    }
    await begin();
    return false;
  }

  #once(versionId: number, load: () => Promise<ModelSession>): Promise<ModelSession> {
    const under = this.#loading.get(versionId);
    if (under !== undefined) return under;
    const loading = load()
      .catch((error: unknown) => {
        throw loadFailure(error, versionId);
      })
      .finally(() => this.#loading.delete(versionId));
    this.#loading.set(versionId, loading);
    return loading;
  }

  /** A runner loads it first, also if it is of trees: one that crashes or hangs must not do so here. */
  async #loadFile(versionId: number, version: LoadedVersion): Promise<ModelSession> {
    const { session, bytes } = await this.#runners.load(versionId, version);
    if (session !== undefined) return session;
    const walked = new ModelSession(await treesOf(version), version.signature);
    await firstRun(walked);
    await this.#cache.put(versionId, walked, bytes);
    return walked;
  }
}

async function treesOf({ path, signature }: LoadedVersion): Promise<Graph> {
  const trees = TreeGraph.of(readOutline(await readFile(path)), signature);
  if (trees === undefined) throw new GraphLost('the model was said to be of trees, and is not');
  return trees;
}
