import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

async function watch(rls: string): Promise<void> {
  await alice.query(
    `select pgscore.watch('line', 'above', key => 'id', target => 'live', on_change_of => '{"rows": "id"}', rls => $1)`,
    [rls],
  );
  await settle();
}

/** As if a service had compared the source just now. */
async function settle(): Promise<void> {
  await superuser.query(
    `update pgscore_data.watch set compare_after = clock_timestamp() + interval '1 hour', busy_until = null;
     delete from pgscore_data.watch_to_compare`,
  );
}

async function planAnew(): Promise<void> {
  await alice.query('select pgscore._renew_watch(watch_id) from pgscore._watch_request');
}

async function due(): Promise<string[]> {
  const { rows } = await superuser.query<{ work: string }>(`select work from pgscore_data._due_watches('{}')`);
  return rows.map(({ work }) => work);
}

const POLICY = 'create policy positive on rows using (x > 0)';

beforeAll(async () => {
  await addReadyModel(superuser, 'line');
  await alice.query(`
    create table rows (id bigint primary key, x real);
    create view below as select id, x from rows;
    create view above as select id, x from below`);
});

test('a policy that filters the rows of a watch has it planned and compared anew when it changes', async () => {
  await watch('filter');
  expect(await due()).toEqual([]);
  for (const change of [POLICY, 'alter table rows enable row level security', 'drop policy positive on rows']) {
    await alice.query(change);
    expect(await due()).toEqual(['renew']);
    await planAnew();
    const { rows } = await superuser.query(
      'select compare_after <= clock_timestamp() as is_compared from pgscore_data.watch',
    );
    expect(rows).toEqual([{ is_compared: true }]);
    await settle();
    expect(await due()).toEqual([]);
  }
});

test('a policy that would stop a watch is met at its next read', async () => {
  await watch('error');
  await alice.query(POLICY);
  expect(await due()).toEqual([]);
});

test('a watch that is planned as before keeps its plan', async () => {
  await watch('error');
  const count = `select count(*)::int as plans, max(plan_id) = (select plan_id from pgscore_data.watch) as is_newest from pgscore_data.known_plan`;
  const { rows: before } = await superuser.query(count);
  for (const _time of [1, 2]) await planAnew();
  expect((await superuser.query(count)).rows).toEqual(before);
  expect(before).toMatchObject([{ is_newest: true }]);
});

test('a key of another type is refused with both types, and with what ends the watch', async () => {
  await alice.query('create table counted (id int primary key, x real)');
  await alice.query(`select pgscore.watch('line', 'counted', target => 'counts')`);
  await alice.query('alter table counted alter id type bigint');
  const renewal = `select pgscore._renew_watch(watch_id) from pgscore._watch_request where source = 'alice.counted'`;
  expect(await refusal(alice, renewal)).toMatchObject({
    code: '42804',
    message: 'the key of alice.counted is id bigint now, and alice.counts has predictions by id integer',
    hint: `End this watch, and watch into another target: select pgscore.unwatch('alice.counts');`,
  });
});

test('unwatch() of a table that a run reads says how to end the run', async () => {
  await alice.query('create table held (id int primary key, x real)');
  await alice.query(`select pgscore.watch('line', 'held', target => 'held_live')`);
  await superuser.query('begin; lock table alice.held in access share mode');
  expect(await refusal(alice, `select pgscore.unwatch('held_live')`)).toMatchObject({
    code: '55P03',
    hint: expect.stringContaining('pgscore.cancel_run()'),
  });
  await superuser.query('rollback');
  await alice.query(`select pgscore.unwatch('held_live')`);
});
