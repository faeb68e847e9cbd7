import { PgscoreError } from '../errors.ts';
import { isPassing } from './sqlstate.ts';

/** Why a connection could not be made, without the password that may stand in its URL. */
export function connectionProblem(error: unknown, url: string | undefined): PgscoreError {
  const where = url === undefined || !URL.canParse(url) ? 'the database of the PG* variables' : withoutPassword(url);
  const reason = error instanceof Error ? error.message || error.name : String(error);
  if (isWithoutPassword(reason)) return refused(where, 'it asks for a password, and none was given', error);
  if (isPooler(reason)) {
    return new PgscoreError('database_refused', `${where} is a connection pooler: ${reason}`, {
      remedy:
        'Give the address of PostgreSQL itself: sessions of pgscore have settings, snapshots and a LISTEN of their own.',
      cause: error,
    });
  }
  if (isPassing(error)) {
    return new PgscoreError('database_unreachable', `cannot reach ${where}: ${reason}`, {
      remedy: 'Check that PostgreSQL runs there and that the host and port are right.',
      cause: error,
    });
  }
  return refused(where, reason, error);
}

/** The driver notices a missing password itself, in the middle of the handshake. */
function isWithoutPassword(reason: string): boolean {
  return /client password must be a (?:non-empty )?string/.test(reason);
}

/** PostgreSQL knows every parameter that we send; pgbouncer does not. */
function isPooler(reason: string): boolean {
  return reason.startsWith('unsupported startup parameter');
}

function refused(where: string, reason: string, cause: unknown): PgscoreError {
  return new PgscoreError('database_refused', `${where} refused the connection: ${reason}`, {
    remedy: 'Check the user, the password (PGPASSWORD or the password file), the database and pg_hba.conf.',
    cause,
  });
}

function withoutPassword(url: string): string {
  const parsed = new URL(url);
  parsed.password = '';
  return parsed.href;
}
