import type pg from 'pg';
import { Step, together } from './pipeline.ts';

/** A client, or what runs its queries for it. No pool: it knows of no trips. */
export type Queryable = Pick<pg.ClientBase, 'query'>;

/**
 * A named statement, prepared once a connection. `Row` is what it returns; the values are always parameters. `step` is the
 * same as part of a trip.
 */
export function statement<Values extends readonly unknown[], Row extends object = never>(name: string, text: string) {
  const step = (...values: Values): Step<Row> => new Step<Row>({ name, text, values });
  const run = async (client: Queryable, ...values: Values): Promise<readonly Row[]> => {
    const alone = step(...values);
    await together(client, [alone]);
    return alone.rows;
  };
  return Object.assign(run, { step });
}

/** Runs `work` in a transaction. On an error it rolls back as far as the connection still allows, and rethrows. */
export async function transaction<T>(client: pg.ClientBase, work: () => Promise<T>, begin = 'begin'): Promise<T> {
  await client.query(begin);
  try {
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}
