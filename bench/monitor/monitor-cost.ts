import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { quantile } from '../figures.ts';
import type { MonitorPlan } from '../plan.ts';
import type { Stage } from '../stage.ts';
import { TREES } from '../tables/small-runs.ts';
import { makeHistories, planHistory } from './history.ts';
import { measureKeptNights, measureNightly, planNights, type KeptNights, type NightlyCost } from './nightly.ts';
import { measureMaterialised, measureRefresh, type Change, type RefreshCost } from './refresh-cost.ts';
import { measureViews, type ViewCost } from './view-cost.ts';

/** What watching over a model costs. */
export type MonitorCost = {
  readonly predictions: number;
  readonly refreshes: readonly RefreshCost[];
  readonly materialisedMs: number;
  /** The middle number of labels that arrive, over a history of a tenth. */
  readonly small: { readonly predictions: number; readonly cost: RefreshCost };
  /** What analysts and the page ask, the slowest first. */
  readonly views: readonly ViewCost[];
  /** null where the server's processes are not on this machine. */
  readonly nightly: NightlyCost | null;
  readonly kept: KeptNights;
};

export type MonitorSetting = {
  readonly stage: Stage;
  readonly requester: pg.Client;
  readonly owner: pg.Client;
  readonly plan: MonitorPlan;
  readonly tell: (line: string) => void;
};

/** Changes labels over a short and a long history. The service is stopped first: it would take the changes itself. */
export async function measureMonitor({ stage, requester, owner, plan, tell }: MonitorSetting): Promise<MonitorCost> {
  const trees = await readFile(TREES);
  for (const model of ['short', 'long', 'nights']) {
    // None of them is asked for a single row.
    const deploy = 'select pgscore.deploy($1, $2, native => false) as version';
    const { rows } = await requester.query<{ version: string }>(deploy, [model, trees]);
    const wait = `call pgscore.wait_for_version(${requester.escapeLiteral(rows[0]?.version ?? '')})`;
    await requester.query(wait);
  }
  const small = plan.predictions / 10;
  const short = await planHistory(requester, owner, 'short', small);
  const long = await planHistory(requester, owner, 'long', plan.predictions);
  await planNights(requester, 'nights');
  tell(`nightly runs of ${plan.nightly.rows} rows`);
  const nightly = await measureNightly({ stage, requester, owner }, plan.nightly);
  await stage.service.stop();
  tell(`${plan.nightly.nights} nights that are kept`);
  const kept = await measureKeptNights(owner, 'nights', plan.nightly);
  tell(`histories of ${small} and ${plan.predictions} predictions`);
  await makeHistories(owner, [short, long]);
  // As the service's connection has it.
  await owner.query('set synchronous_commit = off');
  tell(`refreshes after ${plan.compared} labels of the shorter one`);
  await measureRefresh(owner, short, 'corrected', 1);
  const compared = await typical(plan, () => measureRefresh(owner, short, 'arrived', plan.compared));
  const refreshes: RefreshCost[] = [];
  for (const labels of plan.labels) {
    for (const change of labels === 0 ? (['corrected'] as const) : CHANGES) {
      tell(`refreshes after ${labels} labels, ${change}`);
      refreshes.push(await typical(plan, () => measureRefresh(owner, long, change, labels)));
    }
  }
  tell('what analysts ask');
  const views = await measureViews(owner, 'long');
  tell('the same as a materialised view');
  const materialisedMs = await measureMaterialised(owner, long);
  return {
    predictions: plan.predictions,
    refreshes,
    materialisedMs,
    small: { predictions: small, cost: compared },
    views,
    nightly,
    kept,
  };
}

const CHANGES: readonly Change[] = ['arrived', 'corrected'];

/** The median of some rounds, of each number by itself. */
async function typical({ rounds }: MonitorPlan, measure: () => Promise<RefreshCost>): Promise<RefreshCost> {
  const costs: RefreshCost[] = [];
  for (let round = 0; round < rounds; round += 1) costs.push(await measure());
  const median = (read: (cost: RefreshCost) => number): number => quantile(costs.map(read), 0.5);
  return {
    change: costs[0]?.change ?? 'corrected',
    labels: costs[0]?.labels ?? 0,
    cellsMs: median(({ cellsMs }) => cellsMs),
    metricsMs: median(({ metricsMs }) => metricsMs),
  };
}
