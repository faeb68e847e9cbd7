import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const [superuser, ada, alice, bob] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('bob'),
]);

beforeAll(async () => {
  await addReadyModel(superuser, 'line');
  await alice.query(`
    create table rows (id bigint primary key, x real);
    create view below as select id, x from rows;
    create view above as select id, x from below`);
});

beforeEach(async () => {
  await superuser.query(`select pgscore_data._drop_captures(watch_id, '{}') from pgscore_data.watch`);
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

describe('a deployer', () => {
  test(`pauses and ends everybody's watches, also of a role that left, and others do not`, async () => {
    expect((await ada.query('select target, state from pgscore.watches')).rows).toEqual([
      { target: 'alice.live', state: 'following' },
    ]);
    expect(await refusal(bob, `select pgscore.pause_watch('alice.live')`)).toMatchObject({ code: '42704' });
    await ada.query(`select pgscore.pause_watch('alice.live')`);
    expect((await alice.query('select state from pgscore.watches')).rows).toEqual([{ state: 'paused' }]);
    await superuser.query(`update pgscore_data.watch set owner = 'nobody_left'`);
    await ada.query(`select pgscore.unwatch('alice.live')`);
    expect((await superuser.query('select from pgscore_data.watch')).rowCount).toBe(0);
    expect((await superuser.query(`select from pg_trigger where tgrelid = 'alice.rows'::regclass`)).rowCount).toBe(0);
  });
});
