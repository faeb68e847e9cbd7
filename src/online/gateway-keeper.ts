import { randomBytes } from 'node:crypto';
import type { ServiceConfig } from '../config.ts';
import type { DatabaseConnection } from '../postgres/connection.ts';
import type { GatewayAddress, GatewayLogin } from './gateway-address.ts';
import { type GatewaySettings, GatewayProcess } from './gateway-process.ts';
import type { GatewayStatistics } from './statistics.ts';
import { RestartDelay } from '../lib/child-process.ts';
import { pause } from '../lib/retry.ts';
import type { Logger } from '../log.ts';
import { type LoadedVersion, wantedVersions } from '../models/load-version.ts';
import { Wakeable } from '../lib/wakeable.ts';
import { ITERATIONS_OF_KEY, ITERATIONS_OF_PASSWORD } from './protocol/scram.ts';

const PREPARING_MS = 10_000;
/** So many more bytes of a model have a millisecond more. */
const PREPARED_BYTES_A_MS = 50_000;
/** A promotion wakes it at once. */
const WARM_MS = 60_000;

/** Keeps one gateway: replaces it when it dies or hangs, on the same port, and tells each time where it listens. */
export class GatewayKeeper {
  readonly #settings: GatewaySettings;
  readonly #silenceMs: number;
  readonly #onListening: (login: GatewayLogin) => void;
  readonly #log: Logger;
  #gateway: GatewayProcess | undefined;
  #address: GatewayAddress | undefined;
  #lastPort = 0;
  readonly #warming: Wakeable;
  #stopped = false;
  #wake: () => void = () => undefined;

  constructor(
    config: ServiceConfig,
    connection: DatabaseConnection,
    onListening: (login: GatewayLogin) => void,
    log: Logger,
  ) {
    this.#settings = gatewaySettings(config);
    this.#silenceMs = config.gateway.silenceMs;
    this.#onListening = onListening;
    this.#log = log;
    const warm = async (): Promise<void> => {
      if (this.#address !== undefined) this.#gateway?.warm(await connection.use((client) => wantedVersions(client)));
    };
    this.#warming = new Wakeable('loading models', WARM_MS, warm, log);
  }

  /** The one that listens; undefined while none does. */
  get current(): (GatewayLogin & { readonly pid: number }) | undefined {
    const pid = this.#gateway?.pid;
    const { user, password } = this.#settings;
    return this.#address === undefined || pid === undefined ? undefined : { ...this.#address, user, password, pid };
  }

  get statistics(): GatewayStatistics | undefined {
    return this.#gateway?.statistics;
  }

  /**
   * Resolves when the first gateway listens. A port that is taken is an error at the start.
   * @throws PgscoreError gateway_unavailable, file_unreadable
   */
  async start(): Promise<void> {
    const first = this.#begin();
    await first.listening;
    void this.#replace(first);
  }

  /** Has the versions loaded that calls may soon ask for. */
  warm(): void {
    this.#warming.wake();
  }

  /** Resolves when a version is loaded that is about to become ready, or soon anyway: its first call loads it then. */
  async prepare(versionId: number, version: LoadedVersion): Promise<void> {
    const limitMs = PREPARING_MS + version.size / PREPARED_BYTES_A_MS;
    if (this.#address !== undefined) await this.#gateway?.prepare(versionId, version, limitMs);
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#warming.stop();
    await this.#gateway?.stop(graceMs);
    this.#address = undefined;
  }

  #begin(): GatewayProcess {
    const port = this.#lastPort === 0 ? this.#settings.port : this.#lastPort;
    const gateway = new GatewayProcess({ ...this.#settings, port }, this.#silenceMs, this.#log);
    this.#gateway = gateway;
    const { user, password } = this.#settings;
    gateway.listening.then(
      (address) => {
        this.#address = address;
        this.#lastPort = address.port;
        this.#onListening({ ...address, user, password });
        this.#warming.wake();
      },
      () => {
        // Another may have taken a port that was picked at random.
        this.#lastPort = 0;
      },
    );
    return gateway;
  }

  async #replace(first: GatewayProcess): Promise<void> {
    let gateway = first;
    const delay = new RestartDelay();
    for (;;) {
      delay.started();
      const how = await gateway.exited;
      this.#address = undefined;
      if (this.#stopped) return;
      await gateway.listening.catch((error: unknown) => this.#log.error({ err: error }, 'the gateway can not listen'));
      this.#log.warn({ pid: gateway.pid }, `the gateway is replaced: its process ended (${how})`);
      const delayMs = delay.ended();
      if (delayMs > 0) await Promise.race([pause(delayMs), this.#stopping()]);
      if (this.#stopped) return;
      gateway = this.#begin();
    }
  }

  #stopping(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

const AUTHENTICATION_MS = 10_000;

/** What the gateways of a service are started with: one login for all of them, by a random key where no password was given. */
export function gatewaySettings({
  gateway,
  connecting,
  databaseUrl,
  modelMemoryBytes,
}: ServiceConfig): GatewaySettings {
  const { silenceMs: _, ...limits } = gateway;
  return {
    ...limits,
    connecting,
    databaseUrl,
    modelMemoryBytes,
    user: 'pgscore',
    password: gateway.password ?? randomBytes(24).toString('base64url'),
    iterations: gateway.password === undefined ? ITERATIONS_OF_KEY : ITERATIONS_OF_PASSWORD,
    authenticationMs: AUTHENTICATION_MS,
  };
}
