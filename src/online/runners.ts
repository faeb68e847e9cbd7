import { within } from '../lib/retry.ts';
import { workTimer } from '../lib/work-time.ts';
import { Runner } from './runner.ts';

/** A runner that works so long at a time is detached: others no longer wait for it. */
const DETACH_AFTER_MS = 500;
/** What nobody waits for any more may be slow, up to here; from then on it hangs. */
const HUNG_MS = 5000;
const LOOK_EVERY_MS = 100;
/** One slow run may be the machine's: so long a version is kept from others. */
const SLOW_MS = 600_000;
/** Runners of 90 MB, beside the common one, before the large share them, and before the slow do. */
const MOST_LARGE = 4;
const MOST_SLOW = 2;
const MOST_DETACHED = 4;
const MOST_DETACHED_OF_ONE = 2;

/** What a runner is about, for one version. */
type Attended = {
  readonly versionId: number;
  readonly ended: Promise<unknown>;
  readonly waits: () => boolean;
};

type Detached = Attended & { readonly runner: Runner; readonly worked: () => number };

type RunnersPorts = {
  /** Nothing more is to be asked of it: it is about something that takes long, or gone. */
  readonly onLeft: (runner: Runner, gone: boolean) => void;
  /** It has done what took long for a version. False where that version has been loaded elsewhere. */
  readonly onBack: (runner: Runner, versionId: number) => boolean;
  /** A version is left alone from now on. */
  readonly onRefused: (versionId: number) => void;
  readonly warn: (message: string, error: unknown) => void;
};

/**
 * The runners: one for all small models, and some for the large and the slow, one each as long as there are few.
 *
 * A runner serves: versions are loaded and run in it. After half a second of one run it is detached: it does that run and no other,
 * and its versions are loaded in other runners when they are called. The version that took so long counts as slow for ten minutes.
 * When the run ends, the runner serves again, for slow versions only that were not loaded elsewhere meanwhile; without one it is killed.
 * It is also killed when nobody waits for its run any more and that has taken five seconds. A version that has runners killed twice
 * in ten minutes is refused until they are over.
 */
export class Runners {
  readonly #ports: RunnersPorts;
  readonly #blame = new FailureIsolation();
  readonly #serving = new Set<Runner>();
  readonly #detached = new Set<Detached>();
  /** Slow versions, with the time until which they count as slow. */
  readonly #slow = new Map<number, number>();
  readonly #ofSlow = new WeakSet<Runner>();
  #common: Runner | undefined;

  constructor(ports: RunnersPorts) {
    this.#ports = ports;
  }

  get common(): Runner {
    this.#common ??= this.#start();
    return this.#common;
  }

  begin(): void {
    this.#common ??= this.#start();
  }

  /**
   * One for a large or slow model: a new one, or that with the fewest models, which share it. A slow model shares none with
   * large ones: it would take them along when it is detached.
   */
  own(versionId: number, modelsOf: (runner: Runner) => number): Runner {
    const slow = this.isSlow(versionId);
    const alike = this.#ownOf(slow);
    if (alike.length < (slow ? MOST_SLOW : MOST_LARGE)) {
      const runner = this.#start();
      if (slow) this.#ofSlow.add(runner);
      return runner;
    }
    return alike.reduce((least, runner) => (modelsOf(runner) < modelsOf(least) ? runner : least));
  }

  isCommon(runner: Runner): boolean {
    return runner === this.#common;
  }

  serves(runner: Runner): boolean {
    return this.#serving.has(runner);
  }

