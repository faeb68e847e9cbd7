import type pg from 'pg';
import { keepDdlLocal, prepareWorkers } from '../citus/nodes.ts';
import { connect } from '../postgres/connect.ts';
import { VERSION } from '../version.ts';
import { asOwner } from './as-owner.ts';
import { ensureDblink, type Dblink } from './dblink.ts';
import { defineAll } from './definitions.ts';
import { takeInstallLock } from './install-lock.ts';
import { installationState, recordInstallation, type InstallationState } from './installation.ts';
import { runMigrations } from './migrations.ts';
import { setPassword } from './password.ts';
import { createPublicScore, type PublicScore } from './public-score.ts';
import { createMissingOnWorkers, ensureRoles } from './roles.ts';
import { ensureSchemas } from './schemas.ts';
import { checkServer } from './server.ts';

export type MigrateOptions = {
  readonly url: string | undefined;
  readonly servicePassword?: string | undefined;
  readonly readerPassword?: string | undefined;
  /** Also makes public.score(); true by default. */
  readonly publicScore?: boolean | undefined;
  /** How long to wait for another installer; five minutes by default. */
  readonly waitMs?: number | undefined;
  /** Is told whom it waits for. */
  readonly tell?: ((line: string) => void) | undefined;
};

/** What an install changed; nothing, where the database was up to date. */
export type Migrated = {
  readonly database: string;
  readonly version: string;
  readonly createdRoles: string[];
  readonly applied: string[];
  readonly passwords: string[];
  readonly state: InstallationState;
  readonly publicScore: PublicScore | 'not asked for';
  readonly dblink: Dblink;
};

const WAIT_MS = 300_000;

/** Installs pgscore or brings it up to date: roles, schemas, migrations once, definitions always. Safe when ten do it at once. */
export async function migrate(options: MigrateOptions): Promise<Migrated> {
  const client = await connect({ url: options.url, applicationName: 'pgscore migrate' });
  try {
    await checkServer(client);
    await takeInstallLock(client, options.waitMs ?? WAIT_MS, options.tell ?? (() => undefined));
    // Citus creates roles on every node. All else stays on the coordinator.
    const createdRoles = await ensureRoles(client);
    await keepDdlLocal(client);
    await createMissingOnWorkers(client);
    await prepareWorkers(client);
    await ensureSchemas(client);
    const installed = await asOwner(client, () => install(client));
    const publicScore = options.publicScore === false ? 'not asked for' : await createPublicScore(client);
    const dblink = await ensureDblink(client);
    return { ...installed, createdRoles, publicScore, dblink, passwords: await setPasswords(client, options) };
  } finally {
    await client.end();
  }
}

async function install(client: pg.Client): Promise<Pick<Migrated, 'applied' | 'database' | 'state' | 'version'>> {
  const applied = await runMigrations(client);
  await defineAll(client);
  await recordInstallation(client, VERSION);
  return { applied, database: client.database ?? '', version: VERSION, state: await installationState(client) };
}

async function setPasswords(client: pg.Client, options: MigrateOptions): Promise<string[]> {
  const given = [
    ['pgscore_service', options.servicePassword],
    ['pgscore_reader', options.readerPassword],
  ] as const;
  const set: string[] = [];
  for (const [role, password] of given) {
    if (password === undefined) continue;
    await setPassword(client, role, password);
    set.push(role);
  }
  return set;
}
