import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { describeOnCitus } from '../support/citus.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const ROWS = 1000;

/** The columns of every source here, and their values for key g: the prediction is 321 plus 100 g. */
const COLUMNS = 'a int, b int, c float8';
const VALUES = '1, 2, 3 + g';

await describeOnCitus('runs, watches and labels', (database) => {
  let [alice, bob, superuser]: Client[] = [];

  const owner = (): Client => client(alice);
  const ask = (text: string) => owner().query(text);
  const run = (source: string, options: Record<string, unknown> = {}) => scoreTable(owner(), 'sums', source, options);

  beforeAll(async () => {
    await startTestService(database, { PGSCORE_LEASE: '2' });
    [alice, bob, superuser] = [await database.client('alice'), await database.client('bob'), await database.client()];
    await superuser.query('grant create on schema public to alice, bob');
    const ada = await database.client('ada');
    await deployBytes(ada, 'sums', weightedModel({ a: 'int32', b: 'int32', c: 'float32' }));
    await ada.query(`select pgscore.grant_model('sums', 'alice'), pgscore.grant_model('sums', 'bob')`);
    await ask(`create table spread (id bigint primary key, ${COLUMNS});
      select create_distributed_table('spread', 'id');
      insert into spread select g, ${VALUES} from generate_series(1, ${ROWS}) g`);
  });

  /** Every key once, with its prediction. */
  async function expectWhole(target: string, rows = ROWS): Promise<void> {
    const read = `select count(*)::int as n, count(distinct id)::int as keys,
      count(*) filter (where score is distinct from 321 + 100 * id)::int as wrong from ${target}`;
    expect((await ask(read)).rows).toEqual([{ n: rows, keys: rows, wrong: 0 }]);
  }

  describe('a run reads', () => {
    test('a distributed table', async () => {
      expect(await run('spread')).toMatchObject({ state: 'done', error: null, rows_done: String(ROWS) });
      await expectWhole('spread_scores');
      // Again: the latest are replaced, and the history has both.
      await run('spread');
      await expectWhole('spread_scores');
      const { rows } = await ask('select count(*)::int as n from spread_scores_history');
      expect(rows).toEqual([{ n: 2 * ROWS }]);
    });

    test('a reference table, one that is only known to Citus, a plain one and a columnar one', async () => {
      for (const [table, made] of [
        ['copied', `select create_reference_table('copied')`],
        ['known', ''],
        ['plain', ''],
        ['columnar', 'alter table columnar set access method columnar'],
      ] as const) {
        await ask(`create table ${table} (id bigint primary key, ${COLUMNS}); ${made}`);
        if (table === 'known') await client(superuser).query(`select citus_add_local_table_to_metadata('known')`);
        await ask(`insert into ${table} select g, ${VALUES} from generate_series(1, 50) g`);
        expect(await run(table)).toMatchObject({ state: 'done', error: null });
        await expectWhole(`${table}_scores`, 50);
      }
    });

    test('a partitioned distributed table', async () => {
      await ask(`create table events (id bigint, at date, ${COLUMNS}, primary key (id, at)) partition by range (at);
        create table events_1 partition of events for values from ('2026-01-01') to ('2026-02-01');
        create table events_2 partition of events for values from ('2026-02-01') to ('2026-03-01');
        select create_distributed_table('events', 'id');
        insert into events select g, date '2026-01-01' + g % 50, ${VALUES} from generate_series(1, ${ROWS}) g`);
      expect(await run('events')).toMatchObject({ state: 'done', error: null });
      await expectWhole('events_scores');
      expect(await run('events', { target: 'changed', only_changed: true })).toMatchObject({ state: 'done' });
      await ask('delete from events where id = 7; update events set c = c + 1 where id = 8');
      expect(await run('events', { target: 'changed', only_changed: true })).toMatchObject({ rows_done: '1' });
      const { rows } = await ask('select id, score from changed where id between 6 and 8 order by id');
      expect(rows).toEqual([
        { id: '6', score: 921 },
        { id: '8', score: 1221 },
      ]);
    });

    test('views of them', async () => {
      await ask(`create view joined as select s.id, s.a, o.b, s.c from spread s left join copied o on o.id = s.id % 50 + 1;
        create view grouped as select id % 10 + 1 as id, max(a) as a, max(b) as b, (4 + id % 10)::float8 as c from spread group by id % 10`);
      expect(await run('joined', { key: 'id' })).toMatchObject({ state: 'done', error: null });
      await expectWhole('joined_scores');
      expect(await run('grouped', { key: 'id' })).toMatchObject({ state: 'done', error: null });
      await expectWhole('grouped_scores', 10);
    });

    test('a table that was a plain one when it was last scored', async () => {
      await ask(`create table late (id bigint primary key, ${COLUMNS});
        insert into late select g, ${VALUES} from generate_series(1, 50) g`);
      await run('late');
      await ask(`select create_distributed_table('late', 'id')`);
      expect(await run('late')).toMatchObject({ state: 'done', rows_done: '50' });
      await ask(`select undistribute_table('late')`);
      expect(await run('late')).toMatchObject({ state: 'done', rows_done: '50' });
    });
  });

  describe('a run has the rights of its requester', () => {
    test('on the tables below a view', async () => {
      await ask('create view shown as select * from spread; grant select on shown to bob');
      const score = `select pgscore.score_table('sums', 'shown', target => 'bob_scores', key => 'id')`;
      expect(await refusal(client(bob), score)).toMatchObject({
        code: '42501',
        message: 'permission denied for table public.spread, which public.shown reads',
        hint: 'grant select on public.spread to bob;',
      });
      await ask('grant select on spread to bob');
      const options = { target: 'bob_scores', key: 'id' };
      expect(await scoreTable(client(bob), 'sums', 'shown', options)).toMatchObject({ state: 'done' });
    });

    test('and its policies', async () => {
      await ask(`create table secret (id bigint primary key, reader text, ${COLUMNS});
        select create_distributed_table('secret', 'id');
        insert into secret select g, case when g <= 10 then 'bob' end, ${VALUES} from generate_series(1, 50) g;`);
      // Citus repeats the whole text of these on the nodes.
      await ask('alter table secret enable row level security');
      await ask('grant select on secret to bob');
      await ask('create policy own on secret using (reader = current_user)');
      const [strict, filtered] = [
        await scoreTable(client(bob), 'sums', 'secret', { target: 'seen' }),
        await scoreTable(client(bob), 'sums', 'secret', { target: 'seen', rls: 'filter' }),
      ];
      expect(strict).toMatchObject({ state: 'failed', error_code: 'permission_denied' });
      expect(filtered).toMatchObject({ state: 'done', rows_done: '10' });
      expect((await client(bob).query('select max(id)::int as id from seen')).rows).toEqual([{ id: 10 }]);
    });
  });

  test('a view that Citus cannot run is refused when it is asked for', async () => {
    await ask(`create view crossed as select s.id, s.a, s.b,
      (select max(o.c) from spread o where o.c > s.c and o.id <> s.id) as c from spread s`);
    expect(await refusal(owner(), `select pgscore.score_table('sums', 'crossed', key => 'id')`)).toMatchObject({
      code: '0A000',
      message: expect.stringMatching(/^Citus cannot read source public\.crossed as a whole: complex joins/),
      hint: 'Write the view so that this works: select * from public.crossed;',
    });
  });

  test('predictions join their source', async () => {
    const joined =
      'select count(*)::int as n from spread s join spread_scores p using (id) where p.score = 321 + 100 * s.id';
    expect((await ask(joined)).rows).toEqual([{ n: ROWS }]);
  });

  test('a distributed copy of them is joined on the nodes', async () => {
    await ask('create table kept (id bigint primary key, score float8)');
    await ask(`select create_distributed_table('kept', 'id', colocate_with => 'spread')`);
    const copy = `begin; delete from kept where id not in (select id from spread_scores);
      insert into kept select id, score from spread_scores on conflict (id) do update set score = excluded.score; commit`;
    await ask(copy);
    await ask('insert into kept values (0, 0); update kept set score = 0 where id = 7');
    await ask(copy);
    await expectWhole('kept');
    const { rows } = await ask('explain (costs off) select s.id, k.score from spread s join kept k using (id)');
    const plan = rows.map((row: Record<string, string>) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/^Custom Scan \(Citus Adaptive\)\n {2}Task Count: 32\n[^]*Join/);
    expect(plan).not.toContain('Subplan');
  });

  test('targets keep what they are told, forget, and go; an experiment divides the rows', async () => {
    const ada = await database.client('ada');
    const types = { a: 'int32', b: 'int32', c: 'float32' } as const;
    for (let n = 0; n < 2; n += 1) await deployBytes(ada, 'split', weightedModel(types));
    await ada.query(`select pgscore.start_experiment('split', 'canary', '{"split@2": 50}', '{id}')`);
    for (let n = 0; n < 2; n += 1) await scoreTable(owner(), 'split', 'spread', { target: 'spread_split' });
    const { rows } = await ask('select count(distinct model_version)::int as versions from spread_split');
    expect(rows).toEqual([{ versions: 2 }]);
    await ada.query(`select pgscore.forget('split', '7')`);
    await waitForRows('select count(*) from spread_split', ROWS - 1);
    await waitForRows('select count(*) from spread_split_history', 2 * ROWS - 2);
    await ask(`select pgscore.keep_history('spread_split', '0 seconds')`);
    await waitForRows('select count(*) from spread_split_history', ROWS - 1);
    await ask(`select pgscore.drop_target('spread_split')`);
    expect((await ask(`select to_regclass('spread_split') as target`)).rows).toEqual([{ target: null }]);
  });

  test('a watch polls', async () => {
    const watch = `select pgscore.watch('sums', 'spread', 'followed', poll_every => '1 second'`;
    expect(await refusal(owner(), `${watch}, capture => 'triggers')`)).toMatchObject({
      message: expect.stringContaining('spread is a table of Citus, whose writes fire no trigger'),
    });
    expect((await ask(`${watch}) as captured`)).rows).toEqual([{ captured: 'poll' }]);
    await waitForRows('select count(*) from followed', ROWS);
    await ask(`update spread set c = c + 1 where id = 5; delete from spread where id = 6`);
    await waitForRows('select score from followed where id = 5', 921);
    await waitForRows('select count(*) from followed', ROWS - 1);
    await ask(`select pgscore.unwatch('followed')`);
    await ask(`update spread set c = c - 1 where id = 5; insert into spread values (6, 1, 2, 9)`);
  });

  test('labels are polled', async () => {
    await ask(`create table truth (id bigint primary key, actual float8);
      select create_distributed_table('truth', 'id', colocate_with => 'spread');
      insert into truth select id, 321 + 100 * id from spread`);
    await run('spread');
    const set = `select pgscore.set_labels('sums', 'truth', 'actual') as captured`;
    expect((await ask(set)).rows).toEqual([{ captured: 'polling' }]);
    const settled = `select rows_compared from pgscore.label_sources where is_settled and captured_by = 'polling'`;
    await waitForRows(settled, ROWS);
    const { rows } = await client(superuser).query(
      'select sum(n_labeled)::int as n, max(mae) as mae from pgscore_bi.regression_performance_daily where segment_key is null',
    );
    expect(rows).toEqual([{ n: ROWS, mae: 0 }]);
  });

  describe('with nodes that come and go', () => {
    test('a run waits for a worker that is away', async () => {
      const worker = database.servers[1];
      if (worker === undefined) return;
      await worker.stop();
      const waiting = await submitRun(owner(), 'sums', 'spread');
      const state = 'select state, error_code, error from pgscore.runs where run = $1';
      await waitFor(async () => (await owner().query(state, [waiting])).rows[0].error_code === 'source_unreachable');
      expect((await owner().query(state, [waiting])).rows).toEqual([
        expect.objectContaining({
          error: expect.stringMatching(/^a server that holds rows of "public.spread" did not answer/),
        }),
      ]);
      await worker.start();
      expect(await endOfRun(owner(), waiting)).toMatchObject({ state: 'done', error: null });
      await expectWhole('spread_scores');
    });

    test('a run begins anew where a worker, or the coordinator, is lost while it is read', async () => {
      // The sessions of before have connections to a worker as it was.
      alice = await database.client('alice');
      await ask('create view slow as select * from spread where pg_sleep(0.02) is not null');
      for (const server of database.servers.slice(0, 2).toReversed()) {
        const target = `slow_scores_${new URL(server.url()).port}`;
        const begun = await submitRun(owner(), 'sums', 'slow', { key: 'id', target });
        const state = 'select state, phase from pgscore.runs where run = $1';
        await waitFor(async () => (await owner().query(state, [begun])).rows[0].state === 'running');
        await server.stop();
        await server.start();
        alice = await waitFor(() => database.client('alice'));
        expect(await endOfRun(owner(), begun, 60_000)).toMatchObject({ state: 'done', error: null });
        await expectWhole(target);
      }
    });

    test('a run goes on where shards move', async () => {
      const moving = moveShards(await database.client());
      for (let n = 0; n < 5; n += 1) {
        expect(await run('spread')).toMatchObject({ state: 'done', rows_done: String(ROWS) });
        await expectWhole('spread_scores');
      }
      await moving;
      expect(await run('spread')).toMatchObject({ state: 'done', rows_done: String(ROWS) });
    });
  });

  async function waitForRows(query: string, value: number): Promise<void> {
    await waitFor(
      async () => {
        const { rows } = await owner().query<unknown[]>({ text: query, rowMode: 'array' });
        return Number(rows[0]?.[0]) === value;
      },
      { message: query },
    );
  }
});

/** Moves some shards of the table to the other worker, one after the other. */
async function moveShards(mover: Client): Promise<void> {
  const { rows } = await mover.query<{ shard: string; port: number; to: number }>(`
    select s.shardid as shard, s.nodeport as port, (select w.node_port::int from citus_get_active_worker_nodes() w where w.node_port <> s.nodeport) as to
      from citus_shards s where s.table_name = 'spread'::regclass and s.nodeport <> 0 order by s.shardid limit 4`);
  for (const { shard, port, to } of rows)
    await mover.query(`select citus_move_shard_placement($1, '127.0.0.1', $2, '127.0.0.1', $3, 'block_writes')`, [
      shard,
      port,
      to,
    ]);
}

function client(connected: Client | undefined): Client {
  if (connected === undefined) throw new Error('not connected');
  return connected;
}
