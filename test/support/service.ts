import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { atEnd } from './at-end.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from './service-passwords.ts';
import type { TestDatabase } from './database.ts';

export type TestService = {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly id: string;
  /** Base URL of /healthz, /readyz and /metrics. */
  readonly url: string;
  /** Process ids of the scorers, as they are now. */
  scorerPids(): Promise<number[]>;
  /** The process that answers score(), as it is now. */
  gateway(): Promise<TestGatewayLogin | undefined>;
  /** Process ids of the scorers and the gateway, as they are now. */
  stayingPids(): Promise<number[]>;
  /** Everything logged so far, one JSON object a line. */
  log(): string;
  /** SIGTERM, and its exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL, and its end. */
  kill(): Promise<void>;
};

export type TestGatewayLogin = { host: string; port: number; user: string; password: string; pid: number };

type Facts = { id: string; url: string; scorerPids: number[]; gateway?: TestGatewayLogin };

const MAIN = fileURLToPath(new URL('serve.mjs', import.meta.url));

/**
 * Starts the built service on a test database, with one scorer, and with the environment's PGSCORE_* overridden by
 * `settings`, such as `{ PGSCORE_LEASE: '2' }`. It ends with the test file.
 */
export async function startTestService(
  database: TestDatabase,
  settings: Record<string, string> = {},
): Promise<TestService> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    PGSCORE_DATABASE_URL: database.url({ user: 'pgscore_service', password: SERVICE_PASSWORD }),
    PGSCORE_READER_URL: database.url({ user: 'pgscore_reader', password: READER_PASSWORD }),
    PGSCORE_HTTP_PORT: '0',
    PGSCORE_GATEWAY_PORT: '0',
    PGSCORE_SCORERS: '1',
    PGSCORE_POLL: '2',
    ...settings,
  };
  const child = fork(MAIN, { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let log = '';
  child.stderr?.on('data', (data: Buffer) => {
    log += data.toString();
  });
  atEnd(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  const facts = await Promise.race([
    once(child, 'message').then(([message]) => message as Facts),
    exited.then(() => {
      throw new Error(`the service did not start:\n${log}`);
    }),
  ]);
  const ask = async (): Promise<Facts> => {
    const answer = once(child, 'message');
    child.send('facts');
    return (await answer)[0] as Facts;
  };
  return {
    process: child,
    pid: child.pid ?? 0,
    id: facts.id,
    url: facts.url,
    scorerPids: async () => (await ask()).scorerPids,
    gateway: async () => (await ask()).gateway,
    stayingPids: async () => {
      const { scorerPids, gateway } = await ask();
      return gateway === undefined ? scorerPids : [...scorerPids, gateway.pid];
    },
    log: () => log,
    stop: async () => {
      child.kill('SIGTERM');
      return (await exited)[0];
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
