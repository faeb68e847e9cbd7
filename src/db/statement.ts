import type pg from 'pg';

/** Anything that runs a query: a client, or a pool. */
export type Queryable = Pick<pg.ClientBase, 'query'>;

/**
 * A named statement, prepared once a connection. `Row` is what it returns; the values are always parameters.
 */
export function statement<Values extends readonly unknown[], Row extends object = never>(name: string, text: string) {
  return async (client: Queryable, ...values: Values): Promise<Row[]> => {
    const result = await client.query<Row & pg.QueryResultRow>({ name, text, values: [...values] });
    return result.rows;
  };
}
