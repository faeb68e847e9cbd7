import type pg from 'pg';
import { PgscoreError } from '../errors.ts';
import { ident } from '../lib/text.ts';
import { sqlState } from '../postgres/sqlstate.ts';
import { asOwner } from './installation.ts';
import { transaction } from '../postgres/statement.ts';

/** Schema and what it holds; all belong to pgscore_owner. */
export const SCHEMAS: Readonly<Record<string, string>> = {
  pgscore:
    'Functions and views of pgscore: select pgscore.score_table(...), select * from pgscore.models, pgscore.runs.',
  pgscore_bi: 'Flat, typed views for analysts and BI tools.',
  pgscore_models: 'Functions generated for models.',
  pgscore_predictions: 'Managed storage of predictions, one table a target.',
  pgscore_sources: "Read handles: how the service reads a source with the requester's rights.",
  pgscore_dblink: 'The extension dblink, where nobody but pgscore can call it.',
  pgscore_data: 'Everything else that pgscore keeps. Not an interface.',
};

/** Creates the missing schemas for pgscore_owner. Refuses a schema of that name which belongs to somebody else. */
export async function ensureSchemas(client: pg.Client): Promise<void> {
  for (const [name, what] of Object.entries(SCHEMAS)) {
    const found = await client.query<{ owner: string }>(
      'select pg_get_userbyid(nspowner) as owner from pg_namespace where nspname = $1',
      [name],
    );
    const owner = found.rows[0]?.owner;
    if (owner === undefined) await createSchema(client, name);
    else if (owner !== 'pgscore_owner') throw foreignSchema(name, owner);
    await describeSchema(client, name, what);
  }
}

async function describeSchema(client: pg.Client, name: string, what: string): Promise<void> {
  const line = `comment on schema ${ident(name)} is ${client.escapeLiteral(what)}`;
  await asOwner(client, () => client.query(line));
}

function foreignSchema(name: string, owner: string): PgscoreError {
  return new PgscoreError('missing_right', `schema "${name}" exists and belongs to "${owner}"`, {
    remedy: `Rename it, or give it away if it is meant for pgscore: alter schema ${ident(name)} owner to pgscore_owner;`,
  });
}

async function createSchema(client: pg.Client, name: string): Promise<void> {
  const line = `create schema ${ident(name)} authorization pgscore_owner`;
  try {
    await client.query(line);
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    const { rows } = await client.query<{ db: string; me: string }>(
      'select current_database() as db, current_user as me',
    );
    throw new PgscoreError('missing_right', `this role may not create schema "${name}"`, {
      remedy: `As the owner of the database run: grant create on database ${ident(rows[0]?.db ?? '')} to ${ident(rows[0]?.me ?? '')};`,
      cause: error,
    });
  }
}

/** Whether score() can be called without a schema: it stands in public, somebody else has the name, or public is closed. */
export type PublicScore = 'created' | 'name taken' | 'not permitted';

/**
 * Makes public.score(), owned by pgscore_owner, which needs CREATE on the schema for that moment only. Without it
 * everything else works: the function is pgscore.score().
 */
export async function createPublicScore(client: pg.Client): Promise<PublicScore> {
  try {
    return await transaction(client, async () => {
      const granted = await grantCreate(client);
      const created = await asOwner(client, () => create(client));
      if (granted) await client.query('revoke create on schema public from pgscore_owner');
      return created ? 'created' : 'name taken';
    });
  } catch (error) {
    if (['42501', '3F000'].includes(sqlState(error) ?? '')) return 'not permitted';
    throw error;
  }
}

async function grantCreate(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    "select has_schema_privilege('pgscore_owner', 'public', 'create') as may",
  );
  if (rows[0]?.may === true) return false;
  await client.query('grant create on schema public to pgscore_owner');
  return true;
}

async function create(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ created: boolean }>('select pgscore_data._create_public_score() as created');
  return rows[0]?.created === true;
}
