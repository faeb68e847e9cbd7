import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Kysely, Migrator, PostgresAdapter, PostgresDialect, sql, type Migration, type PostgresPool } from 'kysely';
import type pg from 'pg';
import { PgscoreError } from '../errors.ts';
import { packageFile } from '../lib/package-file.ts';
import { transaction } from '../postgres/statement.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import { retrying } from '../lib/retry.ts';

const FOLDER = packageFile('migrations');

type MigrationFile = { readonly name: string; readonly text: string; readonly sha256: string };

/** The numbered files of migrations/, in order. */
export async function migrationFiles(): Promise<MigrationFile[]> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.sql')).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(FOLDER, name), 'utf8');
      return { name: name.replace(/\.sql$/, ''), text, sha256: createHash('sha256').update(text).digest('hex') };
    }),
  );
}

/** Runs the migrations that this database has not seen, each once, all in one transaction; returns their names. */
export async function runMigrations(client: pg.Client): Promise<string[]> {
  const files = await migrationFiles();
  await refuseNewer(client, files);
  const db = new Kysely<unknown>({ dialect: new LockedDialect({ pool: poolOf(client) }) });
  const migrator = new Migrator({
    db,
    provider: {
      getMigrations: () => Promise.resolve(Object.fromEntries(files.map((file) => [file.name, once(file)]))),
    },
    migrationTableSchema: 'pgscore_data',
    migrationTableName: 'migration',
    migrationLockTableName: 'migration_lock',
  });
  return whileInUse(async () => {
    const { error, results } = await migrator.migrateToLatest();
    if (error !== undefined) throw failed(error, results?.find((result) => result.status === 'Error')?.migrationName);
    return (results ?? []).map((result) => result.migrationName);
  });
}

/** Whoever migrates has the lock of installers; kysely's own is an advisory one that anybody can hold, and it waits an hour. */
class LockedDialect extends PostgresDialect {
  override createAdapter(): PostgresAdapter {
    return new LockedAdapter();
  }
}

class LockedAdapter extends PostgresAdapter {
  override async acquireMigrationLock(): Promise<void> {}
  override async releaseMigrationLock(): Promise<void> {}
}

function once({ text }: MigrationFile): Migration {
  return {
    up: async (db) => {
      await sql.raw(LOCK_TIMEOUT).execute(db);
      await sql.raw(text).execute(db);
    },
  };
}

/** The one connection, with its role and its lock, as the pool that kysely wants. */
function poolOf(client: pg.Client): PostgresPool {
  return {
    connect: () => Promise.resolve({ query: client.query.bind(client), release: () => undefined }),
    end: () => Promise.resolve(),
  };
}

/** The migrations that a database has run and these files do not have. */
async function refuseNewer(client: pg.Client, files: readonly MigrationFile[]): Promise<void> {
  const { rows: tables } = await client.query<{ made: boolean }>(
    "select to_regclass('pgscore_data.migration') is not null as made",
  );
  if (tables[0]?.made !== true) return;
  const { rows } = await client.query<{ name: string }>(
    'select name from pgscore_data.migration where name <> all ($1) order by name limit 1',
    [files.map(({ name }) => name)],
  );
  if (rows[0] === undefined) return;
  throw new PgscoreError('not_installed', `this database was installed by a newer pgscore: it has ${rows[0].name}`, {
    remedy: 'Run the same version of pgscore, or a newer one.',
  });
}

function failed(error: unknown, name: string | undefined): PgscoreError {
  const reason = error instanceof Error ? error.message : String(error);
  return new PgscoreError('internal', `migration ${name ?? ''} failed: ${reason}`, { cause: error });
}

const SQL = packageFile('sql');

/** Runs the files that sql/order.txt lists, in one transaction: the functions, views and grants as they are now. */
export async function defineAll(client: pg.Client): Promise<void> {
  const names = (await readFile(join(SQL, 'order.txt'), 'utf8')).split('\n').filter(Boolean);
  const attempt = () =>
    transaction(client, async () => {
      await client.query('set local check_function_bodies = off');
      await client.query(LOCK_TIMEOUT);
      for (const name of names) await client.query(await readFile(join(SQL, name), 'utf8')).catch(notDefined(name));
    });
  await whileInUse(attempt);
}

function notDefined(name: string) {
  return (error: unknown): never => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PgscoreError('internal', `sql/${name} failed: ${reason}`, { cause: error });
  };
}

/** Sessions that use what is being changed show themselves so. */
const IN_USE = ['40P01', '55P03', 'XX000'];

/** For the transaction. Readers queue behind a lock that is waited for, so it is not waited for long. */
const LOCK_TIMEOUT = "set local lock_timeout = '3s'";

/** Tries a transaction that changes what others use until it got its locks, at most ten times. */
async function whileInUse<Result>(attempt: () => Promise<Result>): Promise<Result> {
  try {
    return await retrying(attempt, { attempts: 10, pauseMs: 50, again: isInUse });
  } catch (error) {
    if (!isInUse(error)) throw error;
    throw new PgscoreError(error.code, error.message, {
      remedy:
        'End the transactions that are open in this database (state, query and pid are in pg_stat_activity), and migrate again.',
      cause: error.cause,
    });
  }
}

function isInUse(error: unknown): error is PgscoreError {
  return error instanceof PgscoreError && IN_USE.includes(sqlState(error.cause) ?? '');
}
