import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { cloneDatabase, emptyDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';
import { waitFor } from '../support/wait-for.ts';

const database = await cloneDatabase();
const elsewhere = await emptyDatabase();
const [superuser, ada, alice, bob, neighbour] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('bob'),
  elsewhere.client(),
]);

beforeAll(async () => {
  await addReadyModel(superuser, 'line');
  await alice.query(`
    create table rows (id bigint primary key, x real);
    create view below as select id, x from rows;
    create view above as select id, x from below`);
});

beforeEach(async () => {
  await superuser.query(`select pgscore_data._drop_captures('watch', watch_id, '{}') from pgscore_data.watch`);
  await superuser.query('delete from pgscore_data.watch; delete from pgscore_data.watch_change');
  await alice.query(
    `select pgscore.watch('line', 'above', key => 'id', target => 'live', on_change_of => '{"rows": "id"}')`,
  );
  await superuser.query(
    `update pgscore_data.watch set compare_after = clock_timestamp() + interval '1 hour', is_complete = true`,
  );
});

/** What a service has to do just now, which it takes in hand. */
async function due(): Promise<string[]> {
  const { rows } = await superuser.query<{ work: string }>(`select work from pgscore_data._due_watches('{}')`);
  return rows.map(({ work }) => work);
}

async function end(error: string | null): Promise<void> {
  await superuser.query(
    `select pgscore_data._end_watch_work(watch_id, 'watch_failed', $1, 'mend it') from pgscore_data.watch`,
    [error],
  );
}

test('a view below the source that gets another definition has the watch planned anew', async () => {
  expect(await due()).toEqual([]);
  await alice.query('create or replace view below as select id, -x as x from rows');
  expect(await due()).toEqual(['renew']);
});

test('a look at all watches starts no function for the digest of each, which takes several times as long', async () => {
  const { rows } = await superuser.query<{ 'QUERY PLAN': string }>(
    'explain select (select d.digest from pgscore_data._source_digest(w) d) from pgscore_data.watch w',
  );
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toContain('pg_attribute');
  expect(plan).not.toMatch(/Function Scan on _(?:source_digest|relations)/);
});

describe('a source that is to be compared is compared again until these transactions of that time have ended:', () => {
  /** Whether it is to be compared once more, after the next comparison. */
  async function isComparedAgain(): Promise<boolean> {
    await superuser.query('update pgscore_data.watch set busy_until = null');
    await superuser.query('insert into pgscore_data.watch_to_compare select watch_id from pgscore_data.watch');
    expect([await due(), await due(), await due()]).toEqual([['look_again'], ['look_again'], ['compare']]);
    return (await superuser.query('select from pgscore_data.watch where compare_until is not null')).rowCount === 1;
  }

  test.each([
    ['those of its database', superuser, 'create table written (n int)', true],
    ['none of another database', neighbour, 'create table written (n int)', false],
  ])('%s', async (_which, client, text, waits) => {
    const other = client === superuser ? await database.client() : client;
    const id = `compared_${database.name}_${waits}`;
    // Autovacuum may write there just now.
    const rests = () => waitFor(async () => !(await isComparedAgain()), { message: 'no transaction of that time' });
    const asExpected = async () => (waits ? expect(await isComparedAgain()).toBe(true) : rests());
    for (const begun of ['begin', text]) await other.query(begun);
    await asExpected();
    const prepare = `prepare transaction '${id}'`;
    await other.query(prepare);
    await asExpected();
    const commit = `commit prepared '${id}'`;
    await other.query(commit);
    await rests();
  });
});

