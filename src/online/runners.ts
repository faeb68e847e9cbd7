import type { CachedModel, ModelCache } from '../inference/cache.ts';
import { GraphLost } from '../inference/graph.ts';
import { ModelSession } from '../inference/session.ts';
import { within } from '../lib/retry.ts';
import { limitWork, workTimer } from '../lib/work-time.ts';
import type { LoadedVersion } from '../models/load-version.ts';
import { firstRun, RemoteGraph, Runner, type RunnerKind } from './runner.ts';
import { VersionFaults } from './version-faults.ts';

/** All times of runs are CPU times of the runner, see lib/work-time.ts. */
const DETACH_AFTER_MS = 500;
/** A run that nobody waits for hangs from here on. */
const HUNG_MS = 5000;
const LOOK_EVERY_MS = 100;
const LOADING_MS = 120_000;
const FIRST_RUN_MS = 10_000;
/** One slow run may be the machine's, so a version counts as slow for so long only. */
const SLOW_MS = 600_000;

/** A larger model takes too long to load for others to wait. */
const SMALL_BYTES = 1024 ** 2;
/** What a runner takes before it has a model. */
const RUNNER_BYTES = 50 * 1024 ** 2;
/** With a model, a runner takes 90 MB or more. */
const MOST_SERVING: Readonly<Record<RunnerKind, number>> = { small: 1, large: 4, slow: 2 };
const MOST_DETACHED = 4;
const MOST_DETACHED_OF_ONE = 2;

/** What is to be done in a runner for one version. */
export type RunnerWork<T> = {
  readonly versionId: number;
  readonly begin: () => Promise<T>;
  /** Whether anybody waits for it. */
  readonly waits: () => boolean;
  /** False: the runner is never detached for it. */
  readonly mayDetach: boolean;
};

/** A turn that is over: its work has ended, or goes on in a runner that was detached. */
export type Turn<T> = { readonly result: Promise<T>; readonly goesOn: boolean };

type Detached = {
  readonly runner: Runner;
  readonly versionId: number;
  readonly ended: Promise<unknown>;
  readonly waits: () => boolean;
  readonly workedMs: () => number;
  /** The model that it computes with; undefined where it still loads it. */
  readonly model: CachedModel | undefined;
};

/** A version as a runner has loaded it; of trees that the gateway can walk itself, only how much memory they took. */
export type RunnerModel = { readonly session: ModelSession | undefined; readonly bytes: number };

/**
 * The runners, and which versions each has loaded. A runner is in one of three states:
 *
 * - It serves: it loads versions and runs them, one thing at a time. One serves all small models; large and slow ones have a runner
 *   each, while there are few.
 * - It is detached, when one run has taken half a second: it goes on with that run, and its versions are loaded in other runners when
 *   they are called. The version of that run counts as slow for ten minutes. When the run ends, the runner serves that version again;
 *   it is killed if the version was loaded elsewhere meanwhile. It is also killed if nobody waits for its run and that has taken five
 *   seconds: then it hangs.
 * - It is gone: it was killed, crashed, or had nothing to do.
 *
 * A version that hung or crashed its runner twice in ten minutes is refused for a while.
 */
export class Runners {
  readonly #cache: ModelCache;
  readonly #warn: (message: string, error: unknown) => void;
  readonly #serving = new Set<Runner>();
  readonly #detached = new Set<Detached>();
  /** The runner in which a version is loaded, or being loaded. */
  readonly #home = new Map<number, Runner>();
  /** Until when a version counts as slow. */
  readonly #slow = new Map<number, number>();
  readonly #faults = new VersionFaults();

  constructor(cache: ModelCache, warn: (message: string, error: unknown) => void) {
    this.#cache = cache;
    this.#warn = warn;
  }

  /** Has a runner at hand for the first call. */
  start(): void {
    this.#start('small');
  }

  /** The runner that has a version. */
  of(versionId: number): Runner | undefined {
    return this.#home.get(versionId);
  }

