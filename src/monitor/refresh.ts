import { isTransient, sqlState } from '../postgres/sqlstate.ts';
import { statement, type Queryable } from '../postgres/statement.ts';
import type { Logger } from '../log.ts';
import { type Failure, refreshModels, type SlowModels } from './refresh-models.ts';
import { renewCalibrations } from './renew-calibrations.ts';

/** Short transactions until nothing is left; and the same model by model, where one of them fails. */
type Stage = {
  readonly step: (client: Queryable) => Promise<readonly { more: boolean }[]>;
  readonly oneByOne?: (client: Queryable) => Promise<readonly Failure[]>;
};

const computeByVersion = statement<[step: 'metrics' | 'drift' | 'estimates'], Failure>(
  'compute_by_version',
  'select model, failure from pgscore_data._compute_by_version($1)',
);

const refreshCells = statement<[], { more: boolean }>('refresh_cells', 'select pgscore_data._refresh() as more');
const METRICS: Stage = {
  step: statement<[], { more: boolean }>('compute_metrics', 'select pgscore_data._compute_metrics() as more'),
  oneByOne: (client) => computeByVersion(client, 'metrics'),
};
const DRIFT: Stage = {
  step: statement<[], { more: boolean }>('compute_drift', 'select pgscore_data._compute_drift() as more'),
  oneByOne: (client) => computeByVersion(client, 'drift'),
};
const ESTIMATES: Stage = {
  step: statement<[], { more: boolean }>('estimate_days', 'select pgscore_data._estimate() as more'),
  oneByOne: (client) => computeByVersion(client, 'estimates'),
};
const COMPARISONS: Stage = {
  step: statement<[], { more: boolean }>(
    'compare_versions',
    'select pgscore_data._compare_versions(patient => true) as more',
  ),
};

const RECENT: Stage = {
  step: statement<[], { more: boolean }>('move_recent', 'select pgscore_data._move_recent() as more'),
};

const auditCells = statement<[], { wrong: string | null }>('audit_cells', 'select pgscore_data._audit() as wrong');

/**
 * Brings the cells up to the labels and predictions that are committed, and then all that is made of them, stage by stage: the list
 * is below. Each step is a short transaction; where another session is about it, it leaves it to that one. Goes on while `goesOn`.
 *
 * A model that cannot be counted is logged and holds up no other; what it had to do is tried again the next time, or later
 * where it is `slow`.
 */
export async function refresh(
  client: Queryable,
  goesOn: () => boolean,
  log: Logger,
  slow: SlowModels = new Map(),
): Promise<void> {
  const byModel = (): Promise<readonly Failure[]> => refreshModels(client, goesOn, slow);
  if (slow.size > 0) logFailures(await byModel(), log);
  else await runStage({ step: refreshCells, oneByOne: byModel }, client, goesOn, log);
  for (const stage of [METRICS, DRIFT]) await runStage(stage, client, goesOn, log);
  await renewCalibrations(client, goesOn);
  for (const stage of [ESTIMATES, RECENT]) await runStage(stage, client, goesOn, log);
  await countLabels(client, true);
  await runStage(COMPARISONS, client, goesOn, log);
}

/** It passes when whoever holds rows of one model ends the transaction, for which others need not wait. */
const LOCK_NOT_AVAILABLE = '55P03';

async function runStage(
  { step, oneByOne }: Stage,
  client: Queryable,
  goesOn: () => boolean,
  log: Logger,
): Promise<void> {
  try {
    let more = true;
    while (more && goesOn()) more = (await step(client))[0]?.more ?? false;
  } catch (error) {
    const state = sqlState(error);
    if (oneByOne === undefined || state === undefined || (isTransient(error) && state !== LOCK_NOT_AVAILABLE))
      throw error;
    const failures = await oneByOne(client);
    if (failures.length === 0) log.warn({ err: error }, 'a refresh failed, and did not model by model');
    logFailures(failures, log);
  }
}

function logFailures(failures: readonly Failure[], log: Logger): void {
  for (const { model, failure } of failures)
    log.error({ model, reason: failure }, 'a model cannot be counted and is left out; it will be tried again');
}

const countLabels = statement<[onlyNew: boolean]>('count_labels', 'select pgscore_data._count_all_labels($1)');
const deleteMonitoring = statement<[]>('delete_monitoring', 'select pgscore_data._delete_monitoring()');

const deletePredictions = statement<[]>('delete_predictions', 'select pgscore_data._delete_predictions()');

/** Forgets what is too old, and counts the labels that judge nothing or come late. */
export async function upkeep(client: Queryable): Promise<void> {
  await deleteMonitoring(client);
  await deletePredictions(client);
  await countLabels(client, false);
}

/** At most once a night it counts some days again. Resolves with how many cells were wrong on those days. */
export async function audit(client: Queryable): Promise<number> {
  const [row] = await auditCells(client);
  return Number(row?.wrong ?? 0);
}