describe('a watch that fails', () => {
  /** Seconds until it is tried again. */
  async function pause(): Promise<number> {
    const { rows } = await superuser.query<{ seconds: number }>(
      `select extract(epoch from retry_at - clock_timestamp())::float8 as seconds from pgscore_data.watch`,
    );
    return rows[0]?.seconds ?? NaN;
  }

  /** Has a run of it fail, after it was planned and compared again. */
  async function failAgain(): Promise<number> {
    await superuser.query(
      `update pgscore_data.watch set error = null, error_code = null, remedy = null;
       insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, rls, watch_id, keys, oldest_change_at, state)
       select owner, version_id, target_id, 'alice', 'above', 'stream', 'error', watch_id, '{1}', clock_timestamp(), 'running' from pgscore_data.watch;
       update pgscore_data.run set state = 'failed', error_code = 'duplicate_key', error = 'two rows' where state = 'running'`,
    );
    return pause();
  }

  test('waits twice as long each time, as each try compares the whole source, and at most a quarter of an hour', async () => {
    const pauses = [];
    for (let time = 0; time < 7; time += 1) pauses.push(Math.ceil((await failAgain()) / 10) * 10);
    expect(pauses).toEqual([30, 60, 120, 240, 480, 900, 900]);
    await superuser.query(`update pgscore_data.watch set retry_at = clock_timestamp() - interval '61 minutes'`);
    expect(Math.ceil(await failAgain())).toBe(30);
  });

  test('is tried at once when it is resumed, and its pauses begin anew', async () => {
    await failAgain();
    await failAgain();
    await alice.query(`select pgscore.resume_watch('live')`);
    expect(await due()).toEqual(['renew']);
    await end(null);
    expect(Math.ceil(await failAgain())).toBe(30);
  });

  test('in planning alone is tried every five seconds', async () => {
    await alice.query('create or replace view below as select id, x from rows where id > 0');
    for (let time = 0; time < 4; time += 1) {
      expect(await due()).toEqual(['renew']);
      await end('the source is gone');
      expect(Math.ceil(await pause())).toBe(5);
      await superuser.query('update pgscore_data.watch set retry_at = clock_timestamp()');
    }
  });
});

test('a watch whose owner holds it in an open transaction is passed by', async () => {
  await superuser.query('insert into pgscore_data.watch_to_compare select watch_id from pgscore_data.watch');
  expect(await due()).toEqual(['look_again']);
  await alice.query('begin');
  await alice.query(`select pgscore.pause_watch('live')`);
  await superuser.query(`set statement_timeout = '5s'`);
  expect(await due()).toEqual([]);
  await superuser.query('reset statement_timeout');
  await alice.query('rollback');
  expect(await due()).toEqual(['look_again']);
  expect(await due()).toEqual(['compare']);
});

describe('changes of a watch that takes none', () => {
  /** Lets the queue be an eighth full. */
  async function fill(): Promise<void> {
    await superuser.query(`set pgscore.watch_queue_bytes = '64kB'`);
    await alice.query(
      `do $$ begin for i in 1..300 loop insert into rows values (i, 1); end loop; end $$; delete from rows`,
    );
    await superuser.query('select pgscore_data._drop_idle_changes()');
  }

  async function pending(): Promise<number> {
    const { rows } = await alice.query<{ pending: string }>('select pending from pgscore.watches');
    return Number(rows[0]?.pending);
  }

  test('wait while it goes on', async () => {
    await fill();
    expect(await pending()).toBe(600);
  });

  test.each([
    ['is paused', `update pgscore_data.watch set paused = true`],
    ['fails', `update pgscore_data.watch set error = 'a reason', retry_at = clock_timestamp() + interval '1 hour'`],
  ])(
    'leave the queue once it is an eighth full, and a comparison finds them, where it %s',
    async (_what, statement) => {
      await superuser.query(statement);
      await fill();
      expect(await pending()).toBe(0);
      await superuser.query('update pgscore_data.watch set paused = false, error = null, retry_at = null');
      expect(await due()).toEqual(['compare']);
    },
  );

  test('stay while a comparison is in hand, which may have read the source before', async () => {
    await superuser.query('update pgscore_data.watch set compare_after = clock_timestamp()');
    expect(await due()).toEqual(['compare']);
    await alice.query(`select pgscore.pause_watch('live')`);
    await fill();
    expect(await pending()).toBe(600);
  });
});

