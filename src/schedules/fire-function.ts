import { statement, type Queryable } from '../postgres/statement.ts';

const fireFunction = statement<[scheduleId: number], { version: string | null }>(
  'fire_function',
  'select pgscore_data._fire_function($1) as version',
);

/** The version of a schedule's function, if it is as pgscore.schedule() made it; else its owner has dropped or changed it. */
export async function fireFunctionVersion(service: Queryable, scheduleId: number): Promise<string | undefined> {
  const [row] = await fireFunction(service, scheduleId);
  return row?.version ?? undefined;
}
