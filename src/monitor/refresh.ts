import { statement, type Queryable } from '../db/statement.ts';
import { renewCalibrations } from './renew-calibrations.ts';
import { renewClassCalibrations } from './renew-class-calibrations.ts';

const refreshCells = statement<[], { more: boolean }>('refresh_cells', 'select pgscore_data._refresh() as more');
const computeMetrics = statement<[], { more: boolean }>(
  'compute_metrics',
  'select pgscore_data._compute_metrics() as more',
);
const computeDrift = statement<[], { more: boolean }>('compute_drift', 'select pgscore_data._compute_drift() as more');
const estimateDays = statement<[], { more: boolean }>('estimate_days', 'select pgscore_data._estimate() as more');
const compareVersions = statement<[], { more: boolean }>(
  'compare_versions',
  'select pgscore_data._compare_versions(patient => true) as more',
);

const auditCells = statement<[], { wrong: string | null }>('audit_cells', 'select pgscore_data._audit() as wrong');

/**
 * Brings cells up to the labels and predictions that are committed, then the metrics that are made of them, what scores mean
 * by them, what is to be expected without them, and how versions compare, in steps that are short transactions each; where another session is about it, it leaves it to that one. Goes on while `goesOn`.
 */
export async function refresh(client: Queryable, goesOn: () => boolean): Promise<void> {
  await repeat([refreshCells, computeMetrics, computeDrift], client, goesOn);
  await renewCalibrations(client, goesOn);
  await renewClassCalibrations(client, goesOn);
  await repeat([estimateDays, compareVersions], client, goesOn);
}

async function repeat(
  steps: readonly (typeof refreshCells)[],
  client: Queryable,
  goesOn: () => boolean,
): Promise<void> {
  for (const step of steps) {
    let more = true;
    while (more && goesOn()) more = (await step(client))[0]?.more ?? false;
  }
}

const forgetMonitoring = statement<[]>('forget_monitoring', 'select pgscore_data._forget_monitoring()');

/** Counts some days again, at most once a night, and forgets what is too old; resolves with how many cells were wrong. */
export async function audit(client: Queryable): Promise<number> {
  await forgetMonitoring(client);
  const [row] = await auditCells(client);
  return Number(row?.wrong ?? 0);
}
