import type pg from 'pg';
import { sqlState } from '../postgres/sqlstate.ts';
import { transaction } from '../postgres/statement.ts';
import { PgscoreError } from '../errors.ts';
import { ident } from '../lib/text.ts';
import { ROLES } from './roles.ts';

export type DroppedRoles = { readonly dropped: string[]; readonly kept: readonly { role: string; reason: string }[] };

/** Drops the roles of pgscore that nothing needs any more; one that another database needs is kept, with the reason. */
export async function dropRoles(client: pg.Client): Promise<DroppedRoles> {
  const dropped: string[] = [];
  const kept: { role: string; reason: string }[] = [];
  for (const { name } of ROLES.toReversed()) {
    if (!(await exists(client, name))) continue;
    const reason = await transaction(client, () => dropRole(client, name)).then(() => undefined, reasonOf(name));
    if (reason === undefined) dropped.push(name);
    else kept.push({ role: name, reason });
  }
  return { dropped, kept };
}

async function dropRole(client: pg.Client, role: string): Promise<void> {
  await joinRole(client, role);
  const lines = [`drop owned by ${ident(role)}`, `drop role ${ident(role)}`];
  for (const line of lines) await client.query(line);
}

/** DROP OWNED asks for the rights of the role, which its creator has to give himself first. */
async function joinRole(client: pg.Client, role: string): Promise<void> {
  const { rows } = await client.query<{ me: string; usable: boolean }>(
    "select current_user as me, pg_has_role($1, 'usage') as usable",
    [role],
  );
  const [found] = rows;
  if (found === undefined || found.usable) return;
  const line = `grant ${ident(role)} to ${ident(found.me)}`;
  await client.query(line);
}

async function exists(client: pg.Client, role: string): Promise<boolean> {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role]);
  return rowCount === 1;
}

function reasonOf(role: string) {
  return (error: unknown): string => {
    const state = sqlState(error);
    const { message, detail } = error as { message: string; detail?: string };
    if (state === '2BP01') return detail ?? message;
    if (state !== '42501') throw error;
    throw new PgscoreError('missing_right', `this role may not drop role "${role}"`, {
      remedy: `As the role that created it, or a superuser, run: drop owned by ${ident(role)}; drop role ${ident(role)};`,
      cause: error,
    });
  };
}
