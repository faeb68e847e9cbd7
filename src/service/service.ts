import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { connect } from '../postgres/connect.ts';
import { Listener } from '../postgres/listen.ts';
import type { ServiceConfig } from '../config.ts';
import { type Logger, logUnhandledRejections } from '../log.ts';
import { fireDue } from '../schedules/fire.ts';
import { startWeb, type Web, type WebOptions } from '../http/server.ts';
import { checkVersions } from '../check/check-versions.ts';
import { clearFolders } from './clear-folders.ts';
import { GatewayKeeper } from '../online/gateway-keeper.ts';
import { showGateway } from '../online/metrics.ts';
import { ShadowKeeper } from '../online/shadow/keeper.ts';
import { beat, recover } from '../runs/lease.ts';
import { openConnections, watchConnection, type Connections } from './connections.ts';
import type { DatabaseConnection } from '../postgres/connection.ts';
import { reportService, type ServiceState } from './heartbeat.ts';
import { RunWorker } from '../runs/worker.ts';
import { RunMetrics } from '../runs/metrics.ts';
import type { Service } from './running-service.ts';
import { tidy, TIDY_EVERY } from '../runs/tidy.ts';
import { unlessDown, checkReader, readerUrlOf, checkDatabase } from './check-database.ts';
import { Wakeable } from '../lib/wakeable.ts';
import { MonitorLoops } from '../monitor/loops.ts';
import { within } from '../lib/retry.ts';
import { showWatches } from '../watches/metrics.ts';
import { WatchUpkeep } from '../watches/upkeep.ts';

const MOST_BEAT_MS = 1000;
const FIRE_MS = 1000;
/** Between two looks for sources to poll or to compare, where there are watches. */
const MOST_WATCH_REST_MS = 2000;
/** For each of the last things that a service says to the database. */
const LAST_WORDS_MS = 5000;

/** Builds the service, starts its parts in order and returns it; `stop` ends them in reverse. */
export async function startService(config: ServiceConfig, log: Logger): Promise<Service> {
  const service = new RunningService(config, log);
  await service.start().catch(async (error: unknown) => {
    await service.stop();
    throw error;
  });
  return service;
}

class RunningService implements Service {
  readonly id = randomUUID();
  readonly #config: ServiceConfig;
  readonly #log: Logger;
  readonly #metrics = new RunMetrics();
  readonly #gateway: GatewayKeeper;
  readonly #runWorker: RunWorker;
  readonly #connections: Connections;
  readonly #loops: Readonly<Record<'check' | 'beat' | 'sweep' | 'tidy' | 'watches' | 'fire', Wakeable>>;
  readonly #watchUpkeep: WatchUpkeep;
  readonly #monitorLoops: MonitorLoops;
  readonly #shadows: ShadowKeeper;
  readonly #listener: Listener;
  #web: Web | undefined;
  #state: ServiceState | 'starting' = 'starting';
  #stopping: Promise<void> | undefined;
  #hurry: () => void = () => undefined;
  readonly #checks = new AbortController();
  readonly #dieOfRejections: () => void;

