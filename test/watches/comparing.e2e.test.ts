import { beforeAll, expect, test } from '@jest/globals';

import { deployModel } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { atRest, differences } from './watching.ts';

const { superuser, ada, alice } = await scoreFixture({ PGSCORE_POLL: '0.4' });

const COLUMNS = 'sepal_length real, sepal_width real, petal_length real, petal_width real';
const ROW = '4 + i % 4, 3, 1 + i % 6, 0.2 * (i % 10)';

/** Runs a statement whose names the tests choose. */
async function run(text: string): Promise<void> {
  await alice.query(text);
}

async function watch(source: string, options = ''): Promise<void> {
  await run(`select pgscore.watch('iris', '${source}', target => '${source}_live', key => 'id'${options})`);
  await atRest(alice, `alice.${source}_live`);
}

/** Makes a table of some rows. */
async function create(name: string, rows: number, columns = ''): Promise<void> {
  await run(`create table ${name} (id bigint primary key, ${COLUMNS}${columns})`);
  await run(`insert into ${name} select i, ${ROW} from generate_series(1, ${rows}) i`);
}

/** Writes as a subscription to another database does: no trigger fires. */
async function replicate(text: string): Promise<void> {
  const written = `begin; set local session_replication_role = replica; ${text}; commit`;
  await superuser.query(written);
}

/** Compares a source at once, as the clock has it done, and waits until that is done. */
async function compareNow(source: string): Promise<void> {
  const which = `from pgscore_data.target t where t.target_id = w.target_id and t.view_name = '${source}_live'`;
  const ask = `update pgscore_data.watch w set compare_after = now(), compared_at = null ${which}`;
  await superuser.query(ask);
  const look = `select from pgscore_data.watch w join pgscore_data.target t using (target_id)
    where t.view_name = '${source}_live' and w.compared_at is not null`;
  await waitFor(async () => (await superuser.query(look)).rowCount === 1, { message: `${source} to be compared` });
}

async function expectRight(source: string): Promise<void> {
  await atRest(alice, `alice.${source}_live`);
  expect(await differences(alice, 'iris', source, `${source}_live`)).toEqual([]);
}

async function counted(source: string): Promise<{ scored: number; unchanged: number }> {
  const { rows } = await alice.query<{ scored: number; unchanged: number }>(
    `select rows_scored::int as scored, rows_unchanged::int as unchanged from pgscore.watches where target = $1`,
    [`alice.${source}_live`],
  );
  return rows[0] ?? { scored: 0, unchanged: 0 };
}

beforeAll(async () => {
  await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');
});

test('what no trigger saw is found by the clock', async () => {
  await create('replicated', 20);
  await watch('replicated');
  await replicate(`insert into alice.replicated values (30, 5, 3, 4, 1.2); delete from alice.replicated where id = 5;
    update alice.replicated set petal_length = 7 where id = 6`);
  await compareNow('replicated');
  await expectRight('replicated');
});

test('what a scorer has read and not published yet is read again, as the comparison cannot know it', async () => {
  await create('gated_base', 20);
  await run(`create function gate(x real) returns real language plpgsql volatile as $$ begin
      if current_setting('application_name') = 'pgscore reader' then
        perform pg_advisory_lock_shared(4711);
        perform pg_advisory_unlock_shared(4711);
      end if;
      return x;
    end $$;
    create view gated as select id, sepal_length, sepal_width, gate(petal_length) as petal_length, petal_width from gated_base`);
  await watch('gated', `, on_change_of => '{"gated_base": "id"}'`);
  await superuser.query('select pg_advisory_lock(4711)');
  await run('update gated_base set petal_length = 7 where id = 1');
  const waiting = `select from pg_locks where locktype = 'advisory' and not granted`;
  await waitFor(async () => (await superuser.query(waiting)).rowCount === 1, { message: 'the scorer to read' });
  await replicate('update alice.gated_base set petal_length = 2 where id = 1');
  await compareNow('gated');
  await superuser.query('select pg_advisory_unlock(4711)');
  await expectRight('gated');
});

test('a view that changes with the clock is compared as often as is said', async () => {
  await run('create table hour (now real); insert into hour values (1)');
  await create('timely_base', 20);
  await run(`create view timely as select id, sepal_length, sepal_width, petal_length, now from timely_base, hour`);
  await run(`create or replace view timely as select id, sepal_length, sepal_width, petal_length,
    (case when now() is null then 0 else now end)::real as now from timely_base, hour`);
  await watch(
    'timely',
    `, column_map => '{"petal_width": "now"}', on_change_of => '{"timely_base": "id"}', rescore_every => '1 min'`,
  );
  const { rows } = await superuser.query(
    `select w.compare_after - w.compared_at < interval '61 s' as is_soon from pgscore_data.watch w join pgscore_data.target t using (target_id)
      where t.view_name = 'timely_live'`,
  );
  expect(rows).toEqual([{ is_soon: true }]);
  const before = await counted('timely');
  await run('update hour set now = 2');
  await compareNow('timely');
  await atRest(alice, 'alice.timely_live');
  expect((await counted('timely')).scored - before.scored).toBe(20);
});

