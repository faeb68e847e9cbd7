import type pg from 'pg';
import { Step } from './trip.ts';

/** Anything that runs a query: a client, or a pool. */
export type Queryable = Pick<pg.ClientBase, 'query'>;

/**
 * A named statement, prepared once a connection. `Row` is what it returns; the values are always parameters. `step` is the
 * same as part of a trip.
 */
export function statement<Values extends readonly unknown[], Row extends object = never>(name: string, text: string) {
  const run = async (client: Queryable, ...values: Values): Promise<Row[]> => {
    const result = await client.query<Row & pg.QueryResultRow>({ name, text, values: [...values] });
    return result.rows;
  };
  const step = (...values: Values): Step<Row> => new Step<Row>({ name, text, values });
  return Object.assign(run, { step });
}
