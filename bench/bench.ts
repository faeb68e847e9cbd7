import type pg from 'pg';
import { measureCitus } from './citus.ts';
import { measureIdle } from './idle.ts';
import { measureMonitor } from './monitor/monitor-cost.ts';
import type { BenchPlan } from './plan.ts';
import type { Flags } from '../src/config.ts';
import { describeMachine, type BenchResults, type TableResults } from './results.ts';
import { measureScoreCalls } from './score/score-calls.ts';
import { measureShadowedCalls } from './score/shadow.ts';
import { asOwner, asRequester, makeSource, setStage, type ServerSize, type Stage, type StageOptions } from './stage.ts';
import { measureCounting, peakScorerMemory } from './tables/large-runs.ts';
import { measureNetworks } from './tables/networks.ts';
import { measureRounds } from './tables/rounds.ts';
import { measureWatch } from './watch.ts';
import { deployToFirstRow, measureLatency, measureSustained } from './tables/small-runs.ts';

const SUBMITTERS = 4;

/** A service that has nothing to do, whole tables, tables that ONNX Runtime computes, score() inside of queries, following a table, or keeping accuracy up to date. */
export const PARTS = ['idle', 'tables', 'networks', 'score', 'watch', 'monitor'] as const;
/** Tables on the nodes of Citus, of a cluster that is there: its database is used. */
export const ON_CITUS = 'citus';
export type Part = (typeof PARTS)[number] | typeof ON_CITUS;

export type BenchOptions = StageOptions & {
  readonly plan: BenchPlan;
  readonly parts: readonly Part[];
  readonly python: string;
  readonly plpythonUrl: string | undefined;
  readonly tell: (line: string) => void;
  /** Is given all that was measured so far after each part, so that one that fails loses no other's. */
  readonly keep: (results: BenchResults) => Promise<void>;
};

/** Sets the stage, measures everything in one run, and takes the stage down again. */
export async function bench(options: BenchOptions): Promise<void> {
  const { parts, plan, tell } = options;
  let results: BenchResults = {
    measuredAt: new Date().toISOString().slice(0, 10),
    machine: describeMachine(''),
    plan,
    idle: null,
    tables: null,
    networks: null,
    calls: null,
    shadow: null,
    watch: null,
    monitor: null,
    citus: null,
  };
  const keep = async (measured: Partial<BenchResults>): Promise<void> => {
    results = { ...results, ...measured };
    await options.keep(results);
  };
  if (parts.includes(ON_CITUS)) {
    await onStage({ ...options, inItsDatabase: true }, 'default', async ({ stage, requester, owner }) => {
      await keep({ machine: describeMachine(stage.version), citus: await measureCitus(requester, owner, plan, tell) });
    });
    return;
  }
  const measureAccuracy = async (set: Set): Promise<void> => {
    const monitor = await measureMonitor({ ...set, plan: plan.monitor, tell });
    await keep({ machine: describeMachine(set.stage.version), monitor });
  };
  const isMonitored = parts.includes('monitor');
  const hasRuns = parts.some((part) => part !== 'monitor');
  if (hasRuns)
    await onStage(options, 'default', async (set) => {
      await measureRuns(options, set, keep);
      if (isMonitored && plan.isOnOneStage) await measureAccuracy(set);
    });
  if (parts.includes('score')) await measureShadow(options, keep);
  if (!isMonitored || (hasRuns && plan.isOnOneStage)) return;
  await onStage(options, 'large', async (set) => {
    await deployToFirstRow(set.requester, 'one_row');
    await measureAccuracy(set);
  });
}

type Keep = (measured: Partial<BenchResults>) => Promise<void>;
type Set = { readonly stage: Stage; readonly requester: pg.Client; readonly owner: pg.Client };

async function onStage<Result>(
  options: BenchOptions,
  size: ServerSize,
  measure: (set: Set) => Promise<Result>,
  flags: Flags = {},
): Promise<Result> {
  options.tell('starting a server and a service');
  const stage = await setStage(options, size, flags);
  const [requester, owner] = await Promise.all([asRequester(stage), asOwner(stage)]);
  try {
    await makeSource(requester, 'one_row', 1);
    return await measure({ stage, requester, owner });
  } finally {
    await Promise.all([requester.end(), owner.end()]);
    await stage.close();
  }
}