  constructor(config: ServiceConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
    this.#dieOfRejections = logUnhandledRejections(log);
    const readerUrl = readerUrlOf(config);
    this.#connections = openConnections(config);
    this.#gateway = new GatewayKeeper(config, this.#connections.beat, () => this.#loops.beat.wake(), log);
    this.#runWorker = new RunWorker(
      config,
      {
        serviceId: this.id,
        readerUrl,
        connections: this.#connections,
        mayClaim: () => !this.#waits,
        mayFollow: () => this.#watchUpkeep.hasWatches,
        metrics: this.#metrics,
      },
      log,
    );
    const openUpkeep = (): DatabaseConnection => watchConnection(config.databaseUrl);
    this.#watchUpkeep = new WatchUpkeep(this.#connections.watches, openUpkeep, readerUrl, log);
    const loop = (name: string, restMs: number | (() => number), work: () => Promise<unknown>): Wakeable =>
      new Wakeable(name, restMs, () => this.#unlessPaused(work), log);
    const { pollMs } = config;
    this.#loops = {
      check: loop('checking versions', pollMs, () => checkVersions(this.#checking())),
      beat: new Wakeable('the heartbeat', Math.min(MOST_BEAT_MS, config.leaseMs / 4), () => this.#beat(), log),
      sweep: loop('taking over', pollMs, () => this.#recover()),
      tidy: loop('tidying up', TIDY_EVERY * pollMs, () => tidy(this.#connections.tidy)),
      watches: loop(
        'keeping watches',
        () => (this.#watchUpkeep.hasWatches ? Math.min(MOST_WATCH_REST_MS, pollMs) : pollMs),
        () => this.#watchUpkeep.begin(() => this.#lookForChanges()),
      ),
      fire: loop('firing schedules', FIRE_MS, () => this.#fireSchedules()),
    };
    const goesOn = (): boolean => this.#state === 'running';
    this.#shadows = new ShadowKeeper(config, this.#connections.sweep, goesOn, log);
    const isBehind = (): boolean => this.#watchUpkeep.hasWatches && this.#runWorker.isBehind;
    this.#monitorLoops = new MonitorLoops(
      { ...config, connections: this.#connections, readerUrl, goesOn, isBehind },
      log,
    );
    this.#listener = new Listener(
      { url: config.databaseUrl, applicationName: 'pgscore listen' },
      (hint) => this.#wakeFor(hint),
      log,
    );
  }

  get url(): string {
    return this.#web?.url ?? '';
  }

  get scorerPids(): readonly number[] {
    return this.#runWorker.scorerPids;
  }

  get gateway(): Service['gateway'] {
    return this.#gateway.current;
  }

  async start(): Promise<void> {
    await clearFolders();
    showGateway(this.#metrics.registry, () => this.#gateway.statistics);
    showWatches(this.#metrics.registry, this.#connections.page);
    this.#metrics.gauge(
      'pgscore_jobs_in_hand',
      'Jobs being scored or waiting for it',
      () => this.#runWorker.progress.length,
    );
    this.#web = await startWeb({
      host: this.#config.httpHost,
      port: this.#config.httpPort,
      registry: this.#metrics.registry,
      ready: () => this.#readiness(),
      page: { ...this.#config.page, connection: this.#connections.page },
    });
    await unlessDown(() => this.#beat(), this.#log);
    this.#runWorker.startScorers();
    await this.#gateway.start();
    await this.#listener.start();
    this.#runWorker.startClaiming();
    for (const loop of Object.values(this.#loops)) loop.start();
    this.#monitorLoops.start();
    this.#shadows.start();
    this.#log.info(
      {
        serviceId: this.id,
        scorers: this.#config.scorers,
        http: this.url,
        port: this.gateway?.port,
        state: this.#state,
      },
      'pgscore serves',
    );
  }

  stop(): Promise<void> {
    this.#hurry();
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const began = this.#state !== 'starting';
    if (began) this.#state = 'draining';
    this.#runWorker.drain();
    const hurried = new Promise<void>((resolve) => {
      this.#hurry = resolve;
    });
    const idle = Promise.all([
      this.#gateway.stop(this.#config.graceMs),
      this.#listener.stop(),
      this.#loops.fire.stop(),
      this.#loops.check.stop(),
      this.#loops.sweep.stop(),
      this.#loops.tidy.stop(),
      this.#loops.watches.stop().then(() => this.#watchUpkeep.drained()),
      this.#monitorLoops.stop(),
      this.#shadows.stop(),
      this.#runWorker.drained(),
    ]);
    await within(Promise.race([idle, hurried]), this.#config.graceMs);
    await within(this.#runWorker.close(), LAST_WORDS_MS);
    this.#checks.abort();
    if (began) await within(this.#runWorker.handBack(), LAST_WORDS_MS);
    await Promise.all([this.#runWorker.stopScorers(), this.#gateway.stop(0)]);
    await within(this.#farewell(), LAST_WORDS_MS);
    await Promise.all(Object.values(this.#connections).map((connection) => connection.end()));
    await this.#web?.stop();
    this.#dieOfRejections();
    this.#log.info('pgscore has stopped');
  }

  async #farewell(): Promise<void> {
    await this.#runWorker.drained();
    await this.#loops.beat.stop();
    if (this.#state === 'starting') return;
    this.#state = 'stopped';
    await this.#report().catch(() => undefined);
  }

  /** A hint that is not listed may be about anything. */
  #wakeFor(hint: string): void {
    const { check, beat, watches } = this.#loops;
    const warmed = { wake: () => this.#gateway.warm() };
    const woken = new Map<string, readonly { wake(): void }[]>([
      ['run', []],
      ['labels', [this.#monitorLoops]],
      ['watch', [watches]],
      ['models', [watches, this.#shadows, warmed]],
    ]);
    this.#runWorker.lookFor(hint === 'run' ? 'runs' : 'all');
    for (const part of woken.get(hint) ?? [watches, check, beat]) part.wake();
  }

  /** Goes on as soon as the database is there and, where it is a restored copy, adopted. */
  async #checkDatabase(): Promise<void> {
    const begins = this.#state === 'starting';
    if (begins) await checkReader(this.#config);
    const state = await checkDatabase(this.#connections.beat);
    if (begins && state === 'paused')
      this.#log.warn('this database is a restored copy of another; the service is paused until `pgscore adopt`');
    if (this.#waits) this.#state = state;
  }

  async #unlessPaused(work: () => Promise<unknown>): Promise<void> {
    if (this.#state === 'running') await work();
  }

  /** Whether its database is not there yet, or a copy that nobody adopted. */
  get #waits(): boolean {
    return this.#state === 'starting' || this.#state === 'paused';
  }

  async #beat(): Promise<void> {
    if (this.#waits) await this.#checkDatabase();
    const { beat: connection } = this.#connections;
    await beat({
      serviceId: this.id,
      leaseMs: this.#config.leaseMs,
      connection,
      runWorker: this.#runWorker,
      metrics: this.#metrics,
    });
    await this.#report();
  }

  async #report(): Promise<void> {
    const state = this.#state;
    if (state === 'starting') return;
    await this.#connections.beat.use((client) => reportService(client, this.id, state, this.#config, this.gateway));
  }

  async #recover(): Promise<void> {
    if ((await recover(this.#connections.sweep, this.#runWorker, this.#log)) > 0) this.#runWorker.lookFor('all');
  }

  /** There may be rows to score, and more watches to see to. */
  #lookForChanges(): void {
    this.#runWorker.follow();
    this.#loops.watches.wake();
  }

  async #fireSchedules(): Promise<void> {
    const openReader = (): Promise<pg.Client> =>
      connect({ url: readerUrlOf(this.#config), applicationName: 'pgscore schedule' });
    await this.#connections.schedule.use((service) => fireDue({ service, openReader, log: this.#log }));
  }

  #checking(): Parameters<typeof checkVersions>[0] {
    const { checkTimeoutMs: timeMs, checkMemoryBytes: memoryBytes, leaseMs, native } = this.#config;
    return {
      serviceId: this.id,
      connection: this.#connections.check,
      beat: this.#connections.beat,
      limits: { timeMs, memoryBytes, signal: this.#checks.signal },
      native,
      leaseMs,
      metrics: this.#metrics,
      log: this.#log,
      prepare: (versionId, version) => this.#gateway.prepare(versionId, version),
      goesOn: () => this.#state === 'running',
    };
  }

  #readiness(): ReturnType<WebOptions['ready']> {
    const { listening } = this.#listener;
    const gateway = this.#gateway.current !== undefined;
    return { ready: this.#state === 'running' && listening && gateway, state: this.#state, listening, gateway };
  }
}
