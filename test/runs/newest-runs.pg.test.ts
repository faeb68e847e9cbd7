import { beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { PAGE_QUERIES } from '../../src/http/page-queries.ts';
import { addMonitoredModel } from '../monitor/monitored-model.ts';
import { cloneDatabase } from '../support/database.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

beforeAll(async () => {
  const { versionId, targetId } = await addMonitoredModel(superuser, 'busy', 'regression');
  await addMonitoredModel(superuser, 'idle', 'regression');
  await superuser.query(
    `insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, plan, pages, rls, state,
                                   finished_at, counted, kept)
     select 'alice', $1, $2, 'alice', 'rows', 'stream', '{}', 1, 'error', 'done', now() - i * interval '1 hour', true, true
       from generate_series(1, 10000) i`,
    [versionId, targetId],
  );
  await superuser.query('analyze pgscore_data.run');
});

async function planOf(client: Client, query: string, values: readonly unknown[] = []): Promise<string> {
  const text = `explain (analyze, timing off, costs off) ${query}`;
  const { rows } = await client.query<{ 'QUERY PLAN': string }>(text, [...values]);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

test('the newest of many runs are listed without a look at all of them', async () => {
  expect(await planOf(alice, 'select * from pgscore.runs order by run desc limit 50')).not.toMatch(/rows=10000/);
  await superuser.query('set role pgscore_service');
  expect(await planOf(superuser, PAGE_QUERIES['runs']?.text ?? '')).not.toMatch(/rows=10000/);
  await superuser.query('reset role');
});

test('the health of a model that was never scored needs no look at the runs of another', async () => {
  const health = `select * from pgscore_bi.current_model_health where model_name = 'idle'`;
  expect(await planOf(superuser, health)).not.toMatch(/rows=10000|Rows Removed by Filter: 10000/);
});
