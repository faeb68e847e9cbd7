import { randomBytes } from 'node:crypto';
import { Batcher } from '../../../src/online/batcher.ts';
import type { OnlineModels } from '../../../src/online/models.ts';
import { GatewayServer } from '../../../src/online/protocol/server.ts';
import { Permissions } from '../../../src/online/requests/authorise.ts';
import { LogBudget } from '../../../src/online/call-log/log-budget.ts';
import { Recorder, type Watching } from '../../../src/online/call-log/recorder.ts';
import { RequestHandler } from '../../../src/online/requests/handler.ts';
import { ScramLogin } from '../../../src/online/protocol/scram.ts';
import { Signing } from '../../../src/online/protocol/signing.ts';
import type { Graph, RunInput, RunOutput } from '../../../src/inference/graph.ts';
import { ModelSession } from '../../../src/inference/session.ts';
import type { Signature } from '../../../src/inference/signature.ts';

const SIGNATURE: Signature = {
  task: 'regression',
  inputs: [{ name: 'x', type: 'float64', width: 1, shape: [null, 1] }],
  features: [{ name: 'x', input: 'x', position: 0, type: 'float64', width: 1, nulls: 'nan' }],
  outputs: { value: { name: 'y' } },
  classLabels: [],
  batch: null,
};

/** Predicts x. */
const GRAPH = {
  run: ([input]: readonly RunInput[], rows: number): Promise<RunOutput[]> =>
    Promise.resolve([{ name: 'y', type: 'float64', dims: [rows, 1], data: input?.data as Float64Array }]),
};

/** What is attacked is keyed, and its features are watched. */
const WATCHING: Watching = {
  get: (versionId) => ({
    versionId,
    timeZone: 'UTC',
    keys: [{ name: 'x', family: null }],
    eventTime: 'at',
    featuresWatched: true,
    binSet: null,
  }),
  isFresh: () => true,
  renew: () => Promise.resolve(),
};

/** All of a gateway but the database and ONNX Runtime. Whatever it calls a defect is passed on. */
export async function startGatewayToAttack(
  onDefect: (error: unknown) => void,
): Promise<{ server: GatewayServer; port: number; handler: RequestHandler }> {
  const session = new ModelSession(GRAPH as unknown as Graph, SIGNATURE);
  const models: Pick<OnlineModels, 'loaded' | 'load' | 'inTurn'> = {
    loaded: () => session,
    load: () => Promise.resolve(session),
    inTurn: (_versionId, { run }) => run(session).then(() => false),
  };
  const budget = new LogBudget();
  const recorder = new Recorder(() => Promise.resolve(), WATCHING, onDefect, budget);
  const handler = new RequestHandler({
    permissions: new Permissions(() => Promise.resolve(true)),
    models,
    batcher: new Batcher({ models, batchRows: 64, onRun: () => undefined }),
    budget,
    onFinished: (call) => recorder.record(call),
  });
  const server = new GatewayServer({
    host: '127.0.0.1',
    port: 0,
    login: new ScramLogin('pgscore', 'secret'),
    tls: undefined,
    signing: (backend) => Promise.resolve(new Signing({ inner: randomBytes(64), outer: randomBytes(64) }, backend)),
    mostConnections: 500,
    authenticationMs: 10_000,
    onDefect,
    session: {
      messageBytes: 2 ** 20,
      limits: { deadlineMs: 5000, mostDeadlineMs: 60_000, mostRows: 1000 },
      score: (request) => handler.score(request),
      onError: (error) => {
        if (error.sqlstate.startsWith('XX')) onDefect(error.cause ?? error);
      },
    },
  });
  const { port } = await server.listen();
  return { server, port, handler };
}