describe('what is kept of a watch whose rows change again and again', () => {
  /** Ten rows that changed so often, each time in a run of its own that a label was looked for, days ago. */
  async function change(times: number, state = 'done'): Promise<void> {
    await superuser.query(
      `insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, rls, watch_id, state,
         error, generation, counted, kept, finished_at)
       select w.owner, w.version_id, w.target_id, 'alice', 'above', 'stream', 'error', w.watch_id, $2, nullif($2, 'done'), 1, true, true,
         clock_timestamp() - interval '2 days'
         from pgscore_data.watch w cross join generate_series(1, $1::int)`,
      [times, state],
    );
  }

  async function predict(): Promise<void> {
    await superuser.query(
      `do $$ declare
         base text := 'pgscore_predictions.target_' || (select target_id from pgscore_data.watch);
       begin
         execute format('truncate %1$s; insert into %1$s (generation, id, score, run_id)
           select case when n <= 10 then 1 else 0 end, n %% 10, 0, run_id
             from (select run_id, row_number() over (order by run_id desc) as n from pgscore_data.run where state = ''done'') r', base);
       end $$`,
    );
  }

  async function prune(most: number): Promise<{ runs: number; replaced: number; newest: number }> {
    await superuser.query('update pgscore_data.watch set prune_after = null');
    await superuser.query(`select pgscore_data._prune_watches($1, '{}')`, [most]);
    const { rows } = await superuser.query<{ target_id: number }>('select target_id from pgscore_data.watch');
    const base = `pgscore_predictions.target_${rows[0]?.target_id}`;
    const text = `select (select count(*)::int from pgscore_data.run) as runs,
      (select count(*)::int from ${base}_g0) as replaced, (select count(*)::int from ${base}_g1) as newest`;
    return (await superuser.query(text)).rows[0];
  }

  beforeEach(async () => {
    await superuser.query('delete from pgscore_data.run');
    await change(250);
    await predict();
  });

  test('are the newest predictions and the last hundred runs', async () => {
    expect(await prune(1000)).toEqual({ runs: 100, replaced: 0, newest: 10 });
  });

  test('are also the runs whose predictions are the newest', async () => {
    await change(150, 'failed');
    await superuser.query(`update pgscore_data.run set finished_at = finished_at - interval '8 days'`);
    expect(await prune(1000)).toEqual({ runs: 110, replaced: 0, newest: 10 });
  });

  test('are also the runs of a day, for views that look back so long, and those that failed within a week', async () => {
    await superuser.query(`update pgscore_data.run set finished_at = clock_timestamp() - interval '24 hours'`);
    expect(await prune(1000)).toEqual({ runs: 250, replaced: 0, newest: 10 });
    await superuser.query(`update pgscore_data.run set finished_at = clock_timestamp() - interval '26 hours'`);
    await superuser.query(
      `update pgscore_data.run set state = 'failed', error = 'x' where run_id in (select min(run_id) from pgscore_data.run)`,
    );
    expect(await prune(1000)).toEqual({ runs: 101, replaced: 0, newest: 10 });
  });

  test('is found by looking at some runs at a time', async () => {
    expect(await prune(40)).toEqual({ runs: 211, replaced: 200, newest: 10 });
    for (let time = 0; time < 12; time += 1) await prune(40);
    expect(await prune(40)).toEqual({ runs: 100, replaced: 0, newest: 10 });
  });

  test('is the history for as long as keep_history says', async () => {
    await superuser.query(`update pgscore_data.watch set keep_history = '3 days'`);
    expect(await prune(1000)).toEqual({ runs: 250, replaced: 240, newest: 10 });
    await superuser.query(`update pgscore_data.watch set keep_history = '1 day'`);
    expect(await prune(1000)).toEqual({ runs: 100, replaced: 0, newest: 10 });
  });

  test('is left to a later time where an open transaction holds the watch', async () => {
    await superuser.query(`update pgscore_data.watch set prune_after = null; set statement_timeout = '5s'`);
    await alice.query(`begin; select pgscore.pause_watch('live')`);
    const pruned = superuser.query(`select pgscore_data._prune_watches(1000, '{}') is not null as held`);
    const [held] = await Promise.allSettled([pruned]);
    await alice.query('rollback');
    await superuser.query('reset statement_timeout');
    expect(held).toMatchObject({ value: { rows: [{ held: true }] } });
    const others = `select pgscore_data._prune_watches(1000, array_agg(watch_id)) from pgscore_data.watch`;
    expect((await superuser.query(others)).rows).toEqual([{ _prune_watches: null }]);
  });
});

describe('a deployer', () => {
  test(`pauses and ends everybody's watches, also of a role that left, and others do not`, async () => {
    expect((await ada.query('select target, state from pgscore.watches')).rows).toEqual([
      { target: 'alice.live', state: 'following' },
    ]);
    expect(await refusal(bob, `select pgscore.pause_watch('alice.live')`)).toMatchObject({ code: '42704' });
    await ada.query(`select pgscore.pause_watch('alice.live')`);
    expect((await alice.query('select state from pgscore.watches')).rows).toEqual([{ state: 'paused' }]);
    await superuser.query(`update pgscore_data.watch set owner = 'nobody_left', paused = false, retry_at = null`);
    // The service says then that it cannot be planned.
    expect(await due()).toEqual(['renew']);
    await ada.query(`select pgscore.unwatch('alice.live')`);
    expect((await superuser.query('select from pgscore_data.watch')).rowCount).toBe(0);
    expect((await superuser.query(`select from pg_trigger where tgrelid = 'alice.rows'::regclass`)).rowCount).toBe(0);
  });
});
