import { PgscoreError } from '../errors.ts';
import { isTransient, sqlState } from './sqlstate.ts';

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
  const encryption = encryptionRemedy(error, reason);
  if (encryption !== undefined) return refused(where, reason, error, encryption);
  if (isTransient(error)) {
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

const CHECK_LOGIN = 'Check the user, the password (PGPASSWORD or the password file), the database and pg_hba.conf.';

/** Whether PostgreSQL refused the user or the password, rather than the way of connecting. */
export function isLoginProblem(error: unknown): error is PgscoreError {
  return error instanceof PgscoreError && error.remedy === CHECK_LOGIN;
}

function refused(where: string, reason: string, cause: unknown, remedy = CHECK_LOGIN): PgscoreError {
  return new PgscoreError('database_refused', `${where} refused the connection: ${reason}`, { remedy, cause });
}

/** Node-pg tells of a server without TLS by a message alone. */
export function serverLacksTls(error: unknown): boolean {
  return error instanceof Error && error.message === 'The server does not support SSL connections';
}

const AUTHORITY_REMEDY =
  'Name the certificate of its authority with sslrootcert=/path/ca.pem in the URL, or PGSSLROOTCERT; or encrypt without a check of the certificate, sslmode=require.';

/** What OpenSSL finds wrong with a certificate whose authority it does not know. */
const UNKNOWN_AUTHORITY =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(?:_LOCALLY)?)$/;

const REMEDIES: readonly (readonly [of: RegExp, remedy: string])[] = [
  [UNKNOWN_AUTHORITY, AUTHORITY_REMEDY],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'Connect by a name that is in the certificate, or use sslmode=verify-ca.'],
  [/^CERT_/, 'Renew the certificate of the server, or of its authority; check the clocks.'],
  [/^(?:ERR_SSL_|ERR_OSSL_|ERR_TLS_|EPROTO)/, 'Check sslmode, sslcert and sslkey, and ssl of PostgreSQL.'],
];

function encryptionRemedy(error: unknown, reason: string): string | undefined {
  if (serverLacksTls(error)) return 'Set ssl = on in PostgreSQL; or, on a network of your own, sslmode=prefer.';
  if (sqlState(error) === '28000' && reason.endsWith('no encryption'))
    return 'Ask for TLS, sslmode=require; or add a line to pg_hba.conf.';
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return REMEDIES.find(([of]) => of.test(code))?.[1];
}

/** Whether the server may take the same login with TLS where it had none, or without it where it had. */
export function mayPassWithOtherTls(error: unknown): boolean {
  return sqlState(error) === '28000' || serverLacksTls(error);
}

function withoutPassword(url: string): string {
  const parsed = new URL(url);
  parsed.password = '';
  return parsed.href;
}
