import type pg from 'pg';
import { sqlState } from '../postgres/sqlstate.ts';
import { transaction } from '../postgres/statement.ts';
import { asOwner } from './as-owner.ts';

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
