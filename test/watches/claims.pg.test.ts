import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';

const database = await cloneDatabase();
const [superuser, alice, holder] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client('alice'),
]);
await addReadyModel(superuser, 'line');
await superuser.query(`create function pgscore_models._v1_online() returns float8 language sql as 'select 0.0'`);

/** Claims queued keys, as a service does; how many. */
async function claim(): Promise<number> {
  const { rows: claimed } = await superuser.query<{ run: string }>(
    `select pgscore_data._claim_watches(gen_random_uuid(), 60000, 1) as run`,
  );
  const { rows } = await superuser.query<{ keys: number }>(
    'select cardinality(keys) as keys from pgscore_data.run where run_id = $1',
    [claimed[0]?.run],
  );
  return rows[0]?.keys ?? 0;
}

test('the keys of a burst are not compared each with each of those in hand, where the server last saw runs of one key', async () => {
  await alice.query('create table rows (id bigint primary key, x real)');
  await alice.query(`select pgscore.watch('line', 'rows', target => 'live')`);
  await alice.query('insert into rows values (0, 0)');
  await superuser.query('analyze pgscore_data.watch_change');
  expect(await claim()).toBe(1);
  await superuser.query('analyze pgscore_data.run');
  await alice.query('insert into rows select n, 0 from generate_series(1, 20000) n');
  expect(await claim()).toBeGreaterThan(9000);
  await superuser.query(`load 'auto_explain'`);
  await superuser.query(
    `set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on; set client_min_messages = log`,
  );
  const plans: string[] = [];
  superuser.on('notice', ({ message = '' }) => plans.push(message));
  expect(await claim()).toBeGreaterThan(9000);
  const [plan] = plans.filter((shown) => shown.includes('busy as'));
  expect(plan).toMatch(/(Hash|Merge) (Right |Left )?Join/);
});

test('changed rows are claimed beside a transaction that calls watch() of their target once more, and is left open', async () => {
  await superuser.query(`create function pgscore_models._v2_online() returns float8 language sql as 'select 0.0'`);
  await superuser.query(`insert into pgscore_data.version (model_id, number, state, sha256, size_bytes, signature, deployed_by)
    select model_id, 2, 'ready', '', 1, signature, deployed_by from pgscore_data.version`);
  await alice.query(
    `create table held (id bigint primary key, x real); create table free (id bigint primary key, x real)`,
  );
  for (const [model, source] of [
    ['line', 'held'],
    ['line@2', 'held'],
    ['line', 'free'],
  ])
    await alice.query('select pgscore.watch($1, $2::regclass, target => $3)', [model, source, `${source}_live`]);
  await superuser.query('delete from pgscore_data.watch_change');
  await alice.query('insert into held values (1, 0); insert into free values (1, 0)');
  await superuser.query(`set statement_timeout = '5s'`);
  const claimed = async (): Promise<unknown[]> => {
    const { rows } = await superuser.query<{ run: string }>(
      'select pgscore_data._claim_watches(gen_random_uuid(), 60000, 4) as run',
    );
    const { rows: targets } = await superuser.query<{ view_name: string }>(
      'select view_name from pgscore_data.run join pgscore_data.target using (target_id) where run_id = any ($1) order by 1',
      [rows.map(({ run }) => run)],
    );
    return targets.map((target) => target.view_name);
  };
  await holder.query('begin');
  await holder.query(`select pgscore.watch('line', 'held', target => 'held_live')`);
  expect(await claimed()).toEqual(['free_live', 'held_live']);
  await holder.query('rollback');
  expect(await claimed()).toEqual(['held_live']);
});
