import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { PgscoreError } from '../errors.ts';
import { transaction } from '../postgres/statement.ts';
import { packageFile } from '../lib/package-file.ts';
import { LOCK_TIMEOUT, whileInUse } from './while-in-use.ts';

const FOLDER = packageFile('sql');

/** Runs the files that sql/order.txt lists, in one transaction: the functions, views and grants as they are now. */
export async function defineAll(client: pg.Client): Promise<void> {
  const names = (await readFile(join(FOLDER, 'order.txt'), 'utf8')).split('\n').filter(Boolean);
  const attempt = () =>
    transaction(client, async () => {
      await client.query('set local check_function_bodies = off');
      await client.query(LOCK_TIMEOUT);
      for (const name of names) await client.query(await readFile(join(FOLDER, name), 'utf8')).catch(failed(name));
    });
  await whileInUse(attempt);
}

function failed(name: string) {
  return (error: unknown): never => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PgscoreError('internal', `sql/${name} failed: ${reason}`, { cause: error });
  };
}
