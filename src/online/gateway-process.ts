import { tmpdir } from 'node:os';
import { type ErrorParts, PgscoreError } from '../errors.ts';
import type { LoadedVersion } from '../models/load-version.ts';
import { type GatewayAddress, type LocalSocket, removeSocketFolder } from './gateway-address.ts';
import type { GatewayStatistics } from './statistics.ts';
import { ChildProgram, type Warning } from '../lib/child-process.ts';
import { within } from '../lib/retry.ts';
import { workTimer } from '../lib/work-time.ts';
import type { Logger } from '../log.ts';
import { removeModelFolders } from '../onnx/model-folder.ts';

/** What a gateway is started with: it reads no flags, and of the environment only what says how to connect. */
export type GatewaySettings = {
  readonly connecting: Readonly<Record<string, string>>;
  readonly databaseUrl: string | undefined;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly user: string;
  readonly password: string;
  /** How often it is hashed at a login. */
  readonly iterations: number;
  readonly modelMemoryBytes: number;
  readonly mostConnections: number;
  readonly authenticationMs: number;
  readonly deadlineMs: number;
  readonly mostDeadlineMs: number;
};

/** A version that calls may soon ask for, and the size of its file. */
export type WantedVersion = { readonly versionId: number; readonly bytes: number };

export type ToGateway =
  | { readonly type: 'start'; readonly settings: GatewaySettings }
  /** Load these where there is room, in this order. */
  | { readonly type: 'warm'; readonly versions: readonly WantedVersion[] }
  /** Load this one, which is about to become ready. */
  | { readonly type: 'prepare'; readonly versionId: number; readonly version: LoadedVersion }
  /** Take no more calls, answer those in hand, and end. */
  | { readonly type: 'drain' };

export type FromGateway =
  | ({ readonly type: 'listening' } & GatewayAddress)
  | ({ readonly type: 'refused' } & ErrorParts)
  /** Sent again and again: a gateway that is silent hangs in a model. */
  | { readonly type: 'alive'; readonly statistics: GatewayStatistics }
  /** It is loaded, or can not be. */
  | { readonly type: 'prepared'; readonly versionId: number }
  | Warning;

/**
 * Rows live until they are logged, half a second later: in a small nursery many would be taken for long-lived.
 * Threads of the collector take turns with the server's processes: with one, a call takes a quarter less of the gateway's time.
 */
const V8_FLAGS = ['--max-semi-space-size=32', '--single-threaded-gc'];

/** One gateway child. One that is silent for too long hangs in a model, which nothing but SIGKILL ends. */
export class GatewayProcess {
  /** Resolves with the address that it listens on; raises where it can not. */
  readonly listening: Promise<GatewayAddress>;
  /** Resolves with how it ended: the signal, the exit code, or why it did not start. */
  readonly exited: Promise<string>;
  readonly #child: ChildProgram<ToGateway, FromGateway>;
  readonly #silenceMs: number;
  readonly #log: Logger;
  readonly #watch: NodeJS.Timeout;
  readonly #worked: () => number;
  #heard = performance.now();
  #started = false;
  #local: LocalSocket | undefined;
  #statistics: GatewayStatistics | undefined;
  readonly #preparing = new Map<number, () => void>();
  #resolve: (address: GatewayAddress) => void = () => undefined;
  #reject: (error: PgscoreError) => void = () => undefined;

  constructor(settings: GatewaySettings, silenceMs: number, log: Logger) {
    this.#silenceMs = silenceMs;
    this.#log = log;
    this.listening = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.listening.catch(() => undefined);
    this.#child = new ChildProgram('online/main', {
      env: { ...settings.connecting, TMPDIR: tmpdir() },
      arguments: [String(process.pid)],
      v8Flags: V8_FLAGS,
      binary: true,
      onMessage: (message) => this.#receive(message),
    });
    this.exited = this.#child.exited.then((how) => {
      clearInterval(this.#watch);
      if (this.#local !== undefined) removeSocketFolder(this.#local);
      if (this.pid !== undefined) void removeModelFolders(this.pid);
      this.#reject(new PgscoreError('gateway_unavailable', `the gateway process ended (${how})`));
      return how;
    });
    this.#worked = workTimer(this.#child.pid ?? 0);
    this.#watch = setInterval(() => this.#checkSilence(), Math.min(1000, silenceMs / 4));
    this.#watch.unref();
    this.#child.send({ type: 'start', settings });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** As it last sent them; undefined until it does. */
  get statistics(): GatewayStatistics | undefined {
    return this.#statistics;
  }

  /** Has it load versions that calls may soon ask for. */
  warm(versions: readonly WantedVersion[]): void {
    this.#child.send({ type: 'warm', versions });
  }

  /** Resolves when it has loaded a version, or can't; after `limitMs` at the latest. */
  async prepare(versionId: number, version: LoadedVersion, limitMs: number): Promise<void> {
    const prepared = new Promise<void>((resolve) => this.#preparing.set(versionId, resolve));
    this.#child.send({ type: 'prepare', versionId, version });
    await within(Promise.race([prepared, this.exited]), limitMs);
    this.#preparing.delete(versionId);
  }

  /** Lets it answer the calls in hand, for so long, and ends it. */
  async stop(graceMs: number): Promise<void> {
    this.#child.send({ type: 'drain' });
    await within(this.exited, graceMs);
    this.#child.kill();
    await this.exited;
  }

  #receive(message: FromGateway): void {
    this.#heard = performance.now();
    this.#started = true;
    switch (message.type) {
      case 'listening':
        this.#local = message.local;
        return this.#resolve(message);
      case 'refused':
        return this.#reject(new PgscoreError(message.code, message.message, { remedy: message.remedy }));
      case 'prepared':
        return this.#preparing.get(message.versionId)?.();
      case 'warning':
        return this.#log.warn({ reason: message.reason }, message.message);
      case 'alive':
        this.#statistics = message.statistics;
    }
  }

  #checkSilence(): void {
    const silentMs = this.#started ? performance.now() - this.#heard : this.#worked();
    if (silentMs < silenceLimitMs(this.#silenceMs, this.#started)) return;
    this.#log.error({ pid: this.pid }, `the gateway was silent for ${Math.round(silentMs / 1000)} s and is killed`);
    this.#child.kill();
  }
}

/** A process that still reads its programs has said nothing yet. */
const STARTING_MS = 30_000;

/** How long a gateway may be silent before it is taken for hanging: by the clock, and at its start as it works. */
export function silenceLimitMs(silenceMs: number, started: boolean): number {
  return started ? silenceMs : Math.max(STARTING_MS, silenceMs);
}
