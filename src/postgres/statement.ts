import type pg from 'pg';
import { PipelinedStatement, runPipeline } from './pipeline.ts';

/** A client, or what runs its queries for it. No pool: it knows of no pipelines. */
export type Queryable = Pick<pg.ClientBase, 'query'>;

/**
 * A named statement, prepared once a connection. `Row` is what it returns; the values are always parameters. `pipelined` is the
 * same as part of a pipeline.
 */
export function statement<Values extends readonly unknown[], Row extends object = never>(name: string, text: string) {
  const pipelined = (...values: Values): PipelinedStatement<Row> => new PipelinedStatement<Row>({ name, text, values });
  const run = async (client: Queryable, ...values: Values): Promise<readonly Row[]> => {
    const alone = pipelined(...values);
    await runPipeline(client, [alone]);
    return alone.rows;
  };
  return Object.assign(run, { pipelined });
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
