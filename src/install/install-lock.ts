import type pg from 'pg';
import { PgscoreError } from '../errors.ts';
import { pause } from '../lib/retry.ts';

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
export async function takeInstallLock(client: pg.Client, limitMs: number, tell: (line: string) => void): Promise<void> {
  const end = performance.now() + limitMs;
  let told = '';
  for (;;) {
    const taken = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [INSTALL_LOCK]);
    if (taken.rows[0]?.taken === true) return;
    const { rows } = await client.query<Holder>(HOLDER, [INSTALL_LOCK]);
    const [holder] = rows;
    if (holder !== undefined) {
      if (performance.now() > end) throw locked(holder);
      if (told !== nameOf(holder)) tell(`waiting for ${nameOf(holder)}, which holds the lock of installers`);
      told = nameOf(holder);
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
