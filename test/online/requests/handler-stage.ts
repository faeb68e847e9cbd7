import { Batcher } from '../../../src/online/batcher.ts';
import type { OnlineModels } from '../../../src/online/models.ts';
import type { Call } from '../../../src/online/requests/call.ts';
import { LogBudget } from '../../../src/online/call-log/log-budget.ts';
import { Permissions } from '../../../src/online/requests/authorise.ts';
import { RequestHandler } from '../../../src/online/requests/handler.ts';
import type { WireError } from '../../../src/online/protocol/wire-error.ts';
import { NumberRows, type FeatureRows } from '../../../src/inference/number-rows.ts';
import type { Predictions } from '../../../src/inference/predictions.ts';
import type { ModelSession } from '../../../src/inference/session.ts';
import { waitFor } from '../../support/wait-for.ts';
import { SIGNATURE } from '../test-server.ts';

type Run = { readonly rows: number[]; readonly finish: () => void };

/** A model whose runs last until the test ends them; it predicts what it is given, and can't score a negative number. */
export function slowModel(isRowWise = false) {
  const runs: Run[] = [];
  const session = {
    signature: SIGNATURE,
    isRowWise,
    predictRowsSync: () => undefined,
    predictRows: async (given: FeatureRows) => {
      const rows = xsOf(given);
      await new Promise<void>((finish) => runs.push({ rows, finish }));
      const bad = rows.flatMap((x, row) =>
        x < 0 ? [[row, { code: 'refused_by_model', message: 'x < 0' }] as const] : [],
      );
      return {
        rows: rows.length,
        score: Float64Array.from(rows),
        label: null,
        probabilities: null,
        errors: new Map(bad),
      };
    },
  } as unknown as ModelSession;
  return { runs, session };
}

export function stage({
  batchRows = 10,
  budget = new LogBudget(),
  permit = () => Promise.resolve(true),
  model = slowModel(),
} = {}) {
  const { runs, session } = model;
  const loaded = new Set<number>();
  const models: Pick<OnlineModels, 'loaded' | 'load' | 'inTurn'> = {
    loaded: (versionId) => (loaded.has(versionId) ? session : undefined),
    load: (versionId) => {
      loaded.add(versionId);
      return Promise.resolve(session);
    },
    inTurn: (_versionId, { run }) => run(session).then(() => false),
  };
  const batches: number[] = [];
  const settled: Call[] = [];
  const batcher = new Batcher({ models, batchRows, onRun: (rows) => batches.push(rows) });
  const handler = new RequestHandler({
    permissions: new Permissions(permit),
    models,
    batcher,
    budget,
    onFinished: (call) => settled.push(call),
  });
  const score = (
    xs: number[],
    { deadlineMs = 5000, versionId = 1, log = false, role = 'alice', alone = false } = {},
  ): Call =>
    handler.score({
      versionId,
      role,
      deadlineMs,
      log,
      inputs: false,
      id: null,
      reply: 'rows',
      alone,
      rows: xs.map((x) => ({ x })),
      about: {},
    });
  const run = (at: number): Promise<Run> => waitFor(() => runs[at], { message: `run ${at}` });
  return { runs, run, batches, settled, handler, score };
}

function xsOf(rows: FeatureRows): number[] {
  return Array.from({ length: rows.length }, (_, row) =>
    Number(rows instanceof NumberRows ? rows.get(row, 0) : rows[row]?.['x']),
  );
}

/** A model that answers in the same turn of the event loop. */
const predict = (rows: FeatureRows): Predictions => ({
  rows: rows.length,
  score: Float64Array.from(xsOf(rows)),
  label: null,
  probabilities: null,
  errors: new Map(),
});
export const COMPUTED = {
  signature: SIGNATURE,
  predictRowsSync: (rows: FeatureRows) => ({ predictions: predict(rows), from: 0 }),
  predictRows: (rows: FeatureRows) => Promise.resolve(predict(rows)),
} as unknown as ModelSession;

export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

export async function scores(call: Call): Promise<number[]> {
  const { parts } = await call.answer;
  return parts.flatMap(({ predictions, from, rows }) => [...predictions.score.subarray(from, from + rows)]);
}

export function errorOf(call: Call): Promise<WireError | undefined> {
  return call.answer.then(
    () => undefined,
    (error: WireError) => error,
  );
}
