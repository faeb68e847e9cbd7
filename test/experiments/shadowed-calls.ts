import type { Client } from 'pg';

import { waitFor } from '../support/wait-for.ts';

/** What pgscore.experiments says of the shadow of a model. */
export type ShadowState = {
  scored: number;
  waiting: number;
  failed: number;
  skipped: number;
  error: string | null;
};

/** Prepared, as to plan it takes longer than to run it. */
const STATE = {
  name: 'state of a shadow',
  text: `select calls_scored::int as scored, calls_waiting::int as waiting, calls_failed::int as failed, calls_skipped::int as skipped,
                arm_error as error
           from pgscore.experiments where model = $1 order by experiment_id desc limit 1`,
};

export async function shadowState(client: Client, model: string): Promise<ShadowState> {
  const { rows } = await client.query<ShadowState>({ ...STATE, values: [model] });
  const [state] = rows;
  if (state === undefined) throw new Error(`${model} has no experiment`);
  return state;
}

/** Resolves when the shadow of a model is so. */
export async function shadowIs(
  client: Client,
  model: string,
  condition: (state: ShadowState) => boolean,
  timeout = 30_000,
): Promise<ShadowState> {
  let last: ShadowState | undefined;
  const look = async (): Promise<ShadowState | undefined> => {
    last = await shadowState(client, model);
    return condition(last) ? last : undefined;
  };
  return waitFor(look, { timeout, message: `the shadow of ${model}` }).catch((error: unknown) => {
    throw new Error(`the shadow of ${model} is ${JSON.stringify(last)}`, { cause: error });
  });
}

/** Has a model's version 2 in the shadow of version 1. */
export async function startShadow(ada: Client, model: string, sampling = 1): Promise<void> {
  const text = `select pgscore.start_experiment($1, kind => 'shadow', arms => $2, sampling => $3)`;
  await ada.query(text, [model, { [`${model}@2`]: 100 }, sampling]);
}

/** Resolves when a statement of a role waits for a lock. */
export async function lockWaiter(superuser: Client, role: string): Promise<void> {
  const waits = `select from pg_stat_activity where datname = current_database() and usename = $1 and wait_event_type = 'Lock'`;
  const look = async (): Promise<boolean> => (await superuser.query(waits, [role])).rows.length > 0;
  await waitFor(look, { message: `a statement of ${role} that waits for a lock` });
}
