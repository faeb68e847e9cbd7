import type pg from 'pg';
import { sqlState } from '../postgres/sqlstate.ts';
import { PgscoreError } from '../errors.ts';
import { ident } from '../lib/text.ts';

/**
 * Does `work` with the rights of pgscore_owner, and takes them off again.
 *
 * @throws PgscoreError `missing_right` to a role that is no member of pgscore_owner; `not_installed` where there is none
 */
export async function asOwner<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query('set role pgscore_owner').catch((error: unknown) => refused(client, error));
  try {
    return await work();
  } finally {
    await client.query('reset role').catch(() => undefined);
  }
}

async function refused(client: pg.ClientBase, error: unknown): Promise<never> {
  const state = sqlState(error);
  if (state === '22023') {
    throw new PgscoreError('not_installed', 'this server has no role "pgscore_owner"', {
      remedy: 'Install pgscore as the owner of the database: pgscore migrate',
      cause: error,
    });
  }
  if (state !== '42501') throw error;
  const { rows } = await client.query<{ role: string }>('select current_user as role');
  const role = rows[0]?.role ?? '';
  throw new PgscoreError('missing_right', `role "${role}" is not a member of "pgscore_owner"`, {
    remedy: `As the role that installed pgscore, or a superuser, run: grant pgscore_owner to ${ident(role)};`,
    cause: error,
  });
}
