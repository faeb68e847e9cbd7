import { createSecureContext } from 'node:tls';
import { readFile } from 'node:fs/promises';
import { DatabaseConnection, LOOKING_UP } from '../postgres/connection.ts';
import { PgscoreError } from '../errors.ts';
import { ModelCache } from '../inference/cache.ts';
import { Batcher } from './batcher.ts';
import type { Call } from './requests/call.ts';
import { GatewayServer } from './protocol/server.ts';
import { permissionOf, Permissions } from './requests/authorise.ts';
import type { GatewaySettings } from './gateway-process.ts';
import { LogBudget } from './call-log/log-budget.ts';
import { makeSocketFolder, socketPath, type GatewayAddress, type LocalSocket } from './gateway-address.ts';
import { OnlineModels } from './models.ts';
import { Recorder } from './call-log/recorder.ts';
import { RequestHandler } from './requests/handler.ts';
import { ScramLogin } from './protocol/scram.ts';
import type { SessionOptions } from './protocol/session.ts';
import { signingKeysOf, Signing, type Backend } from './protocol/signing.ts';
import { countBatch, countCall, countError, noStatistics, type GatewayStatistics } from './statistics.ts';
import { WatchedVersions } from './call-log/watched-versions.ts';
import { writeCalls } from './call-log/write.ts';
import type { WireError } from './protocol/wire-error.ts';

const TIMEOUT_MS = 10_000;
/** Most rows of calls that are run together; fewer where a model takes long. */
const MOST_BATCH_ROWS = 1024;
/** What score_rows() sends at a time. */
const MOST_ROWS = 1000;
/** A request of 8 MB, which is the longest that the functions of the database send, and what signs it. */
const MESSAGE_BYTES = 8_000_000 + 4096;
/** SQLSTATEs of errors in the service or its database. */
const OURS = /^(?:58|XX|55)/;
const QUIET_MS = 1000;

type Warn = (message: string, error: unknown) => void;

/** Everything that answers score(), put together. */
export class Gateway {
  readonly #statistics = noStatistics();
  readonly #connections: DatabaseConnection[];
  readonly #recorder: Recorder;
  readonly #budget = new LogBudget();
  readonly #models: OnlineModels;
  readonly #handler: RequestHandler;
  readonly #signing: (backend: Backend) => Promise<Signing>;
  readonly #settings: GatewaySettings;
  readonly #warn: Warn;
  #server: GatewayServer | undefined;
  #quietUntil = 0;

  constructor(settings: GatewaySettings, warn: Warn) {
    this.#settings = settings;
    this.#warn = warn;
    const connection = (
      applicationName: string,
      sessionSettings: Record<string, string> = LOOKING_UP,
    ): DatabaseConnection =>
      new DatabaseConnection({
        url: settings.databaseUrl,
        applicationName,
        timeoutMs: TIMEOUT_MS,
        settings: sessionSettings,
      });
    // Three, as a large model on its way, or calls that are logged, must not hold up who asks for a permission.
    const asking = connection('pgscore gateway');
    const loading = connection('pgscore gateway models');
    const logging = connection('pgscore gateway log', {});
    this.#connections = [asking, loading, logging];
    const keys = signingKeysOf(asking);
    this.#signing = async (backend) => new Signing(await keys(), backend);
    const versions = new WatchedVersions(logging);
    this.#recorder = new Recorder(
      writeCalls(logging, versions),
      versions,
      (error) => warn('calls of score() could not be recorded', error),
      this.#budget,
    );
    this.#models = new OnlineModels({
      connection: loading,
      cache: new ModelCache(settings.modelMemoryBytes),
      warn,
    });
    const models = this.#models;
    const onRun = (rows: number): void => countBatch(this.#statistics, rows);
    this.#handler = new RequestHandler({
      permissions: new Permissions(permissionOf(asking)),
      models,
      batcher: new Batcher({ models, batchRows: MOST_BATCH_ROWS, onRun }),
      budget: this.#budget,
      onFinished: (call) => this.#callFinished(call),
    });
  }

  get statistics(): GatewayStatistics {
    return Object.assign(this.#statistics, {
      connections: this.#server?.connections ?? 0,
      queuedCalls: this.#handler.calls,
      queuedRows: this.#handler.rows,
      unrecorded: this.#recorder.dropped,
    });
  }

  get models(): Pick<OnlineModels, 'prepare' | 'warm'> {
    return this.#models;
  }

  /** @throws PgscoreError gateway_unavailable, file_unreadable */
  async listen(): Promise<GatewayAddress> {
    const { tls, ...settings } = this.#settings;
    this.#server = new GatewayServer({
      host: settings.host,
      port: settings.port,
      login: new ScramLogin(settings.user, settings.password, settings.iterations),
      tls: tls && (await secureContext(tls)),
      signing: this.#signing,
      mostConnections: settings.mostConnections,
      authenticationMs: settings.authenticationMs,
      session: this.#sessionOptions(),
      onDefect: (error) => this.#warn('a connection of the gateway failed', error),
    });
    const { address: host, port } = await this.#server.listen().catch((error: unknown) => {
      throw addressTaken(this.#settings, error);
    });
    this.#models.start();
    return { host, port, local: await this.#listenLocally(this.#server, port) };
  }

  async #listenLocally(server: GatewayServer, port: number): Promise<LocalSocket | undefined> {
    const local = await makeSocketFolder();
    if (local === undefined) return undefined;
    try {
      await server.listenLocally(socketPath(local, port));
      return local;
    } catch (error) {
      this.#warn('the gateway has no socket for PostgreSQL on this machine, which goes by TCP', error);
      return undefined;
    }
  }

  /** Answers what is in hand, and ends. */
  async drain(): Promise<void> {
    this.#budget.end();
    await this.#server?.drain();
    await this.#recorder.drained();
    await Promise.all(this.#connections.map((connection) => connection.end()));
  }

  #callFinished(call: Call): void {
    countCall(this.#statistics, call);
    if (call.request.log) this.#recorder.record(call);
  }

  /** Counts an error that was sent to a client. What the client cannot help is logged, once a second at most. */
  #noteError(error: WireError): void {
    countError(this.#statistics, error);
    if (error.cause === undefined || !OURS.test(error.sqlstate) || performance.now() < this.#quietUntil) return;
    this.#quietUntil = performance.now() + QUIET_MS;
    this.#warn(error.message, error.cause);
  }

  #sessionOptions(): SessionOptions {
    const { deadlineMs, mostDeadlineMs } = this.#settings;
    return {
      messageBytes: MESSAGE_BYTES,
      limits: { deadlineMs, mostDeadlineMs, mostRows: MOST_ROWS },
      score: (request, arrival) => this.#handler.score(request, arrival),
      onError: (error) => this.#noteError(error),
    };
  }
}

async function secureContext(
  files: NonNullable<GatewaySettings['tls']>,
): Promise<ReturnType<typeof createSecureContext>> {
  try {
    const [cert, key] = await Promise.all([readFile(files.cert), readFile(files.key)]);
    return createSecureContext({ cert, key, minVersion: 'TLSv1.2' });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PgscoreError('file_unreadable', `the certificate of the gateway can not be used: ${reason}`, {
      remedy: 'Give PEM files with --gateway-tls-cert and --gateway-tls-key that the service may read.',
      cause,
    });
  }
}

function addressTaken({ host, port }: GatewaySettings, cause: unknown): PgscoreError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PgscoreError('gateway_unavailable', `cannot answer score() on ${host}:${port}: ${reason}`, {
    remedy: 'Choose another port with --gateway-port; 0 takes a free one.',
    cause,
  });
}
