import { availableParallelism } from 'node:os';
import type pg from 'pg';
import { quantile, spreadOf } from '../figures.ts';
import type { BenchPlan } from '../plan.ts';
import type { TableResults } from '../results.ts';
import { makeSource, type Stage } from '../stage.ts';
import { measureThroughput, type Throughput } from './large-runs.ts';
import { LimitMeter, scoredBy, type Limit } from './limit.ts';
import { assembleRivals, type Rivals } from './rivals.ts';

export type Setting = {
  readonly stage: Stage;
  readonly requester: pg.Client;
  readonly owner: pg.Client;
  readonly plan: BenchPlan;
  readonly python: string;
  readonly tell: (line: string) => void;
};

type Round = {
  readonly own: Throughput;
  readonly limit: Limit | undefined;
  /** Rows a second of each rival. */
  readonly rivals: readonly number[];
};

/** pgscore, its limit and its rivals in turns, so that whatever else the machine does meets all of them. */
export async function measureRounds(
  setting: Setting,
): Promise<
  Pick<
    TableResults,
    'rowsPerSecond' | 'scorerCpuSeconds' | 'allCpuSeconds' | 'limit' | 'ofLimit' | 'rivals' | 'rivalsMissing'
  >
> {
  const { stage, requester, owner, plan } = setting;
  await measureThroughput(requester, stage.service, 'source', plan.rows);
  const scored = await scoredBy(owner, 'source', plan.rows);
  await makeSource(requester, 'few', plan.fewRows);
  const meter = await LimitMeter.prepare(stage.ownerUrl, availableParallelism(), scored);
  const rivals = await assembleRivals(setting.python, {
    url: stage.requesterUrl,
    schema: 'pgscore_bench',
    all: { source: 'source', rows: plan.rows },
    few: { source: 'few', rows: plan.fewRows },
    owner,
    versionId: scored.versionId,
  });
  try {
    return summaryOf(await takeTurns(setting, meter, rivals), rivals);
  } finally {
    await meter?.end();
    await rivals.end();
  }
}

async function takeTurns(
  { stage, requester, plan, tell }: Setting,
  meter: LimitMeter | undefined,
  rivals: Rivals,
): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let round = 1; round <= plan.rounds; round += 1) {
    tell(`round ${round} of ${plan.rounds}: pgscore, its limit${rivals.missing === null ? ', its rivals' : ''}`);
    const own = await measureThroughput(requester, stage.service, 'source', plan.rows);
    const limit = await meter?.measure();
    rounds.push({ own, limit, rivals: await rivals.measure() });
  }
  return rounds;
}

function summaryOf(rounds: readonly Round[], { missing, entered }: Rivals): Awaited<ReturnType<typeof measureRounds>> {
  const limits = rounds.flatMap(({ limit }) => (limit === undefined ? [] : [limit]));
  const shares = rounds.flatMap(({ own, limit }) =>
    limit === undefined ? [] : [own.rowsPerSecond / limit.rowsPerSecond],
  );
  const middle = middleOf(rounds.map(({ own }) => own));
  return {
    rowsPerSecond: spreadOf(rounds.map(({ own }) => own.rowsPerSecond)),
    scorerCpuSeconds: middle?.scorerCpuSeconds ?? 0,
    allCpuSeconds: middle?.allCpuSeconds ?? 0,
    limit: middleOf(limits) ?? null,
    ofLimit: shares.length === 0 ? null : spreadOf(shares),
    rivals: entered.map(({ name, rows }, index) => ({
      name,
      rows,
      rowsPerSecond: quantile(
        rounds.map((round) => round.rivals[index] ?? 0),
        0.5,
      ),
      slower: spreadOf(rounds.map(({ own, rivals }) => own.rowsPerSecond / (rivals[index] ?? 0))),
    })),
    rivalsMissing: missing,
  };
}

function middleOf<T extends { readonly rowsPerSecond: number }>(measured: readonly T[]): T | undefined {
  return measured.toSorted((one, other) => one.rowsPerSecond - other.rowsPerSecond)[Math.floor(measured.length / 2)];
}
