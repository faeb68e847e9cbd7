import type pg from 'pg';
import { clearWorkers, keepDdlLocal } from '../citus/nodes.ts';
import { transaction } from '../postgres/statement.ts';
import { ident, qualified } from '../lib/text.ts';
import { asOwner } from './as-owner.ts';
import { SCHEMAS } from './schemas.ts';

/**
 * Drops the schemas of pgscore with everything in them and everything that depends on them, and public.score and
 * public.score_or_null where they are pgscore's. Interrupted, it can be run again.
 */
export async function uninstall(client: pg.Client): Promise<void> {
  await keepDdlLocal(client);
  await clearWorkers(client);
  await asOwner(client, async () => {
    await dropStorage(client);
    await transaction(client, () => dropSchemas(client));
  });
}

/** One target at a time: a drop locks every partition, and one transaction can hold only so many locks. */
async function dropStorage(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    "select c.relname as name from pg_class c where c.relnamespace = to_regnamespace('pgscore_predictions') and c.relkind = 'p'",
  );
  for (const { name } of rows) {
    const line = `drop table ${qualified('pgscore_predictions', name)} cascade`;
    await client.query(line);
  }
}

async function dropSchemas(client: pg.Client): Promise<void> {
  for (const signature of await publicFunctions(client)) {
    const line = `drop function ${signature} cascade`;
    await client.query(line);
  }
  const line = `drop schema if exists ${Object.keys(SCHEMAS).map(ident).join(', ')} cascade`;
  await client.query(line);
  await client.query('alter default privileges for role pgscore_owner grant execute on functions to public');
}

async function publicFunctions(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ signature: string }>(
    `select p.oid::regprocedure::text as signature from pg_proc p
      where p.pronamespace = to_regnamespace('public') and p.proname in ('score', 'score_or_null') and p.proowner = 'pgscore_owner'::regrole`,
  );
  return rows.map(({ signature }) => signature);
}
