import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { tlsVariable, type TlsVariable } from '../config.ts';
import { PgscoreError } from '../errors.ts';
import { isLoopback } from '../lib/loopback.ts';

/** How a connection is made: in the clear, or by TLS with these options. */
export type TlsChoice = false | ConnectionOptions;

const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

type Mode = (typeof MODES)[number];

/** The parameters of a URL that are read here, and not by the driver, which gives them other meanings. */
const OURS = ['ssl', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'];

/** `sslrootcert=system`: the authorities that Node.js trusts. */
const SYSTEM = 'system';

/** The TLS choices of the URL or the PG* variables, by the rules of libpq. The second is tried if the server refuses the first. */
export async function tlsChoices(
  url: string | undefined,
  host: string,
): Promise<readonly [TlsChoice] | readonly [TlsChoice, TlsChoice]> {
  if (host.startsWith('/')) return [false];
  const given = parametersOf(url);
  const wanted = modeOf(given, host);
  if (wanted === 'disable') return [false];
  const tls = await tlsOptions(wanted, given);
  if (wanted === 'allow') return [false, tls];
  return wanted === 'prefer' ? [tls, false] : [tls];
}

/** The URL without the parameters that are read here. */
export function withoutSslParameters(url: string): string {
  const parameters = parametersOf(url);
  for (const name of OURS) parameters.delete(name);
  const [address = ''] = url.split('?', 1);
  return parameters.size === 0 ? address : `${address}?${parameters.toString()}`;
}

function parametersOf(url: string | undefined): URLSearchParams {
  const start = url?.indexOf('?') ?? -1;
  return new URLSearchParams(start < 0 ? '' : url?.slice(start + 1));
}

function setting(given: URLSearchParams, name: TlsVariable): string | undefined {
  return given.get(name) ?? tlsVariable(name);
}

function modeOf(given: URLSearchParams, host: string): Mode {
  const named = setting(given, 'sslmode') ?? (given.get('ssl') === 'true' ? 'require' : undefined);
  const system = setting(given, 'sslrootcert') === SYSTEM;
  if (named === undefined) return system ? 'verify-full' : usualMode(host);
  const mode = MODES.find((known) => known === named);
  if (mode === undefined) throw usage(`sslmode is "${named}"`, `Use one of ${MODES.join(', ')}.`);
  if (system && mode !== 'verify-full') {
    throw usage(`sslrootcert=system does not go with sslmode=${mode}`, 'Use sslmode=verify-full.');
  }
  return mode;
}

/** Nobody listens in between on this machine, where TLS would only take time. */
function usualMode(host: string): Mode {
  return isLoopback(host) ? 'allow' : 'prefer';
}

async function tlsOptions(mode: Mode, given: URLSearchParams): Promise<ConnectionOptions> {
  const [ca, cert, key] = await Promise.all([
    certificate(given, 'sslrootcert', 'root.crt'),
    certificate(given, 'sslcert', 'postgresql.crt'),
    certificate(given, 'sslkey', 'postgresql.key'),
  ]);
  if (setting(given, 'sslcert') !== undefined && key === undefined) {
    throw usage('sslcert is given without sslkey', 'Name its key: sslkey=/path/client.key in the URL, or PGSSLKEY.');
  }
  const own = cert === undefined || key === undefined ? {} : { cert, key };
  // Node.js checks against the authorities that it trusts where no file is given.
  if (mode === 'verify-full') return ca === undefined ? own : { ...own, ca };
  if (mode === 'verify-ca' && ca === undefined) {
    throw usage('sslmode=verify-ca needs the certificate of an authority', NAME_AUTHORITY);
  }
  if (mode === 'allow' || mode === 'prefer' || ca === undefined) return { ...own, rejectUnauthorized: false };
  // As in libpq, `require` with an authority checks what verify-ca does: the authority, but not the host's name.
  return { ...own, ca, checkServerIdentity: () => undefined };
}

const NAME_AUTHORITY = 'Name its file: sslrootcert=/path/ca.pem in the URL, or PGSSLROOTCERT.';

/** The file that is named, which must be there, or else the one that libpq looks for in the home directory. */
async function certificate(given: URLSearchParams, name: TlsVariable, usual: string): Promise<Buffer | undefined> {
  const named = setting(given, name);
  if (named === SYSTEM) return undefined;
  const file = named ?? join(homedir(), '.postgresql', usual);
  if (named === undefined && !existsSync(file)) return undefined;
  try {
    return await readFile(file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw usage(`${name} cannot be read: ${reason}`, 'Name a file that this user may read.');
  }
}

function usage(message: string, remedy: string): PgscoreError {
  return new PgscoreError('usage', message, { remedy });
}
