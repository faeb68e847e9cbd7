import { readFile, readdir } from 'node:fs/promises';
import type pg from 'pg';
import { PgscoreError } from '../errors.ts';
import { sqlState } from '../db/sqlstate.ts';
import { transaction } from '../db/transaction.ts';
import { retrying } from '../lib/retrying.ts';

const FOLDER = new URL('../../sql/', import.meta.url);

/** Sessions that use the views while they are replaced show themselves so. */
const IN_USE = ['40P01', '55P03', 'XX000'];

/** Runs every file of sql/, in order and in one transaction: the functions, views and grants as they are now. */
export async function defineAll(client: pg.Client): Promise<void> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.sql')).toSorted();
  const attempt = () =>
    transaction(client, async () => {
      await client.query('set local check_function_bodies = off');
      // Readers queue behind a lock that is waited for, so it is not waited for long.
      await client.query("set local lock_timeout = '3s'");
      for (const name of names) await client.query(await readFile(new URL(name, FOLDER), 'utf8')).catch(failed(name));
    });
  await retrying(attempt, {
    attempts: 10,
    pauseMs: 50,
    again: (error) => error instanceof PgscoreError && IN_USE.includes(sqlState(error.cause) ?? ''),
  });
}

function failed(name: string) {
  return (error: unknown): never => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PgscoreError('internal', `sql/${name} failed: ${reason}`, { cause: error });
  };
}
