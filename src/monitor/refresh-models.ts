import { isConnectionLoss, sqlState } from '../postgres/sqlstate.ts';
import { statement, type Queryable } from '../postgres/statement.ts';

/** What could not be brought up to date, and why. */
export type Failure = { readonly model: string; readonly failure: string };

/** Models whose refresh was cancelled, as by its timeout, and when each is tried again, by `performance.now()`. */
export type SlowModels = Map<number, number>;

const modelsToRefresh = statement<[], { id: number; name: string }>(
  'models_to_refresh',
  'select model_id as id, name from pgscore_data._models_to_refresh()',
);
const refreshModel = statement<[model: number], { more: boolean }>(
  'refresh_model',
  'select pgscore_data._refresh(only_model => $1) as more',
);

const QUERY_CANCELED = '57014';
/** So that a slow model takes a twentieth of the time. */
const REST_FACTOR = 20;

/**
 * Refreshes each model by statements of its own, while `goesOn`. A model that was cancelled rests for twenty times as long as
 * it took; then it comes last.
 */
export async function refreshModels(
  client: Queryable,
  goesOn: () => boolean,
  slow: SlowModels,
): Promise<readonly Failure[]> {
  const due = await modelsToRefresh(client);
  for (const id of slow.keys()) if (!due.some((model) => model.id === id)) slow.delete(id);
  const failures: Failure[] = [];
  for (const { id, name } of due.toSorted((a, b) => Number(slow.has(a.id)) - Number(slow.has(b.id)))) {
    const began = performance.now();
    if (!goesOn() || began < (slow.get(id) ?? 0)) continue;
    slow.delete(id);
    const error = await refreshOne(client, id, goesOn);
    if (error === undefined) continue;
    const ended = performance.now();
    if (sqlState(error) === QUERY_CANCELED) slow.set(id, ended + REST_FACTOR * (ended - began));
    failures.push({ model: name, failure: error.message });
  }
  return failures;
}

/** Resolves with what the database raised about this model. */
async function refreshOne(client: Queryable, model: number, goesOn: () => boolean): Promise<Error | undefined> {
  try {
    let more = true;
    while (more && goesOn()) more = (await refreshModel(client, model))[0]?.more ?? false;
    return undefined;
  } catch (error) {
    if (error instanceof Error && sqlState(error) !== undefined && !isConnectionLoss(error)) return error;
    throw error;
  }
}
