import type { DatabaseConnection } from '../postgres/connection.ts';
import { statement } from '../postgres/statement.ts';
import { Wakeable } from '../lib/wakeable.ts';
import type { Logger } from '../log.ts';

const LOOK_MS = 60_000;

const stopDue = statement<[], { model: string }>(
  'stop_due_experiments',
  'select model from pgscore_data._stop_due_experiments() model',
);

/** The loop that stops experiments whose `until` has passed. */
export function experimentLoop(connection: DatabaseConnection, goesOn: () => boolean, log: Logger): Wakeable {
  const stop = async (): Promise<void> => {
    if (!goesOn()) return;
    const stopped = await connection.use((client) => stopDue(client));
    for (const { model } of stopped) log.info({ model }, 'experiment stopped, as its time is over');
  };
  return new Wakeable('stopping experiments', LOOK_MS, stop, log);
}
