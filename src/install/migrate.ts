import type pg from 'pg';
import { keepDdlLocal, prepareNodes, citusOf, syncNodes } from '../citus/nodes.ts';
import { connect } from '../postgres/connect.ts';
import { VERSION } from '../version.ts';
import { asOwner, installationState, recordInstallation, type InstallationState } from './installation.ts';
import { ensureDblink, type Dblink } from './dblink.ts';
import { defineAll, runMigrations } from './migrations.ts';
import { setPassword, createMissingOnNodes, ensureRoles } from './roles.ts';
import { createPublicScore, type PublicScore, ensureSchemas } from './schemas.ts';
import { PgscoreError } from '../errors.ts';
import { pause } from '../lib/retry.ts';

export type MigrateOptions = {
  readonly url: string | undefined;
  readonly servicePassword?: string | undefined;
  readonly readerPassword?: string | undefined;
  /** Also makes public.score(); true by default. */
  readonly publicScore?: boolean | undefined;
  /** How long to wait for another installer; five minutes by default. */
  readonly waitMs?: number | undefined;
  /** Gets a line that says whom it waits for. */
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
    await createMissingOnNodes(client);
    await prepareNodes(client);
    await ensureSchemas(client);
    const installed = await asOwner(client, () => install(client));
    if ((await citusOf(client)) !== undefined) await syncNodes(client);
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

/** Arbitrary, but the same for every installer of a database. Anybody who may connect can hold it. */
export const INSTALL_LOCK = 7_409_131_101;

const POLL_MS = 100;

const HOLDER = `select a.pid, a.usename as role, a.application_name as application
  from pg_locks l join pg_stat_activity a using (pid)
 where l.locktype = 'advisory' and l.granted and l.objsubid = 1
   and l.database = (select d.oid from pg_database d where d.datname = current_database())
   and l.classid::bigint = $1::bigint >> 32 and l.objid::bigint = $1::bigint & 4294967295`;

type Holder = { readonly pid: number; readonly role: string; readonly application: string };

/**
 * Lets one installer of a database work at a time: takes a lock of the session, and tells whom it waits for.
 * @throws PgscoreError install_locked, past `limitMs`
 */
async function takeInstallLock(client: pg.Client, limitMs: number, tell: (line: string) => void): Promise<void> {
  const end = performance.now() + limitMs;
  let named = '';
  for (;;) {
    const taken = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [INSTALL_LOCK]);
    if (taken.rows[0]?.taken === true) return;
    const { rows } = await client.query<Holder>(HOLDER, [INSTALL_LOCK]);
    const [holder] = rows;
    if (holder !== undefined) {
      if (performance.now() > end) throw locked(holder);
      if (named !== nameOf(holder)) tell(`waiting for ${nameOf(holder)}, which holds the lock of installers`);
      named = nameOf(holder);
    }
    await pause(POLL_MS);
  }
}

function nameOf({ pid, role, application }: Holder): string {
  return `session ${pid} of role "${role}" (${application || 'unnamed'})`;
}

function locked(holder: Holder): PgscoreError {
  return new PgscoreError('install_locked', `${nameOf(holder)} holds the lock of installers`, {
    remedy: `Wait for it where it installs pgscore. Else end it: select pg_terminate_backend(${holder.pid});`,
  });
}

/** The oldest PostgreSQL that pgscore runs on. */
export const OLDEST_MAJOR = 15;

/** The newest PostgreSQL that pgscore was tried on. */
export const NEWEST_MAJOR = 18;

/** The latter says nothing of what its bytes mean: they are taken for UTF-8. */
export const ENCODINGS = ['UTF8', 'SQL_ASCII'];

/** Refuses where nothing can be installed: a server that is too old, one that only follows another, a database of another encoding. */
async function checkServer(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ version: string; number: number; standby: boolean; encoding: string }>(
    `select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
            pg_is_in_recovery() as standby, current_setting('server_encoding') as encoding`,
  );
  const [server] = rows;
  if (server === undefined) return;
  if (server.number < OLDEST_MAJOR * 10_000) {
    throw new PgscoreError('server_unsupported', `this server is PostgreSQL ${server.version}`, {
      remedy: `Use PostgreSQL ${OLDEST_MAJOR} to ${NEWEST_MAJOR}.`,
    });
  }
  if (server.standby) {
    throw new PgscoreError('server_unsupported', 'this server is a standby, which only reads', {
      remedy: 'Connect to the primary; target_session_attrs or the cluster manager says which it is.',
    });
  }
  if ((await citusOf(client))?.coordinator === false) {
    throw new PgscoreError('server_unsupported', 'this server is a worker of Citus', {
      remedy: 'Connect to the coordinator.',
    });
  }
  if (!ENCODINGS.includes(server.encoding)) {
    throw new PgscoreError('server_unsupported', `this database is encoded in ${server.encoding}, not UTF8`, {
      remedy: "Make a database with: create database … template template0 encoding 'UTF8'.",
    });
  }
}