  /** Whether a version held up others in the last ten minutes. */
  isSlow(versionId: number): boolean {
    return performance.now() < (this.#slow.get(versionId) ?? 0);
  }

  refusedMs(versionId: number): number | undefined {
    return this.#blame.refusedMs(versionId, performance.now());
  }

  /** Resolves when a version has few enough runners detached to have another. */
  async roomFor(versionId: number): Promise<void> {
    for (;;) {
      const own = [...this.#detached].filter((detached) => detached.versionId === versionId);
      if (own.length < MOST_DETACHED_OF_ONE) return;
      await Promise.race(own.map(({ ended }) => ended)).catch(() => undefined);
    }
  }

  /** Resolves when the work of a runner has ended, or with true when it is detached. */
  async attend(runner: Runner, attended: Attended): Promise<boolean> {
    const worked = workTimer(runner.pid ?? 0);
    let ended = false;
    const end = (): void => {
      ended = true;
    };
    const ending = attended.ended.then(end, end);
    for (let left = DETACH_AFTER_MS; !ended && left > 0; left = DETACH_AFTER_MS - worked()) await within(ending, left);
    if (!ended) this.#detach({ ...attended, runner, worked });
    return !ended;
  }

  /** Ends a runner that hangs in a version, and remembers that of the version. */
  giveUp(runner: Runner, versionId: number, reason: string): void {
    this.#accuse(versionId, `version ${versionId} hung, and the process that ran it is killed`, reason);
    this.#kill(runner, reason);
  }

  #ownOf(slow: boolean): Runner[] {
    return [...this.#serving].filter((runner) => runner !== this.#common && this.#ofSlow.has(runner) === slow);
  }

  #start(): Runner {
    const runner = new Runner();
    this.#serving.add(runner);
    void runner.ended.then((running) => {
      for (const versionId of running)
        this.#accuse(versionId, `version ${versionId} was run when its process crashed`, runner.end ?? '');
      this.#leave(runner, true);
    });
    return runner;
  }

  #accuse(versionId: number, message: string, reason: string): void {
    this.#blame.add(versionId, performance.now());
    const minutes = Math.ceil((this.refusedMs(versionId) ?? 0) / 60_000);
    const refused = minutes === 0 ? '' : `; as the second time, it is refused for ${minutes} minutes`;
    this.#ports.warn(`${message}${refused}`, reason);
    if (minutes > 0) this.#ports.onRefused(versionId);
  }

  #leave(runner: Runner, gone: boolean): void {
    this.#serving.delete(runner);
    if (this.#common === runner) this.#common = undefined;
    this.#ports.onLeft(runner, gone);
  }

  /** Left before it is killed: a call that comes until it has ended must not meet it. */
  #kill(runner: Runner, reason: string): void {
    this.#leave(runner, true);
    runner.kill(reason);
  }

  #detach(detached: Detached): void {
    this.#leave(detached.runner, false);
    this.#slow.set(detached.versionId, performance.now() + SLOW_MS);
    this.#detached.add(detached);
    const [oldest] = this.#detached;
    if (this.#detached.size > MOST_DETACHED && oldest !== undefined) this.#end(oldest);
    const look = setInterval(() => {
      if (detached.waits()) return;
      detached.runner.yieldToOthers();
      if (detached.worked() >= HUNG_MS) this.#end(detached);
    }, LOOK_EVERY_MS);
    const back = (): void => {
      clearInterval(look);
      this.#detached.delete(detached);
      this.#return(detached);
    };
    detached.ended.then(back, back);
  }

  #end({ runner, versionId, worked }: Detached): void {
    if (runner.gone) return;
    const ms = worked();
    const reason = `it had computed for ${Math.round(ms / 1000)} s`;
    if (ms >= HUNG_MS) this.giveUp(runner, versionId, reason);
    else this.#kill(runner, reason);
  }

  #return({ runner, versionId }: Detached): void {
    if (runner.gone) return;
    const hasRoom = this.#ownOf(true).length < MOST_SLOW;
    if (hasRoom && !runner.yields && this.#ports.onBack(runner, versionId)) {
      this.#ofSlow.add(runner);
      this.#serving.add(runner);
    } else {
      this.#kill(runner, 'it had nothing to do');
    }
  }
}

const MEMORY_MS = 600_000;
/** One may be an accident. */
const TOO_MANY = 2;

/** Versions in whose runs runners hung or crashed: one that did so twice within ten minutes is left alone until that is past. */
export class FailureIsolation {
  readonly #faults = new Map<number, number[]>();

  add(versionId: number, now: number): void {
    this.#faults.set(versionId, [...this.#recent(versionId, now), now]);
  }

  /** For how long a version is left alone; undefined where it is not. */
  refusedMs(versionId: number, now: number): number | undefined {
    const deciding = this.#recent(versionId, now).at(-TOO_MANY);
    return deciding === undefined ? undefined : deciding + MEMORY_MS - now;
  }

  #recent(versionId: number, now: number): number[] {
    return (this.#faults.get(versionId) ?? []).filter((at) => now - at < MEMORY_MS);
  }
}
