import { randomInt, timingSafeEqual } from 'node:crypto';
import { createServer, type AddressInfo, type ListenOptions, type Server, type Socket } from 'node:net';
import { isLoopback } from '../../lib/loopback.ts';
import { FairQueue } from './fair-queue.ts';
import { Connection, ClientGone } from './connection.ts';
import { greeting, shakeHands, type CancelKey, type HandshakeOptions, type Login } from './handshake.ts';
import { errorResponse, int32 } from './replies.ts';
import { Session, type SessionOptions } from './session.ts';
import { asWireError, WireError } from './wire-error.ts';

export type ServerOptions = HandshakeOptions & {
  readonly host: string;
  readonly port: number;
  readonly mostConnections: number;
  readonly authenticationMs: number;
  readonly session: SessionOptions;
  /** An error of ours rather than of a client. */
  readonly onDefect: (error: unknown) => void;
};

const BACKLOG = 1024;
/** So many of the longest messages are held at a time. */
const LONG_MESSAGES = 8;

/** Listens, keeps connections within their limits, and knows the sessions by the keys that cancel their calls. */
export class GatewayServer {
  readonly #options: ServerOptions;
  readonly #servers: Server[] = [];
  /** Connections that have not logged in, by way of the port and of the socket on this machine. */
  readonly #viaPort = new Set<Connection>();
  readonly #viaSocket = new Set<Connection>();
  readonly #sessions = new Map<number, { readonly secret: number; readonly session: Session }>();
  readonly #queue: FairQueue;
  #lastPid = 0;
  #idle: () => void = () => undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#queue = new FairQueue(LONG_MESSAGES * options.session.messageBytes);
  }

  /** Connections, logged in or not. */
  get connections(): number {
    return this.#viaPort.size + this.#viaSocket.size + this.#sessions.size;
  }

  async listen(): Promise<AddressInfo> {
    const { host, port } = this.#options;
    const isLocal = (socket: Socket): boolean => isLoopback(socket.remoteAddress ?? '');
    const server = await this.#listenAt({ host, port }, isLocal, this.#viaPort);
    return server.address() as AddressInfo;
  }

  /** For clients on this machine, beside the other: whoever may pass its folder may connect, and has to log in as there. */
  async listenLocally(path: string): Promise<void> {
    await this.#listenAt({ path, readableAll: true, writableAll: true }, () => true, this.#viaSocket);
  }

  async #listenAt(
    where: ListenOptions,
    isLocal: (socket: Socket) => boolean,
    unauthenticated: Set<Connection>,
  ): Promise<Server> {
    const server = createServer(
      (socket) => void this.#accept(new Connection(socket, isLocal(socket)), unauthenticated),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ ...where, backlog: BACKLOG }, resolve);
    });
    server.on('error', this.#options.onDefect);
    this.#servers.push(server);
    return server;
  }

  /** Takes no more connections, and resolves when every session has had its answer. */
  async drain(): Promise<void> {
    for (const server of this.#servers) server.close();
    for (const connection of [...this.#viaPort, ...this.#viaSocket]) connection.close();
    for (const { session } of this.#sessions.values()) session.drain();
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      this.#checkIdle();
    });
  }

  async #accept(connection: Connection, unauthenticated: Set<Connection>): Promise<void> {
    try {
      await this.#serve(connection, unauthenticated);
      connection.close();
    } catch (error) {
      if (error instanceof ClientGone) return;
      const wireError = asWireError(error);
      if (!(error instanceof WireError)) this.#options.onDefect(error);
      this.#options.session.onError(wireError);
      connection.close(errorResponse(WireError.fatal(wireError.sqlstate, wireError.message, wireError)));
    }
  }

  async #serve(connection: Connection, unauthenticated: Set<Connection>): Promise<void> {
    this.#closeOldestIfFull(unauthenticated);
    const client = await this.#authenticated(connection, unauthenticated);
    if ('pid' in client) this.#cancel(client);
    else await this.#logIn(connection, client);
  }

  /**
   * Clients that never log in must leave room for those that do. Closes the oldest connection that has not logged in: one by the port
   * if there is one, else one by the socket of this machine.
   */
  #closeOldestIfFull(unauthenticated: Set<Connection>): void {
    const { mostConnections, session } = this.#options;
    const isFull = this.connections >= mostConnections;
    if (!isFull && unauthenticated.size < Math.ceil(mostConnections / 2)) return;
    const [oldest] = isFull && this.#viaPort.size > 0 ? this.#viaPort : unauthenticated;
    if (oldest === undefined) throw tooMany();
    session.onError(tooMany());
    oldest.close(errorResponse(tooMany()));
    this.#viaPort.delete(oldest);
    this.#viaSocket.delete(oldest);
  }

  async #authenticated(connection: Connection, unauthenticated: Set<Connection>): Promise<Login | CancelKey> {
    const tooSlow = WireError.fatal('08P01', 'canceling authentication due to timeout');
    const late = setTimeout(() => connection.close(errorResponse(tooSlow)), this.#options.authenticationMs);
    unauthenticated.add(connection);
    try {
      return await shakeHands(connection, this.#options);
    } finally {
      clearTimeout(late);
      unauthenticated.delete(connection);
    }
  }

  async #logIn(connection: Connection, { signing }: Login): Promise<void> {
    const key = { pid: this.#nextPid(), secret: randomInt(-(2 ** 31), 2 ** 31) };
    const session = new Session(connection, this.#options.session, signing, this.#queue);
    this.#sessions.set(key.pid, { secret: key.secret, session });
    try {
      await connection.write(greeting(key));
      await session.serve();
    } finally {
      this.#sessions.delete(key.pid);
      this.#checkIdle();
    }
  }

  #cancel({ pid, secret }: CancelKey): void {
    const found = this.#sessions.get(pid);
    if (found !== undefined && timingSafeEqual(int32(found.secret), int32(secret))) found.session.cancel();
  }

  #nextPid(): number {
    do this.#lastPid = (this.#lastPid % (2 ** 31 - 1)) + 1;
    while (this.#sessions.has(this.#lastPid));
    return this.#lastPid;
  }

  #checkIdle(): void {
    if (this.#sessions.size === 0) this.#idle();
  }
}

function tooMany(): WireError {
  return WireError.fatal('53300', 'too many connections to the gateway', {
    hint: 'The option --gateway-max-connections of the service sets how many there may be.',
  });
}
