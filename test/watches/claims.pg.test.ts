import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

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
  await addReadyModel(superuser, 'line');
  await superuser.query(`create function pgscore_models._v1_online() returns float8 language sql as 'select 0.0'`);
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
