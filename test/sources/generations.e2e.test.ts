import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
// Small batches, so that a run of a few hundred rows gets a generation of its own.
await startTestService(database, { PGSCORE_SCORERS: '2', PGSCORE_BATCH_ROWS: '100', PGSCORE_POLL: '0.4' });
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);
await deployBytes(ada, 'same', weightedModel({ a: 'float32' }));
await alice.query('create table rows (id int primary key, a real)');

async function fill(count: number): Promise<void> {
  await alice.query('delete from rows');
  await alice.query('insert into rows select i, i from generate_series(1, $1::int) i', [count]);
}

async function counts(target: string): Promise<{ latest: number; history: number }> {
  const text = `select (select count(*)::int from ${target}) as latest, (select count(*)::int from ${target}_history) as history`;
  const { rows } = await alice.query<{ latest: number; history: number }>(text);
  return rows[0] ?? { latest: -1, history: -1 };
}

test('an empty source gives a run that is done, and no predictions', async () => {
  expect(await scoreTable(alice, 'same', 'rows')).toMatchObject({
    state: 'done',
    rows_done: '0',
    published: true,
    error: null,
  });
  expect(await counts('rows_scores')).toEqual({ latest: 0, history: 0 });
});

test('a full run replaces the one before: keys that are gone vanish, the history keeps them', async () => {
  let history = 0;
  for (const count of [1, 5, 0, 20_000, 5, 300, 299, 1]) {
    await fill(count);
    expect(await scoreTable(alice, 'same', 'rows')).toMatchObject({
      state: 'done',
      rows_done: String(count),
      published: true,
    });
    history += count;
    expect(await counts('rows_scores')).toEqual({ latest: count, history });
  }
  const { rows } = await alice.query(
    `select count(*)::int as keys, max(id) as last from (select distinct id from rows_scores_history) k`,
  );
  expect(rows).toEqual([{ keys: 20_000, last: 20_000 }]);
});

test('the latest goes by the snapshot: an older one that ends later does not replace a newer', async () => {
  await alice.query(`
    create function pass_gate() returns real volatile language plpgsql as $$ begin perform pg_advisory_xact_lock_shared(7); return 0; end $$;
    create view slow as select id, a + alice.pass_gate() as a from rows`);
  await fill(3);
  await superuser.query('select pg_advisory_lock(7)');
  const older = await submitRun(alice, 'same', 'slow', { key: 'id', target: 'ordered' });
  await waitFor(async () => {
    const { rows } =
      await superuser.query(`select from pg_locks where locktype = 'advisory' and objid = 7 and not granted
        and database = (select oid from pg_database where datname = current_database())`);
    return rows.length > 0;
  });
  await fill(4);
  const newer = await scoreTable(alice, 'same', 'rows', { target: 'ordered' });
  expect(newer).toMatchObject({ state: 'done', rows_done: '4', published: true });
  await superuser.query('select pg_advisory_unlock(7)');
  expect(await endOfRun(alice, older)).toMatchObject({ state: 'done', rows_done: '3', published: false });
  expect((await alice.query('select distinct run_id from ordered')).rows).toEqual([{ run_id: newer.run }]);
  expect(await counts('ordered')).toEqual({ latest: 4, history: 7 });
});

test('of many generations the newest forty stay, and no partition is left of the others', async () => {
  await fill(150);
  for (let run = 1; run <= 45; run += 1) {
    expect(await scoreTable(alice, 'same', 'rows', { target: 'often' })).toMatchObject({ state: 'done' });
  }
  await waitFor(
    async () => {
      const { rows } = await superuser.query<{ partitions: number }>(
        `select count(*)::int as partitions from pg_inherits
          where inhparent = (select format('pgscore_predictions.target_%s', target_id)::regclass from pgscore_data.target where view_name = 'often')`,
      );
      return (rows[0]?.partitions ?? 99) <= 43;
    },
    { message: 'old generations to be dropped' },
  );
  const { latest, history } = await counts('often');
  expect(latest).toBe(150);
  expect(history).toBe(41 * 150);
});

test('discarded generations of failed runs leave no partition', async () => {
  await alice.query(
    `create table twice (id int, a real); insert into twice select i % 250, i from generate_series(1, 300) i`,
  );
  expect(await scoreTable(alice, 'same', 'twice', { key: 'id' })).toMatchObject({
    state: 'failed',
    error_code: 'duplicate_key',
  });
  await waitFor(async () => {
    const { rows } = await superuser.query(
      `select from pgscore_data.generation where state in ('discarded', 'loading')`,
    );
    return rows.length === 0;
  });
  expect(await counts('twice_scores')).toEqual({ latest: 0, history: 0 });
});
