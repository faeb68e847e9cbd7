import { afterAll } from '@jest/globals';
import { Call } from '../../src/online/requests/call.ts';
import { GatewayServer, type ServerOptions } from '../../src/online/protocol/server.ts';
import { ScramLogin } from '../../src/online/protocol/scram.ts';
import type { ScoreRequest } from '../../src/online/requests/parse.ts';
import type { SessionOptions } from '../../src/online/protocol/session.ts';
import type { WireError } from '../../src/online/protocol/wire-error.ts';
import { Signing, type SigningKeys } from '../../src/online/protocol/signing.ts';
import { NumberRows } from '../../src/inference/number-rows.ts';
import type { Signature } from '../../src/inference/signature.ts';

/** A regression over x, whose answer in tests is x itself. */
export const SIGNATURE: Signature = {
  task: 'regression',
  inputs: [{ name: 'x', type: 'float64', width: 1, shape: [null, 1] }],
  features: [{ name: 'x', input: 'x', position: 0, type: 'float64', width: 1, nulls: 'error' }],
  outputs: { value: { name: 'y' } },
  classLabels: [],
  batch: null,
};

export const PASSWORD = 'secret';
export const KEYS: SigningKeys = { inner: Buffer.alloc(64, 'inner'), outer: Buffer.alloc(64, 'outer') };
const LOGIN = new ScramLogin('pgscore', PASSWORD);

export type TestGateway = {
  readonly port: number;
  readonly server: GatewayServer;
  /** Calls that came, the settled ones too. */
  readonly calls: Call[];
  /** Answers a call with the x of each row. */
  readonly answer: (call: Call) => void;
  readonly errors: WireError[];
  /** What must not happen. */
  readonly defects: unknown[];
};

type Options = Partial<Omit<ServerOptions, 'session'>> & {
  session?: Partial<SessionOptions>;
  /** false: calls wait until the test answers them. */
  answering?: boolean;
};

const servers: GatewayServer[] = [];
afterAll(async () => {
  await Promise.all(servers.map((server) => server.drain()));
});

/** A server over made-up answers, in this process. */
export async function startTestGateway({ session, answering = true, ...options }: Options = {}): Promise<TestGateway> {
  const calls: Call[] = [];
  const errors: WireError[] = [];
  const defects: unknown[] = [];
  const score = (request: ScoreRequest): Call => {
    const call = new Call(request);
    calls.push(call);
    if (answering) answer(call);
    return call;
  };
  const server = new GatewayServer({
    host: '127.0.0.1',
    port: 0,
    login: LOGIN,
    tls: undefined,
    signing: (backend) => Promise.resolve(new Signing(KEYS, backend)),
    mostConnections: 1200,
    authenticationMs: 10_000,
    onDefect: (error) => defects.push(error),
    session: {
      messageBytes: 2 ** 20,
      limits: { deadlineMs: 5000, mostDeadlineMs: 60_000, mostRows: 10_000 },
      score,
      onError: (error) => errors.push(error),
      ...session,
    },
    ...options,
  });
  const { port } = await server.listen();
  servers.push(server);
  return { port, server, calls, answer, errors, defects };
}

export function answer(call: Call): void {
  const { rows } = call;
  const predictions = {
    rows: rows.length,
    score: Float64Array.from({ length: rows.length }, (_, row) =>
      Number(rows instanceof NumberRows ? rows.get(row, 0) : rows[row]?.['x']),
    ),
    label: null,
    probabilities: null,
    errors: new Map(),
  };
  call.add({ predictions, from: 0, rows: rows.length }, SIGNATURE);
}

export function scoreQuery(rows: readonly Record<string, unknown>[], members: Record<string, unknown> = {}): string {
  return `score ${JSON.stringify({ version: 1, role: 'alice', ...members })}\n${JSON.stringify(rows)}`;
}
