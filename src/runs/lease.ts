import type { Link } from '../postgres/connection.ts';
import { cancelRuns } from './cancel-runs.ts';
import { renewRuns, renewShards } from './renew-leases.ts';
import type { Run } from './run.ts';
import type { RunDesk } from './worker.ts';
import type { RunMetrics } from './metrics.ts';
import type { ScorerPool } from './scorer-pool.ts';

export type Beating = {
  readonly worker: string;
  readonly leaseMs: number;
  readonly link: Link;
  readonly scorers: ScorerPool;
  readonly desk: RunDesk;
  readonly metrics: RunMetrics;
};

/** Renews the leases of all that a service has in hand, shows its progress, and drops what was cancelled or taken away. */
export async function beat(beating: Beating): Promise<void> {
  const { desk, link, metrics, worker } = beating;
  const cancelled = await link.insist((client) => cancelRuns(client, worker));
  for (const { run_id: runId, model } of cancelled) {
    metrics.ended(model, 'cancelled');
    desk.drop(runId);
  }
  await renewHeldRuns(beating, desk.runs);
  await renewHeldShards(beating);
}

async function renewHeldRuns({ worker, leaseMs, link, scorers, desk }: Beating, runs: Run[]): Promise<void> {
  if (runs.length === 0) return;
  const whole = new Map(scorers.progress.flatMap((p) => (p.job.shard === null ? [[p.job.run.runId, p] as const] : [])));
  const ids = runs.map(({ runId }) => runId);
  const done = ids.map((id) => whole.get(id)?.rowsDone ?? 0);
  const failed = ids.map((id) => whole.get(id)?.rowsFailed ?? 0);
  const held = await link.insist((client) => renewRuns(client, worker, leaseMs, ids, done, failed));
  const mine = new Set(held.map((row) => row.run_id));
  const stillHeld = new Set(desk.runs.map(({ runId }) => runId));
  for (const id of ids) if (!mine.has(id) && stillHeld.has(id)) desk.drop(id);
}

async function renewHeldShards({ worker, leaseMs, link, scorers }: Beating): Promise<void> {
  const held = scorers.progress.flatMap(({ job: { id, run, shard }, rowsDone, rowsFailed }) =>
    shard === null ? [] : [{ jobId: id, runId: run.runId, attempt: run.attempt, ...shard, rowsDone, rowsFailed }],
  );
  if (held.length === 0) return;
  const renewed = await link.insist((client) =>
    renewShards(
      client,
      worker,
      leaseMs,
      held.map((s) => s.runId),
      held.map((s) => s.attempt),
      held.map((s) => s.shard),
      held.map((s) => s.fence),
      held.map((s) => s.rowsDone),
      held.map((s) => s.rowsFailed),
    ),
  );
  const mine = new Set(renewed.map((row) => `${row.run_id}/${row.attempt}/${row.shard}`));
  const lost = held.filter(({ runId, attempt, shard }) => !mine.has(`${runId}/${attempt}/${shard}`));
  scorers.abort(({ id }) => lost.some(({ jobId }) => jobId === id));
}