test('a watch that is called again with the same source scores no row again', async () => {
  await create('settled', 200);
  await watch('settled');
  const before = await counted('settled');
  await watch('settled', `, keep_history => '1 day', notify => 'settled'`);
  await run('update settled set petal_length = petal_length + 1 where id = 7');
  await expectRight('settled');
  expect((await counted('settled')).scored - before.scored).toBe(1);
});

test('an update of a table below a view that does not change its rows writes nothing', async () => {
  await create('below', 50, ', note text');
  await run(
    'create view above as select id, sepal_length, sepal_width, petal_length, petal_width, note is null as is_bare from below',
  );
  await watch('above', `, on_change_of => '{"below": "id"}'`);
  const before = await counted('above');
  await run(`update below set note = 'x' where id <= 10`);
  await expectRight('above');
  const after = await counted('above');
  expect([after.scored - before.scored, after.unchanged - before.unchanged]).toEqual([0, 10]);
});

test('a promotion leaves rows alone until they change, where that is wanted', async () => {
  await create('kept', 20);
  await watch('kept', `, on_promote => 'keep'`);
  await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');
  await ada.query(`select pgscore.promote('iris@2')`);
  await run('update kept set petal_length = petal_length + 1 where id = 7');
  const versions = async (): Promise<unknown> =>
    (
      await alice.query(
        'select model_version, count(*)::int as n, min(id)::int as id from kept_live group by 1 order by 1',
      )
    ).rows;
  await waitFor(async () => ((await versions()) as unknown[]).length === 2);
  expect(await versions()).toEqual([
    { model_version: 'iris@1', n: 19, id: 1 },
    { model_version: 'iris@2', n: 1, id: 7 },
  ]);
});

test('rows that change go before the rows that were there when the watch began', async () => {
  await create('large', 25_000);
  await run(`select pgscore.watch('iris', 'large', target => 'large_live')`);
  const pending = `select pending::int, state from pgscore.watches where target = 'alice.large_live'`;
  await waitFor(async () => Number((await alice.query<{ pending: number }>(pending)).rows[0]?.pending) > 17_000);
  await run('insert into large values (100000, 5, 3, 4, 1.2)');
  const seen = await waitFor(async () => {
    const { rows } = await alice.query<{ waiting: number }>(
      `select (select pending::int from pgscore.watches where target = 'alice.large_live') as waiting from large_live where id = 100000`,
    );
    return rows[0];
  });
  expect(seen.waiting).toBeGreaterThan(0);
  await atRest(alice, 'alice.large_live');
  expect((await alice.query('select from large_live')).rowCount).toBe(25_001);
  expect((await alice.query('select from large_live_history group by id having count(*) > 1')).rowCount).toBe(0);
});

test('rows that change go before those that a promotion scores again', async () => {
  await ada.query(`select pgscore.promote('iris@1')`);
  const waiting = async (): Promise<number> =>
    (
      await alice.query<{ n: number }>(
        `select pending::int as n from pgscore.watches where target = 'alice.large_live'`,
      )
    ).rows[0]?.n ?? 0;
  await waitFor(async () => (await waiting()) > 17_000, { message: 'all rows to be queued' });
  await run('insert into large values (100001, 5, 3, 4, 1.2)');
  await waitFor(async () => (await alice.query('select from large_live where id = 100001')).rowCount === 1);
  expect(await waiting()).toBeGreaterThan(0);
  await expectRight('large');
});

test('a version that is named scores whatever is promoted', async () => {
  await create('pinned', 20);
  await run(`select pgscore.watch('iris@1', 'pinned', target => 'pinned_live')`);
  await atRest(alice, 'alice.pinned_live');
  await run('insert into pinned values (21, 5, 3, 4, 1)');
  await expectRight('pinned');
  const { rows } = await alice.query('select distinct model_version from pinned_live');
  expect(rows).toEqual([{ model_version: 'iris@1' }]);
});

test('a history is kept as long as is said', async () => {
  await create('remembered', 5);
  await watch('remembered', `, keep_history => '1 day'`);
  await run('update remembered set petal_length = petal_length + 1');
  await atRest(alice, 'alice.remembered_live');
  const history = async (): Promise<number> => (await alice.query('select from remembered_live_history')).rowCount ?? 0;
  const prune = 'update pgscore_data.watch set prune_after = null';
  const isPruned = `select from pgscore_data.watch w join pgscore_data.target t using (target_id)
    where t.view_name = 'remembered_live' and w.prune_after is not null`;
  const pruned = async (): Promise<void> => {
    await superuser.query(prune);
    await waitFor(async () => (await superuser.query(isPruned)).rowCount === 1, {
      message: 'the history to be pruned',
    });
  };
  await pruned();
  expect(await history()).toBe(10);
  // Whoever counts runs writes to them, too.
  const uncounted = 'select from pgscore_data.run where not kept';
  await waitFor(async () => (await superuser.query(uncounted)).rowCount === 0, { message: 'all runs to be counted' });
  await superuser.query(`update pgscore_data.run set finished_at = finished_at - interval '2 days'`);
  await waitFor(async () => {
    await pruned();
    return (await history()) === 5;
  });
});
