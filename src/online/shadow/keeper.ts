import { tmpdir } from 'node:os';
import type { ServiceConfig } from '../../config.ts';
import { ChildProgram, RestartDelay, type Warning } from '../../lib/child-process.ts';
import { removeModelFolders } from '../../onnx/model-folder.ts';
import { Wakeable } from '../../lib/wakeable.ts';
import { CLOCK_FACTOR, workTimer } from '../../lib/work-time.ts';
import type { Logger } from '../../log.ts';
import type { DatabaseConnection } from '../../postgres/connection.ts';
import { failShadow, releaseShadow, shadowsDue, skipPastBacklog } from './queue.ts';

/** Between two looks where there is no shadow. The start of an experiment wakes it at once. */
const REST_MS = 30_000;
const V8_FLAGS = ['--max-semi-space-size=16', '--single-threaded-gc'];

/**
 * Has calls scored by the shadows of their champions, in one process beside all others: started when calls wait, killed when an
 * arm hangs in it.
 */
export class ShadowKeeper {
  readonly #settings: ShadowSettings;
  readonly #connection: DatabaseConnection;
  readonly #log: Logger;
  readonly #loop: Wakeable;
  readonly #delay = new RestartDelay();
  #process: ShadowProcess | undefined;
  #hasShadows = false;
  #notBefore = 0;

  constructor(config: ServiceConfig, connection: DatabaseConnection, isRunning: () => boolean, log: Logger) {
    const { connecting, databaseUrl, batchTimeoutMs, modelMemoryBytes, pollMs } = config;
    this.#settings = { connecting, databaseUrl, batchTimeoutMs, modelMemoryBytes };
    this.#connection = connection;
    this.#log = log;
    const look = async (): Promise<void> => {
      if (isRunning()) await this.#look();
    };
    this.#loop = new Wakeable('shadows of calls', () => (this.#hasShadows ? pollMs : REST_MS), look, log);
  }

  start(): void {
    this.#loop.start();
  }

  wake(): void {
    this.#loop.wake();
  }

  /** Another service may score at once what is left. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    const child = this.#process;
    if (child === undefined) return;
    const { arm } = child;
    await child.end();
    if (arm === undefined) return;
    const { experimentId, versionId } = arm;
    await this.#connection.use((client) => releaseShadow(client, experimentId, versionId)).catch(() => undefined);
  }

  async #look(): Promise<void> {
    const [found] = await this.#connection.use(async (client) => {
      await skipPastBacklog(client);
      return shadowsDue(client);
    });
    this.#hasShadows = found?.hasShadows === true;
    if (!this.#hasShadows) await this.#process?.end();
    if (found?.isDue !== true || performance.now() < this.#notBefore) return;
    this.#process ??= this.#begin();
    this.#process.look();
  }

  #begin(): ShadowProcess {
    this.#delay.started();
    const child = new ShadowProcess(this.#settings, this.#log);
    void child.exited.then(async ({ reason, arm, hungMs }) => {
      this.#process = undefined;
      this.#notBefore = performance.now() + this.#delay.ended();
      if (reason === undefined) return;
      this.#log.warn({ ...arm, reason }, 'the process that scores calls by shadows ended');
      if (arm === undefined) return;
      const { experimentId, versionId } = arm;
      await this.#connection
        .insist((client) => failShadow(client, experimentId, versionId, reason, hungMs))
        .catch((error: unknown) => this.#log.warn({ err: error }, 'the failure of a shadow could not be noted'));
    });
    return child;
  }
}

/** How it ended, where it was not meant to, the arm that it was about then, and how long that had worked where it hung. */
type End = { readonly reason: string | undefined; readonly arm: ShadowArm | undefined; readonly hungMs: number };

class ShadowProcess {
  readonly exited: Promise<End>;
  readonly #child: ChildProgram<ToShadow, FromShadow>;
  readonly #log: Logger;
  readonly #watch: NodeJS.Timeout;
  #arm: ShadowArm | undefined;
  /** How long it has worked since it was last heard of, as workTimer() counts. */
  #workedMs = (): number => 0;
  /** What that was when it was taken to hang. */
  #hungMs = 0;
  #isEnding = false;

  constructor(settings: ShadowSettings, log: Logger) {
    this.#log = log;
    this.#child = new ChildProgram('online/shadow/main', {
      env: { ...settings.connecting, TMPDIR: tmpdir() },
      arguments: [String(process.pid)],
      v8Flags: V8_FLAGS,
      ownSession: true,
      onMessage: (message) => this.#receive(message),
    });
    this.#child.yieldToOthers();
    const { batchTimeoutMs } = settings;
    this.exited = this.#child.exited.then((how) => this.#ended(how, batchTimeoutMs));
    this.#watch = setInterval(() => this.#check(batchTimeoutMs), Math.min(1000, batchTimeoutMs / 4));
    this.#watch.unref();
    this.#child.send({ type: 'start', settings });
  }

  /** The one that it scores by. */
  get arm(): ShadowArm | undefined {
    return this.#arm;
  }

  look(): void {
    this.#child.send({ type: 'look' });
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    this.#child.kill();
    await this.exited;
  }

  #receive(message: FromShadow): void {
    this.#workedMs = workTimer(this.#child.pid ?? 0);
    if (message.type === 'scoring') this.#arm = message.arm;
    else if (message.type === 'scored') this.#arm = undefined;
    else if (message.type === 'warning') this.#log.warn({ reason: message.reason }, message.message);
  }

  #check(batchTimeoutMs: number): void {
    if (this.#arm === undefined) return;
    const workedMs = this.#workedMs();
    if (workedMs < batchTimeoutMs) return;
    this.#hungMs = workedMs;
    this.#child.kill();
  }

  #ended(how: string, batchTimeoutMs: number): End {
    clearInterval(this.#watch);
    if (this.#child.pid !== undefined) void removeModelFolders(this.#child.pid);
    const seconds = batchTimeoutMs / 1000;
    const hung = `it did not score some rows within ${seconds} s of processor time or ${CLOCK_FACTOR * seconds} s by the clock, and its process was killed`;
    const reason = this.#hungMs > 0 ? hung : `the process that scored by it crashed (${how})`;
    return { reason: this.#isEnding ? undefined : reason, arm: this.#arm, hungMs: this.#hungMs };
  }
}

/** What the process of shadows is started with: it reads no flags, and of the environment only what says how to connect. */
export type ShadowSettings = Pick<ServiceConfig, 'connecting' | 'databaseUrl' | 'batchTimeoutMs' | 'modelMemoryBytes'>;

/** An arm in the shadow of a champion. */
type ShadowArm = { readonly experimentId: number; readonly versionId: number };

export type ToShadow =
  | { readonly type: 'start'; readonly settings: ShadowSettings }
  /** Calls wait to be scored. */
  | { readonly type: 'look' };

export type FromShadow =
  /** The model of an arm is loaded and scores calls: it may hang, or end the process. */
  | { readonly type: 'scoring'; readonly arm: ShadowArm }
  /** Some rows are scored, or a part of the model is read. */
  | { readonly type: 'progress' }
  /** Nothing that happens from now on is the arm's fault. */
  | { readonly type: 'scored' }
  | Warning;
