import type pg from 'pg';
import { backendOf } from './backend.ts';
import type { NightlyPlan } from './plan.ts';
import { cpuSecondsOf } from './process-usage.ts';
import { quantile } from './spread.ts';
import { makeSource } from './source-table.ts';
import type { Stage } from './stage.ts';
import { measureThroughput } from './throughput.ts';

/** What a nightly run over a large table costs, and what its predictions are kept for. */
export type NightlyCost = {
  readonly rows: number;
  /** CPU-seconds of the service and of the server in a run that nothing counts meanwhile. */
  readonly runCpuSeconds: number;
  /** CPU-seconds of the refresh that counts, keeps and closes it. */
  readonly refreshCpuSeconds: number;
  /** Both by the first, the median of the rounds. */
  readonly ratio: number;
};

const SOURCE = 'nightly_source';

/** Runs over the same entities, each counted by a refresh of this connection while the service has no turn to. */
export async function measureNightly(
  { stage, requester, owner }: { readonly stage: Stage; readonly requester: pg.Client; readonly owner: pg.Client },
  { rows, rounds }: NightlyPlan,
): Promise<NightlyCost | null> {
  const backend = await backendOf(owner);
  if (backend === undefined) return null;
  await makeSource(requester, SOURCE, rows);
  const costs: { run: number; refresh: number }[] = [];
  // The first one has none before it that it could take over from.
  for (let round = 0; round <= rounds; round += 1) {
    await owner.query('begin');
    await owner.query(`select pgscore_data._await_turn('cells')`);
    const run = (await measureThroughput(requester, stage.service, SOURCE, rows)).allCpuSeconds;
    const before = cpuSecondsOf(backend) ?? 0;
    await owner.query('select pgscore_data._refresh()');
    costs.push({ run, refresh: (cpuSecondsOf(backend) ?? 0) - before });
    await owner.query('commit');
  }
  const measured = costs.slice(1);
  return {
    rows,
    runCpuSeconds: middle(measured.map(({ run }) => run)),
    refreshCpuSeconds: middle(measured.map(({ refresh }) => refresh)),
    ratio: middle(measured.map(({ run, refresh }) => (run + refresh) / run)),
  };
}

function middle(values: readonly number[]): number {
  return quantile(values, 0.5);
}
