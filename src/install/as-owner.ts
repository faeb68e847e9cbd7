import type pg from 'pg';

/** Does `work` with the rights of pgscore_owner, and takes them off again. */
export async function asOwner<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('set role pgscore_owner');
  try {
    return await work();
  } finally {
    await client.query('reset role').catch(() => undefined);
  }
}
