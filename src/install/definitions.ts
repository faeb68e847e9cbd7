import { readFile, readdir } from 'node:fs/promises';
import type pg from 'pg';
import { PgscoreError } from '../errors.ts';
import { transaction } from '../db/transaction.ts';

const FOLDER = new URL('../../sql/', import.meta.url);

/** Runs every file of sql/, in order and in one transaction, as pgscore_owner: the functions, views and grants as they are now. */
export async function defineAll(client: pg.Client): Promise<void> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.sql')).toSorted();
  await client.query('set role pgscore_owner');
  try {
    await transaction(client, async () => {
      await client.query('set local check_function_bodies = off');
      for (const name of names) await define(client, name);
    });
  } finally {
    await client.query('reset role').catch(() => undefined);
  }
}

async function define(client: pg.Client, name: string): Promise<void> {
  try {
    await client.query(await readFile(new URL(name, FOLDER), 'utf8'));
  } catch (error) {
    throw new PgscoreError(
      'internal',
      `sql/${name} failed: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}
