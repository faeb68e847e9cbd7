import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type pg from 'pg';
import { PgscoreError } from '../errors.ts';
import { ident } from '../lib/text.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import { withRaces } from './roles.ts';

const derive = promisify(pbkdf2);

const ITERATIONS = 4096;

/** Sets the password of a login role. The server gets its SCRAM verifier, so that no log of statements can tell it. */
export async function setPassword(client: pg.Client, role: string, password: string): Promise<void> {
  const line = `alter role ${ident(role)} password ${client.escapeLiteral(await scramVerifier(password))}`;
  try {
    await withRaces(() => client.query(line));
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    throw new PgscoreError('missing_right', `this role may not set the password of "${role}"`, {
      remedy: `As the role that created it, or a superuser, in psql: \\password ${ident(role)}`,
      cause: error,
    });
  }
}

/** A password as PostgreSQL stores it for SCRAM-SHA-256 (RFC 5802, RFC 7677). */
export async function scramVerifier(password: string, salt = randomBytes(16)): Promise<string> {
  const salted = await derive(prepared(password), salt, ITERATIONS, 32, 'sha256');
  const key = (name: string) => createHmac('sha256', salted).update(name).digest();
  const stored = createHash('sha256').update(key('Client Key')).digest();
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${stored.toString('base64')}:${key('Server Key').toString('base64')}`;
}

/** RFC 4013: spaces of other scripts are spaces (RFC 3454, C.1.2), and what has no width is nothing (B.1). */
function prepared(password: string): string {
  return password
    .replaceAll(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g, ' ')
    .replaceAll(/\u00ad|\u034f|\u1806|\u180b|\u180c|\u180d|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g, '')
    .normalize('NFKC');
}
