import { statement, type Queryable } from '../postgres/statement.ts';
import type { Logger } from '../log.ts';

const stopDue = statement<[], { model: string }>(
  'stop_due_experiments',
  'select model from pgscore_data._stop_due_experiments() model',
);

/** Stops experiments that were to run until now. */
export async function stopDueExperiments(client: Queryable, log: Logger): Promise<void> {
  for (const { model } of await stopDue(client)) log.info({ model }, 'experiment stopped, as its time is over');
}
