import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

test('a plan of more than 1 MB, which each claim would read, is refused', async () => {
  await addReadyModel(superuser, 'line');
  await alice.query('create table rows (id bigint primary key, x real)');
  await alice.query(`select pgscore.score_table('line', 'rows')`);
  const { rows } = await superuser.query(
    `select r.version_id, r.target_id, r.source_schema, r.source_name, r.source_kind, r.handle_id,
            coalesce(r.plan, k.plan) || '{"pages": 1}' as plan
       from pgscore_data.run r left join pgscore_data.known_plan k using (plan_id)`,
  );
  const request: unknown[] = Object.values(rows[0] as object);
  const insert = (bytes: number): string =>
    `insert into pgscore._run_request (version_id, target_id, source_schema, source_name, source_kind, handle_id, plan, rls)
     select $1::int, $2::int, $3::name, $4::name, $5, $6::bigint, jsonb_set($7::jsonb, '{columns,0,junk}', to_jsonb(repeat('x', ${bytes}))), 'error'`;
  await alice.query(insert(1000), request);
  expect(await refusal(alice, insert(1024 * 1024), request)).toMatchObject({ code: '54000' });
});
