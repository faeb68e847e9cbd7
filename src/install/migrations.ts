import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { Kysely, Migrator, PostgresDialect, sql } from 'kysely';
import type { Migration, MigrationProvider } from 'kysely';
import pg from 'pg';
import { PgscoreError } from '../errors.ts';

const FOLDER = new URL('../../migrations/', import.meta.url);

export type MigrationFile = { readonly name: string; readonly text: string; readonly sha256: string };

/** The numbered files of migrations/, in order. */
export async function migrationFiles(): Promise<MigrationFile[]> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.sql')).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(new URL(name, FOLDER), 'utf8');
      return { name: name.replace(/\.sql$/, ''), text, sha256: createHash('sha256').update(text).digest('hex') };
    }),
  );
}

class SqlFiles implements MigrationProvider {
  readonly #files: readonly MigrationFile[];

  constructor(files: readonly MigrationFile[]) {
    this.#files = files;
  }

  getMigrations(): Promise<Record<string, Migration>> {
    const run = (file: MigrationFile): Migration => ({
      up: async (db) => void (await sql.raw(file.text).execute(db)),
    });
    return Promise.resolve(Object.fromEntries(this.#files.map((file) => [file.name, run(file)])));
  }
}

/** Runs the migrations that this database has not seen, each once, as pgscore_owner; returns their names. */
export async function runMigrations(connection: pg.PoolConfig): Promise<string[]> {
  const files = await migrationFiles();
  const pool = new pg.Pool({
    ...connection,
    max: 1,
    options: '-c search_path=pg_catalog,pg_temp -c client_min_messages=warning',
  });
  pool.on('error', () => undefined);
  const db = new Kysely<unknown>({
    dialect: new PostgresDialect({
      pool,
      onCreateConnection: async (fresh) => void (await fresh.executeQuery(sql`set role pgscore_owner`.compile(db))),
    }),
  });
  try {
    const migrator = new Migrator({
      db,
      provider: new SqlFiles(files),
      migrationTableSchema: 'pgscore_data',
      migrationTableName: 'migration',
      migrationLockTableName: 'migration_lock',
    });
    const { error, results } = await migrator.migrateToLatest();
    if (error !== undefined) throw failed(error, results?.find((result) => result.status === 'Error')?.migrationName);
    return (results ?? []).map((result) => result.migrationName);
  } finally {
    await db.destroy();
  }
}

function failed(error: unknown, name: string | undefined): Error {
  const reason = error instanceof Error ? error.message : String(error);
  if (/corrupted migrations/.test(reason)) {
    return new PgscoreError('not_installed', 'this database was installed by a newer pgscore', {
      remedy: 'Run the same version of pgscore, or a newer one.',
      cause: error,
    });
  }
  return new PgscoreError('internal', `migration ${name ?? ''} failed: ${reason}`, { cause: error });
}