  /**
   * Resolves when a version may be loaded in one more runner.
   * @throws WireError where it is refused for a while
   */
  async admit(versionId: number): Promise<void> {
    for (;;) {
      this.#faults.check(versionId, performance.now());
      const own = [...this.#detached].filter((detached) => detached.versionId === versionId);
      if (own.length < MOST_DETACHED_OF_ONE) return;
      await Promise.race(own.map(({ ended }) => ended)).catch(() => undefined);
    }
  }

  /** Loads a version in a runner and runs it once; then it is in the cache, unless the gateway can walk it. */
  async load(versionId: number, version: LoadedVersion): Promise<RunnerModel> {
    for (;;) {
      const runner = this.#choose(versionId, version.size);
      this.#home.set(versionId, runner);
      const turn = await this.inTurn(runner, {
        versionId,
        begin: () => this.#loadIn(runner, versionId, version),
        waits: () => true,
        // Any large model takes long to load.
        mayDetach: runner.kind === 'small',
      });
      if (turn !== undefined) return turn.result;
    }
  }

  /** Does work when it is its turn in a runner; undefined where the runner serves no more, and nothing was done. */
  inTurn<T>(runner: Runner, work: RunnerWork<T>): Promise<Turn<T> | undefined> {
    return runner.turn.run(async () => {
      if (!this.#serving.has(runner)) return undefined;
      const result = work.begin();
      return { result, goesOn: await this.#detachIfLong(runner, work, result) };
    });
  }

  /** A new runner while there are few of its kind, else the one that has the fewest versions. */
  #choose(versionId: number, bytes: number): Runner {
    const isSlow = performance.now() < (this.#slow.get(versionId) ?? 0);
    const kind = isSlow ? 'slow' : bytes <= SMALL_BYTES ? 'small' : 'large';
    const alike = this.#servingOf(kind);
    if (alike.length < MOST_SERVING[kind]) return this.#start(kind);
    return alike.reduce((least, runner) => (this.#countOf(runner) < this.#countOf(least) ? runner : least));
  }

  #servingOf(kind: RunnerKind): Runner[] {
    return [...this.#serving].filter((runner) => runner.kind === kind);
  }

  #countOf(runner: Runner): number {
    return [...this.#home.values()].filter((home) => home === runner).length;
  }

  #start(kind: RunnerKind): Runner {
    const runner = new Runner(kind);
    this.#serving.add(runner);
    void runner.ended.then((crashedIn) => {
      for (const versionId of crashedIn)
        this.#noteFault(versionId, `version ${versionId} was run when its process crashed`, runner.end ?? '');
      this.#withdraw(runner);
    });
    return runner;
  }

  async #loadIn(runner: Runner, versionId: number, version: LoadedVersion): Promise<RunnerModel> {
    try {
      const load = (): ReturnType<Runner['load']> => runner.load(versionId, version);
      const { walked, bytes } = await this.#limited(runner, versionId, LOADING_MS, load);
      if (walked) return { session: undefined, bytes };
      const session = this.#sessionIn(runner, versionId, version);
      await this.#limited(runner, versionId, FIRST_RUN_MS, () => firstRun(session));
      if (runner.gone) throw new GraphLost('the process that loaded the model ended');
      await this.#cache.put(versionId, session, runner.kind === 'small' ? bytes : bytes + RUNNER_BYTES);
      this.#home.set(versionId, runner);
      return { session, bytes };
    } finally {
      if (this.#cache.known(versionId) === undefined) this.#unload(runner, versionId);
    }
  }

  #sessionIn(runner: Runner, versionId: number, { signature }: LoadedVersion): ModelSession {
    return new ModelSession(new RemoteGraph(runner, versionId, () => this.#unload(runner, versionId)), signature);
  }

  async #limited<T>(runner: Runner, versionId: number, limitMs: number, work: () => Promise<T>): Promise<T> {
    const reason = `loading it, or its first run, took longer than ${limitMs / 1000} s of CPU time`;
    const lift = limitWork(runner.pid ?? 0, limitMs, () => this.#killHung(runner, versionId, reason));
    return work().finally(lift);
  }

  /** Has a runner give up a version, and ends one that has no other. */
  #unload(runner: Runner, versionId: number): void {
    if (this.#home.get(versionId) === runner) this.#home.delete(versionId);
    void runner.turn.run(async () => {
      await Promise.resolve(runner.release(versionId));
      const isIdle = runner.kind !== 'small' && this.#serving.has(runner) && this.#countOf(runner) === 0;
      if (isIdle) this.#kill(runner, 'it had nothing to do');
    });
  }

  /** Resolves when work has ended, or with true when its runner is detached. */
  async #detachIfLong<T>(runner: Runner, work: RunnerWork<T>, result: Promise<T>): Promise<boolean> {
    const workedMs = workTimer(runner.pid ?? 0);
    let hasEnded = false;
    const end = (): void => {
      hasEnded = true;
    };
    const ended = result.then(end, end);
    if (!work.mayDetach) await ended;
    let left = DETACH_AFTER_MS;
    while (!hasEnded && left > 0) {
      await within(ended, left);
      left = DETACH_AFTER_MS - workedMs();
    }
    if (!hasEnded) this.#detach(runner, work, ended, workedMs);
    return !hasEnded;
  }

  #detach(
    runner: Runner,
    { versionId, waits }: RunnerWork<unknown>,
    ended: Promise<void>,
    workedMs: () => number,
  ): void {
    const models = this.#withdraw(runner);
    for (const other of models.keys()) if (other !== versionId) runner.release(other);
    this.#slow.set(versionId, performance.now() + SLOW_MS);
    const detached = { runner, versionId, ended, waits, workedMs, model: models.get(versionId) };
    this.#detached.add(detached);
    const [oldest] = this.#detached;
    if (this.#detached.size > MOST_DETACHED && oldest !== undefined) this.#killDetached(oldest);
    const look = setInterval(() => {
      if (!waits() && workedMs() >= HUNG_MS) this.#killDetached(detached);
    }, LOOK_EVERY_MS);
    void ended.then(() => {
      clearInterval(look);
      this.#detached.delete(detached);
      this.#takeBack(detached);
    });
  }

  /** Lets a runner serve again the version whose run has ended, if that has no other runner meanwhile. */
  #takeBack({ runner, versionId, model }: Detached): void {
    if (runner.gone) return;
    const isRefused = this.#faults.refusedMs(versionId, performance.now()) !== undefined;
    if (model !== undefined && !this.#home.has(versionId) && !isRefused) {
      this.#home.set(versionId, runner);
      void this.#cache.put(versionId, model.session, model.bytes);
    }
    if (this.#countOf(runner) > 0 && this.#servingOf('slow').length < MOST_SERVING.slow) {
      runner.kind = 'slow';
      this.#serving.add(runner);
    } else {
      this.#kill(runner, 'it had nothing to do');
    }
  }

  #killDetached({ runner, versionId, workedMs }: Detached): void {
    if (runner.gone) return;
    const ms = workedMs();
    const reason = `it had computed for ${Math.round(ms / 1000)} s`;
    if (ms >= HUNG_MS) this.#killHung(runner, versionId, reason);
    else this.#kill(runner, reason);
  }

  #killHung(runner: Runner, versionId: number, reason: string): void {
    this.#noteFault(versionId, `version ${versionId} hung, and the process that ran it is killed`, reason);
    this.#kill(runner, reason);
  }

  #kill(runner: Runner, reason: string): void {
    // Before it has ended: no call is to meet it.
    this.#withdraw(runner);
    runner.kill(reason);
  }

  /** From now on nothing more is asked of a runner. Returns the versions that it had loaded. */
  #withdraw(runner: Runner): Map<number, CachedModel> {
    this.#serving.delete(runner);
    const models = new Map<number, CachedModel>();
    for (const [versionId, home] of this.#home) {
      if (home !== runner) continue;
      this.#home.delete(versionId);
      const model = this.#cache.forget(versionId);
      if (model !== undefined) models.set(versionId, model);
    }
    return models;
  }

  #noteFault(versionId: number, message: string, reason: string): void {
    const now = performance.now();
    this.#faults.add(versionId, now);
    const minutes = Math.ceil((this.#faults.refusedMs(versionId, now) ?? 0) / 60_000);
    const refused = minutes === 0 ? '' : `; as the second time, it is refused for ${minutes} minutes`;
    this.#warn(`${message}${refused}`, reason);
    if (minutes > 0) void this.#cache.forget(versionId)?.session.release();
  }
}
