import type pg from 'pg';

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
