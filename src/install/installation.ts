import type pg from 'pg';
import { statement } from '../postgres/statement.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import { PgscoreError } from '../errors.ts';
import { ident } from '../lib/text.ts';

/** Records, at the first install, which cluster and database this is, and at every one the version of pgscore. */
export const recordInstallation = statement<[version: string]>(
  'record_installation',
  `insert into pgscore_data.installation (system_identifier, database_oid, version)
   select (select system_identifier from pg_control_system()), (select oid from pg_database where datname = current_database()), $1
   on conflict (singleton) do update set version = excluded.version`,
);

/**
 * Makes this database the installation, after it was restored from a backup of another. The gateways in the backup are
 * those of the other's services, and so are its keys; the copy's own put themselves on the list again with their next heartbeat.
 * Sources of watches and labels are compared: what they wait for are sessions and transactions of the other's server, and by its
 * transactions labels are told to be newer than a comparison.
 */
export const adoptInstallation = statement<[]>(
  'adopt_installation',
  `with theirs as (delete from pgscore_data.gateway),
        keys as (update pgscore_data.signing_keys set inner_key = default, outer_key = default),
        watches as (update pgscore_data.watch
                       set compare_after = clock_timestamp(), compare_until = null, busy_until = null, busy_pid = null),
        labels as (update pgscore_data.label_source set compare_after = clock_timestamp()),
        changes as (update pgscore_data.label_change set captured_in = default),
        taken as (delete from pgscore_data.taken_change),
        requests as (update pgscore_data.comparison_request set requested_in = default)
   update pgscore_data.installation
      set system_identifier = (select system_identifier from pg_control_system()),
          database_oid = (select oid from pg_database where datname = current_database()),
          adopted_at = clock_timestamp()`,
);

export type InstallationState = 'missing' | 'original' | 'copy';

const readInstallation = statement<[], { original: boolean }>(
  'read_installation',
  `select system_identifier = (select system_identifier from pg_control_system())
      and database_oid = (select oid from pg_database where datname = current_database()) as original
     from pgscore_data.installation`,
);

/** Whether pgscore is installed here, and whether this database is the one it was installed in or a restored copy. */
export async function installationState(client: pg.ClientBase): Promise<InstallationState> {
  try {
    const [row] = await readInstallation(client);
    if (row === undefined) return 'missing';
    return row.original ? 'original' : 'copy';
  } catch (error) {
    if (['42P01', '3F000'].includes(sqlState(error) ?? '')) return 'missing';
    throw error;
  }
}

/**
 * Makes a restored copy the installation, and tells what the database was before; nothing changes in an original.
 *
 * @throws PgscoreError `not_installed`, or `missing_right` to a role that is no member of pgscore_owner
 */
export function adopt(client: pg.Client): Promise<InstallationState> {
  return asOwner(client, async () => {
    const state = await installationState(client);
    if (state === 'missing') throw notInstalled(client.database ?? '');
    if (state === 'copy') await adoptInstallation(client);
    return state;
  });
}

/** Where a database has no pgscore, and what to do about it. */
export function notInstalled(database: string): PgscoreError {
  return new PgscoreError('not_installed', `database "${database}" has no pgscore`, {
    remedy: 'Install it as the owner of the database: pgscore migrate',
  });
}

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
