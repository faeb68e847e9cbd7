import { createServer, connect as dial, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';

import { atEnd } from './at-end.ts';
import { MessageSplitter } from './message-splitter.ts';

/** How ReadyForQuery says that no transaction is open. */
const IDLE = 'I'.charCodeAt(0);

type Connection = {
  application: string;
  readonly client: Socket;
  readonly server: Socket;
  silent: boolean;
  /** It has copied rows in, and its transaction is open. */
  copied: boolean;
};

/** A TCP proxy before PostgreSQL that can do to connections what networks do, chosen by their application_name. */
export type Proxy = {
  /** The same URL by way of the proxy. */
  url(url: string): string;
  /** Closes connections of an application; gives how many there were. */
  cut(application: string): number;
  /** Lets connections of an application stand, half open: what either side sends is lost. Gives how many there were. */
  blackhole(application: string): number;
  /** Lets every reply wait for so long, from now on: once, as replies would overtake others if it were changed again. */
  delay(ms: number): void;
  /** Closes the next connection of an application that commits, when the server has committed and before the reply goes out. Resolves then. */
  loseReplyToCommit(application: string): Promise<void>;
  /** Refuses connections, or takes them again. */
  refuse(refused: boolean): void;
};

/** Starts a proxy before the server of a URL. It ends with the test file. To be called at the top of one. */
export async function startProxy(serverUrl: string): Promise<Proxy> {
  const { hostname, port } = new URL(serverUrl);
  const connections = new Set<Connection>();
  const commits = new Map<string, () => void>();
  let delayMs = 0;
  let refused = false;

  const close = (connection: Connection): void => {
    connections.delete(connection);
    connection.client.destroy();
    connection.server.destroy();
  };
  const reply = (connection: Connection, message: Buffer): void => {
    const lose = isCommitted(connection, message) ? commits.get(connection.application) : undefined;
    if (lose !== undefined) {
      commits.delete(connection.application);
      close(connection);
      return lose();
    }
    if (connection.silent) return;
    if (delayMs === 0) connection.client.write(message);
    else setTimeout(() => connection.client.write(message), delayMs);
  };
  const accept = (client: Socket): void => {
    if (refused) return void client.destroy();
    const server = dial(Number(port), hostname);
    const connection: Connection = { application: '', client, server, silent: false, copied: false };
    connections.add(connection);
    const replies = new MessageSplitter((message) => reply(connection, message));
    client.on('data', (bytes) => {
      connection.application ||= applicationOf(bytes);
      if (!connection.silent) server.write(bytes);
    });
    server.on('data', (bytes) => replies.push(bytes));
    for (const socket of [client, server]) {
      socket.on('error', () => close(connection));
      socket.on('close', () => {
        if (!connection.silent) close(connection);
      });
    }
  };

  const listener = createServer(accept).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const of = (application: string): Connection[] => [...connections].filter((each) => each.application === application);
  atEnd(() => {
    listener.close();
    for (const connection of connections) close(connection);
  });
  return {
    url: (url) => {
      const through = new URL(url);
      through.host = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
      return through.href;
    },
    cut: (application) => of(application).map(close).length,
    blackhole: (application) => of(application).map((connection) => (connection.silent = true)).length,
    delay: (ms) => {
      delayMs = ms;
    },
    loseReplyToCommit: (application) => new Promise((resolve) => commits.set(application, resolve)),
    refuse: (now) => {
      refused = now;
    },
  };
}

/**
 * CommandComplete of a COMMIT (one of nothing but a transaction that was rolled back says ROLLBACK), or ReadyForQuery after
 * a transaction that copied rows in and was not begun in so many words.
 */
function isCommitted(connection: Connection, message: Buffer): boolean {
  const [type, tag] = [String.fromCharCode(message[0] ?? 0), message.toString('latin1', 5, message.length - 1)];
  if (type === 'C' && tag.startsWith('COPY ')) connection.copied = true;
  if (type === 'E') connection.copied = false;
  if (type !== 'Z' || message[5] !== IDLE) return type === 'C' && tag === 'COMMIT';
  const { copied } = connection;
  connection.copied = false;
  return copied;
}

/** application_name of a start-up message: length, protocol 3.0, then names and values, each ending with a zero byte. */
function applicationOf(bytes: Buffer): string {
  if (bytes.length < 8 || bytes.readInt32BE(4) !== 196_608) return '';
  const words = bytes.toString('utf8', 8).split('\0');
  return words[words.indexOf('application_name') + 1] ?? '';
}