/** With a service that waits less for a shadow, so that whole cycles are measured. */
async function measureShadow(options: BenchOptions, keep: Keep): Promise<void> {
  const plan = options.plan.score;
  await onStage(
    options,
    'default',
    async ({ stage, requester, owner }) => {
      await makeSource(requester, 'loose', plan.tableRows);
      options.tell('calls of score() whose shadow hangs');
      await keep({ shadow: await measureShadowedCalls(requester, owner, stage.service.pid, plan) });
    },
    { batchSeconds: String(plan.shadowSeconds) },
  );
}

async function measureRuns(options: BenchOptions, { stage, requester, owner }: Set, keep: Keep): Promise<void> {
  const { plan, parts, tell, plpythonUrl } = options;
  tell('a model file to its first scored row');
  const firstRowSeconds = await deployToFirstRow(requester, 'one_row');
  await keep({ machine: describeMachine(stage.version) });
  if (parts.includes('idle')) {
    tell(`${plan.idleSeconds} s of nothing to do`);
    await keep({ idle: await measureIdle(owner, stage.service, plan.idleSeconds) });
  }
  if (parts.includes('score'))
    await keep({ calls: await measureScoreCalls({ stage, requester, owner, plan: plan.score, plpythonUrl, tell }) });
  if (parts.includes('tables'))
    await keep({ tables: { firstRowSeconds, ...(await measureTables(options, stage, requester, owner)) } });
  if (parts.includes('networks'))
    await keep({ networks: await measureNetworks({ stage, requester, owner, plan, tell }) });
  if (parts.includes('watch')) await keep({ watch: await measureWatch(stage, plan.watch, tell) });
}

async function measureTables(
  { plan, python, tell }: BenchOptions,
  stage: Stage,
  requester: pg.Client,
  owner: pg.Client,
): Promise<Omit<TableResults, 'firstRowSeconds'>> {
  tell(`a table of ${plan.rows} rows`);
  await makeSource(requester, 'source', plan.rows);
  const rounds = await measureRounds({ stage, requester, owner, plan, python, tell });
  tell('runs that count their features, and runs that do not');
  const countingShare = await measureCounting({ stage, requester, owner }, 'source', plan);
  // What the large runs left is tidied up now rather than by autovacuum while small ones are measured.
  await owner.query('vacuum (analyze)');
  await owner.query('checkpoint').catch(() => undefined);
  tell('runs of one row, one after the other');
  const latency = await measureLatency(requester, 'one_row', {
    unmeasured: plan.unmeasuredRuns,
    runs: plan.singleRuns,
  });
  tell(`${plan.rate} runs of one row a second for ${plan.rateSeconds} s`);
  const sustained = await sustain(stage, owner, plan);
  const memoryMib = await measureMemory(stage, requester, plan, tell);
  return { ...rounds, countingShare, memoryMib, latency, sustained };
}

async function sustain(stage: Stage, owner: pg.Client, plan: BenchPlan): Promise<TableResults['sustained']> {
  const submitters = await Promise.all(
    Array.from({ length: SUBMITTERS }, async (_, index) => {
      const client = await asRequester(stage);
      await makeSource(client, `one_row_${index}`, 1);
      return { client, source: `one_row_${index}` };
    }),
  );
  try {
    // Every scorer has its code to compile, of which the first seconds are full.
    await measureSustained(submitters, owner, plan.rate / 2, plan.rateSeconds / 2);
    return await measureSustained(submitters, owner, plan.rate, plan.rateSeconds);
  } finally {
    await Promise.all(submitters.map(({ client }) => client.end()));
  }
}

async function measureMemory(
  stage: Stage,
  requester: pg.Client,
  plan: BenchPlan,
  tell: (line: string) => void,
): Promise<TableResults['memoryMib']> {
  const small = await peakScorerMemory(requester, stage.service, 'source');
  tell(`a table of ${plan.largeRows} rows`);
  await makeSource(requester, 'large_source', plan.largeRows);
  return [
    { rows: plan.rows, peak: small },
    { rows: plan.largeRows, peak: await peakScorerMemory(requester, stage.service, 'large_source') },
  ];
}
