import { SUPERUSER } from './cluster.ts';
import { LOOPBACK } from './port.ts';
import type { RunningServer } from './running.ts';

/** A PostgreSQL that answers on 127.0.0.1 only, and to passwords only. */
export type EmbeddedServer = {
  readonly port: number;
  /** As PostgreSQL writes it: `18.4`. */
  readonly version: string;
  /** Where the data is: root may have had to put it elsewhere than asked. */
  readonly dataDir: string;
  /** The connection URL of a database, by default `postgres`, for a login, by default the superuser. */
  url(database?: string, login?: Login): string;
  /** Stops the server, once, and waits until it is down. A server that another process started is left to run. */
  stop(): Promise<void>;
};

export type Login = { readonly user: string; readonly password: string };

export function describeServer(running: RunningServer, stop: () => Promise<void>): EmbeddedServer {
  const superuser = { user: SUPERUSER, password: running.password };
  return {
    port: running.port,
    version: running.version,
    dataDir: running.dataDir,
    url: (database = 'postgres', login = superuser) => connectionUrl(running.port, database, login),
    stop,
  };
}

function connectionUrl(port: number, database: string, { user, password }: Login): string {
  const [name, secret, path] = [user, password, database].map(encodeURIComponent);
  return `postgres://${name}:${secret}@${LOOPBACK}:${port}/${path}`;
}
