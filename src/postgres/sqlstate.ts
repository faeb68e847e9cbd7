import { PgscoreError } from '../errors.ts';

/** SQLSTATE of an error that PostgreSQL raised; undefined for any other, such as a broken connection. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  const { code } = error;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in error ? code : undefined;
}

const TRANSIENT_CLASSES = ['08', '53', '57', '58'];
const TRANSIENT_STATES = ['40001', '40P01', '55P03', '25006', '25P03', '25P04', 'XX000'];

/**
 * Whether the same statement may succeed later: the connection broke, the server stops, is full or stands by, or it was
 * a deadlock, a serialisation failure or a lock that took too long.
 */
export function isTransient(error: unknown): boolean {
  if (error instanceof PgscoreError) return error.retry;
  const state = sqlState(error);
  if (state === undefined) return isConnectionLoss(error);
  return state !== '57014' && (TRANSIENT_STATES.includes(state) || TRANSIENT_CLASSES.includes(state.slice(0, 2)));
}

/** Classes of what is wrong with a value: it is none of its type, breaks a constraint, or is too large. */
const VALUE_CLASSES = ['22', '23', '54'];

/** Whether it is one of the values written that PostgreSQL refused: without it the others may be taken. */
export function isRefusedValue(error: unknown): boolean {
  return VALUE_CLASSES.includes(sqlState(error)?.slice(0, 2) ?? '');
}

/** With these PostgreSQL ends the session: it shuts down, crashed, starts up, or the session was idle in its transaction. */
const ENDING_STATES = ['57P01', '57P02', '57P03', '57P05', '25P03', '25P04', '08006', '08P01'];
/** ENOENT: the server's Unix socket is not there. */
const SOCKET_ERRORS = [
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
];

/** Whether the connection, rather than the statement, failed. node-pg marks some of these by message alone. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  if (typeof code === 'string') return SOCKET_ERRORS.includes(code) || ENDING_STATES.includes(code);
  return /^Connection terminated|^Client has encountered a connection error|^Client was closed|^timeout expired|^Query read timeout/.test(
    error.message,
  );
}
