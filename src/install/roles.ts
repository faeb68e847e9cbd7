import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type pg from 'pg';
import { citusOf, rolesOnNodes, runOnNodes, type CitusNode } from '../citus/nodes.ts';
import { PgscoreError } from '../errors.ts';
import { ident } from '../lib/text.ts';
import { retrying } from '../lib/retry.ts';
import { sqlState } from '../postgres/sqlstate.ts';

type RoleSpec = { readonly name: string; readonly login: boolean; readonly what: string };

/** The roles of an installation. A role that a DBA made beforehand is taken as it is. */
export const ROLES: readonly RoleSpec[] = [
  { name: 'pgscore_owner', login: false, what: 'owns every object of pgscore' },
  { name: 'pgscore_service', login: true, what: 'pgscore serve logs in with it' },
  { name: 'pgscore_reader', login: true, what: 'pgscore serve reads sources with it, through read handles only' },
  { name: 'pgscore_user', login: false, what: 'may score' },
  { name: 'pgscore_deployer', login: false, what: 'may deploy and promote models; includes pgscore_user' },
  { name: 'pgscore_analyst', login: false, what: 'may read the monitoring views' },
];

/** Another database of the cluster that installs at the same moment shows itself so. */
const RACES = ['XX000', '23505', '42710', '40001', '40P01'];

/**
 * Creates the roles that are missing and the memberships between them; returns the names of those that it created. Roles
 * are the cluster's, so another database may install them at the same moment.
 */
export async function ensureRoles(client: pg.Client): Promise<string[]> {
  const created: string[] = [];
  for (const role of ROLES) if (await withRaces(() => ensureRole(client, role))) created.push(role.name);
  await refusePowerfulOwner(client);
  await withRaces(() => ensureMembership(client, 'pgscore_user', 'pgscore_deployer'));
  await withRaces(() => joinOwner(client));
  return created;
}

/** Does again what another database's change of the same role undid. */
function withRaces<T>(work: () => Promise<T>): Promise<T> {
  return retrying(work, { attempts: 20, pauseMs: 50, again: (error) => RACES.includes(sqlState(error) ?? '') });
}

async function ensureRole(client: pg.Client, role: RoleSpec): Promise<boolean> {
  const found = await client.query('select from pg_roles where rolname = $1', [role.name]);
  if (found.rowCount === 1) return false;
  const line = createRoleLine(role);
  try {
    await client.query(line);
    return true;
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    throw new PgscoreError('missing_right', `role "${role.name}" is missing and this role may not create it`, {
      remedy: `As a role with CREATEROLE run: ${line};`,
      cause: error,
    });
  }
}

/** The nodes of Citus, with the roles that each of them lacks. */
export function nodeStates(client: pg.Client): Promise<CitusNode[]> {
  return rolesOnNodes(
    client,
    ROLES.map(({ name }) => name),
  );
}

/** Creates on nodes of Citus the roles that are older than the extension or than the node. */
export async function createMissingOnNodes(client: pg.Client): Promise<void> {
  if ((await citusOf(client)) === undefined) return;
  const nodes = await nodeStates(client);
  const missing = new Set(nodes.flatMap((node) => node.missing ?? []));
  for (const role of ROLES.filter(({ name }) => missing.has(name))) {
    await runOnNodes(client, `if to_regrole('${role.name}') is null then ${createRoleLine(role)}; end if`);
  }
}

export function createRoleLine(role: RoleSpec): string {
  return `create role ${ident(role.name)} ${role.login ? 'login' : 'nologin'}`;
}

/** Every function of pgscore runs with the rights of its owner. */
async function refusePowerfulOwner(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ powerful: boolean }>(
    "select rolsuper or rolbypassrls as powerful from pg_roles where rolname = 'pgscore_owner'",
  );
  if (rows[0]?.powerful !== true) return;
  throw new PgscoreError('missing_right', 'role "pgscore_owner" is a superuser, or passes by row-level security', {
    remedy: 'As a superuser run: alter role pgscore_owner nosuperuser nobypassrls;',
  });
}

async function ensureMembership(client: pg.Client, group: string, member: string): Promise<void> {
  const found = await client.query('select pg_has_role($1, $2, $3) as member', [member, group, 'member']);
  if (found.rows[0]?.member === true) return;
  await grant(client, group, member);
}

/** The installer must be able to SET ROLE to the owner; a superuser always can. */
async function joinOwner(client: pg.Client): Promise<void> {
  const me = await client.query<{ name: string; superuser: boolean; may: boolean }>(
    `select current_user as name, (select rolsuper from pg_roles where rolname = current_user) as superuser, pg_has_role('pgscore_owner', 'member') as may`,
  );
  const row = me.rows[0];
  if (row === undefined || row.superuser) return;
  if (!row.may || !(await maySetOwner(client))) await grant(client, 'pgscore_owner', row.name);
}

async function maySetOwner(client: pg.Client): Promise<boolean> {
  try {
    await client.query('set role pgscore_owner');
    await client.query('reset role');
    return true;
  } catch {
    return false;
  }
}

async function grant(client: pg.Client, group: string, member: string): Promise<void> {
  const line = `grant ${ident(group)} to ${ident(member)}`;
  try {
    await client.query(line);
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    throw new PgscoreError(
      'missing_right',
      `role "${member}" is not a member of "${group}" and may not be made one by this role`,
      {
        remedy: `As the role that created "${group}", or a superuser, run: ${line};`,
        cause: error,
      },
    );
  }
}

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
