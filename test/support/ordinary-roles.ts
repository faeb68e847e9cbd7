import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import { ident } from '../../src/lib/text.ts';

/** Logins without any privilege of their own: alice, bob and mallory use pgscore, ada deploys models. */
export const ORDINARY_ROLES = ['alice', 'bob', 'mallory', 'ada'] as const;

export type OrdinaryRole = (typeof ORDINARY_ROLES)[number];

/** The same for every run on a server, so that two at once agree, and unknown to who does not know its superuser's. */
export function passwordOf(role: OrdinaryRole, superuserUrl: string): string {
  return createHash('sha256').update(`${role} ${superuserUrl}`).digest('base64url');
}

/** Creates the roles of the cluster; those of an earlier run stay. */
export async function createOrdinaryRoles(superuser: Client, superuserUrl: string): Promise<void> {
  const { rows } = await superuser.query<{ name: string }>('select rolname as name from pg_roles');
  const present = new Set(rows.map((row) => row.name));
  for (const role of ORDINARY_ROLES) {
    const verb = present.has(role) ? 'alter' : 'create';
    const statement = `${verb} role ${ident(role)} login password ${superuser.escapeLiteral(passwordOf(role, superuserUrl))}`;
    await superuser.query(statement);
  }
}
