import type pg from 'pg';
import { dblinkState } from '../../install/dblink.ts';
import { ok, warn } from './finding.ts';
import type { Finding } from './finding.ts';

/** Whether score() can ask the service for models that are not native; nothing where pgscore is not installed. */
export async function checkOnline(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<{ installed: boolean }>(
    "select to_regnamespace('pgscore') is not null as installed",
  );
  return rows[0]?.installed === true ? [await checkDblink(client)] : [];
}

async function checkDblink(client: pg.Client): Promise<Finding> {
  const dblink = await dblinkState(client);
  if (dblink.state === 'ready') return ok('online', 'score() asks the service through dblink');
  if (dblink.state === 'signed')
    return ok('online', `score() asks the service through dblink in schema "${dblink.schema}", and signs each request`);
  return warn('online', `score() is native only: ${dblink.reason}`, dblink.remedy);
}
