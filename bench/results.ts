import { availableParallelism, cpus, release, totalmem, type as system } from 'node:os';
import { citusRequirements, type CitusCost } from './citus.ts';
import type { Requirement, Spread } from './figures.ts';
import { idleRequirements, type Idle } from './idle.ts';
import type { MonitorCost } from './monitor/monitor-cost.ts';
import { monitorRequirements } from './monitor/monitor-report.ts';
import type { BenchPlan } from './plan.ts';
import type { ScoreCalls } from './score/score-calls.ts';
import { scoreRequirements } from './score/score-report.ts';
import { shadowRequirements, type ShadowedCalls } from './score/shadow.ts';
import type { Limit } from './tables/limit.ts';
import { networkRequirements, type NetworkCost } from './tables/networks.ts';
import { watchRequirements, type WatchCost } from './watch.ts';
import type { Latency, Sustained } from './tables/small-runs.ts';

/** All that one bench measured. */
export type BenchResults = {
  readonly measuredAt: string;
  readonly machine: Machine;
  readonly plan: BenchPlan;
  /** Having nothing to do; null where it was not measured. */
  readonly idle: Idle | null;
  /** Whole tables; null where they were not measured. */
  readonly tables: TableResults | null;
  /** Whole tables by models that ONNX Runtime computes; null where they were not measured. */
  readonly networks: readonly NetworkCost[] | null;
  /** score() inside of queries; null where it was not measured. */
  readonly calls: ScoreCalls | null;
  /** Calls of a model whose shadow hangs; null where they were not measured. */
  readonly shadow: ShadowedCalls | null;
  /** Following a table; null where it was not measured. */
  readonly watch: WatchCost | null;
  /** Keeping accuracy up to date; null where it was not measured. */
  readonly monitor: MonitorCost | null;
  /** Tables on the nodes of Citus; null where they were not measured. */
  readonly citus: CitusCost | null;
};

export type TableResults = {
  readonly firstRowSeconds: number;
  readonly rowsPerSecond: Spread;
  readonly scorerCpuSeconds: number;
  readonly allCpuSeconds: number;
  /** null where the server's processes are not on this machine. */
  readonly limit: Limit | null;
  /** pgscore's rate by the limit's, in rounds that stand next to each other. */
  readonly ofLimit: Spread | null;
  /** Of a run's CPU time, what counting its features for the monitor takes. */
  readonly countingShare: Spread;
  readonly memoryMib: { readonly rows: number; readonly peak: number }[];
  readonly latency: Latency;
  readonly sustained: Sustained;
  readonly rivals: {
    readonly name: string;
    readonly rows: number;
    readonly rowsPerSecond: number;
    /** pgscore's rate by this one's, in rounds that stand next to each other. */
    readonly slower: Spread;
  }[];
  /** Why there are no rivals; null where there are. */
  readonly rivalsMissing: string | null;
};

/** What is asked of pgscore, and whether these results meet it; null where it was not measured. */
export function requirements({
  idle,
  tables,
  networks,
  calls,
  shadow,
  watch,
  monitor,
  citus,
}: BenchResults): Requirement[] {
  return [
    ...(idle === null ? [] : idleRequirements(idle)),
    ...(tables === null ? [] : tableRequirements(tables)),
    ...(networks === null ? [] : networkRequirements(networks)),
    ...(calls === null ? [] : scoreRequirements(calls)),
    ...(shadow === null ? [] : shadowRequirements(shadow)),
    ...(watch === null ? [] : watchRequirements(watch)),
    ...(monitor === null ? [] : monitorRequirements(monitor)),
    ...(citus === null ? [] : citusRequirements(citus)),
  ];
}

function tableRequirements(results: TableResults): Requirement[] {
  const { ofLimit, countingShare, memoryMib, latency, sustained, firstRowSeconds } = results;
  const [small, large] = memoryMib;
  return [
    {
      what: 'at least 0.85 of the limit',
      measured: ofLimit === null ? 'not measured' : ofLimit.median.toFixed(2),
      met: ofLimit === null ? null : ofLimit.median >= 0.85,
    },
    { ...against(results, 'expert', 1), what: "faster than the expert's Python" },
    { ...against(results, 'pandas script', 7), what: 'at least 7 times the pandas script' },
    {
      what: 'counting features takes at most 10 % of the CPU time of a run',
      measured: `${(100 * countingShare.median).toFixed(1)} %`,
      met: countingShare.median <= 0.1,
    },
    {
      what: 'a scorer stays under 300 MiB',
      measured: `${Math.round(large?.peak ?? 0)} MiB`,
      met: memoryMib.every(({ peak }) => peak < 300),
    },
    {
      what: 'its memory is flat from the small to the large table',
      measured: `${Math.round(small?.peak ?? 0)} to ${Math.round(large?.peak ?? 0)} MiB`,
      met: small === undefined || large === undefined ? null : large.peak < 1.1 * small.peak,
    },
    {
      what: 'a run of one row in under 8 ms at the median',
      measured: `${latency.medianMs.toFixed(1)} ms`,
      met: latency.medianMs < 8,
    },
    {
      what: `${sustained.rate} runs a second without a growing backlog`,
      measured: `${Math.round(sustained.submittedRate)} submitted, backlog ${sustained.backlog.at(-1) ?? 0} at the end`,
      met: !sustained.grows,
    },
    {
      what: 'from a model file to the first scored row in under 2 s',
      measured: `${firstRowSeconds.toFixed(2)} s`,
      met: firstRowSeconds < 2,
    },
  ];
}

function against({ rivals }: TableResults, name: string, times: number): Omit<Requirement, 'what'> {
  const rival = rivals.find((candidate) => candidate.name.includes(name));
  if (rival === undefined) return { measured: 'not measured', met: null };
  return { measured: `${rival.slower.median.toFixed(2)} times`, met: rival.slower.median > times };
}

/** What the numbers were measured on. */
export type Machine = {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  readonly postgresql: string;
};

export function describeMachine(postgresql: string): Machine {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${system()} ${release()}`,
    node: process.versions.node,
    postgresql,
  };
}
