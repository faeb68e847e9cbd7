import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { describeOnCitus } from '../support/citus.ts';
import { deployBytes } from '../support/deploy.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService, type TestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const ROWS = 2000;

/** The columns of every source here, and their values for key g: the prediction is 321 plus 100 g. */
const COLUMNS = 'a int, b int, c float8';
const VALUES = '1, 2, 3 + g';

await describeOnCitus('shards', (database) => {
  let service: TestService | undefined;
  let [alice, bob, superuser]: Client[] = [];

  const client = (connected: Client | undefined): Client => {
    if (connected === undefined) throw new Error('not connected');
    return connected;
  };
  const ask = (text: string) => client(alice).query(text);
  const run = (source: string, options: Record<string, unknown> = {}) =>
    scoreTable(client(alice), 'sums', source, options);

  beforeAll(async () => {
    service = await startTestService(database, { PGSCORE_LEASE: '2', PGSCORE_SCORERS: '2' });
    [alice, bob, superuser] = [await database.client('alice'), await database.client('bob'), await database.client()];
    await superuser.query('grant create on schema public to alice, bob');
    const ada = await database.client('ada');
    await deployBytes(ada, 'sums', weightedModel({ a: 'int32', b: 'int32', c: 'float32' }));
    await ada.query(`select pgscore.grant_model('sums', 'alice'), pgscore.grant_model('sums', 'bob')`);
    await makeSource('spread');
  });

  async function makeSource(name: string): Promise<void> {
    await ask(`create table ${name} (id bigint primary key, ${COLUMNS})`);
    await ask(`select create_distributed_table('${name}', 'id', shard_count => 8, colocate_with => 'none')`);
    await ask(`insert into ${name} select g, ${VALUES} from generate_series(1, ${ROWS}) g`);
  }

  /** Every key once, with its prediction. */
  async function expectWhole(target: string): Promise<void> {
    const { rows } = await ask(`select count(*)::int as n, count(distinct id)::int as keys,
      count(*) filter (where score is distinct from 321 + 100 * id)::int as wrong from ${target}`);
    expect(rows).toEqual([{ n: ROWS, keys: ROWS, wrong: 0 }]);
  }

  /** Who read the shards of a run. */
  async function readBy(of: string): Promise<string> {
    const { rows } = await client(superuser).query('select shards_read_by from pgscore_data.run where run_id = $1', [
      of,
    ]);
    return rows[0].shards_read_by;
  }

  test('are read from the nodes that hold them, and give what a plain table gives', async () => {
    const done = await run('spread');
    expect(done).toMatchObject({ state: 'done', error: null, rows_done: String(ROWS) });
    expect(await readBy(done.run)).toBe('nodes');
    await expectWhole('spread_scores');
    await ask('create table plain as select * from spread; alter table plain add primary key (id)');
    await run('plain');
    const { rows } = await ask(`select count(*)::int as n from spread_scores s join plain_scores p using (id)
      where s.score = p.score and s.error_code is not distinct from p.error_code`);
    expect(rows).toEqual([{ n: ROWS }]);
  });

  test('of a partitioned table, of another schema, with names to quote', async () => {
    await client(superuser).query('create schema "Other %s"; grant all on schema "Other %s" to alice');
    await ask(`create table "Other %s"."Event's" ("Id" bigint, at date, a int, b int, c float8, primary key ("Id", at)) partition by range (at);
      create table "Other %s".first partition of "Other %s"."Event's" for values from ('2026-01-01') to ('2026-02-01');
      create table "Other %s".second partition of "Other %s"."Event's" for values from ('2026-02-01') to ('2026-03-01')`);
    await ask(`select create_distributed_table('"Other %s"."Event''s"', 'Id')`);
    await ask(
      `insert into "Other %s"."Event's" select g, date '2026-01-01' + g % 50, ${VALUES} from generate_series(1, ${ROWS}) g`,
    );
    const done = await run(`"Other %s"."Event's"`, { target: 'events', event_time: 'at' });
    expect(done).toMatchObject({ state: 'done', error: null });
    expect(await readBy(done.run)).toBe('nodes');
    const { rows } = await ask('select count(*)::int as n from events where score = 321 + 100 * "Id"');
    expect(rows).toEqual([{ n: ROWS }]);
    const asked =
      await ask(`select pgscore.replay('sums', from_time => '2026-01-10', to_time => '2026-01-12', source => '"Other %s"."Event''s"', key => array['Id', 'at'],
      event_time => 'at', target => 'replayed') as run`);
    const replayed = await endOfRun(client(alice), asked.rows[0].run);
    expect(replayed).toMatchObject({ state: 'done', error: null, rows_done: String((2 * ROWS) / 50) });
    expect(await readBy(replayed.run)).toBe('nodes');
  });

  describe('are read with the rights of the requester', () => {
    test('and her policies', async () => {
      await ask(`create table secret (id bigint primary key, reader text, ${COLUMNS});
        select create_distributed_table('secret', 'id', shard_count => 8);
        insert into secret select g, case when g <= 10 then 'bob' end, ${VALUES} from generate_series(1, 50) g;`);
      for (const line of [
        'alter table secret enable row level security',
        'grant select on secret to bob',
        'create policy own on secret using (reader = current_user)',
      ])
        await ask(line);
      const filtered = await scoreTable(client(bob), 'sums', 'secret', { target: 'seen', rls: 'filter' });
      expect(filtered).toMatchObject({ state: 'done', rows_done: '10' });
      expect(await readBy(filtered.run)).toBe('nodes');
      expect(await scoreTable(client(bob), 'sums', 'secret', { target: 'seen' })).toMatchObject({
        state: 'failed',
        error_code: 'permission_denied',
      });
      await ask('revoke select on secret from bob');
      const worker = await database.worker(0);
      const { rows } = await worker.query<{ call: string; owner: string }>(
        `select format('select * from pgscore_sources.%I(%s::bigint)', p.proname, s.id) as call from pg_proc p,
           (select shardid as id from pg_dist_shard where logicalrelid = 'secret'::regclass limit 1) s
          where p.pronamespace = 'pgscore_sources'::regnamespace and p.proowner = 'bob'::regrole`,
      );
      // Neither anybody else nor the reader without the guard sees a row there.
      await worker.query('set role pgscore_reader');
      expect((await worker.query(rows[0]?.call ?? '')).rows).toEqual([]);
      await worker.query('set role alice');
      await expect(worker.query(rows[0]?.call ?? '')).rejects.toMatchObject({ code: '42501' });
    });
  });

  test('wait where the requester is a role of the coordinator alone', async () => {
    await client(superuser).query(`set citus.enable_ddl_propagation = off; create role eve login password 'eve';
      grant pgscore_user to eve; grant create on schema public to eve; grant select on spread to eve;
      reset citus.enable_ddl_propagation`);
    const ada = await database.client('ada');
    await ada.query(`select pgscore.grant_model('sums', 'eve')`);
    const eve = await database.client({ user: 'eve', password: 'eve' });
    const waiting = await submitRun(eve, 'sums', 'spread', { target: 'of_eve' });
    const state = 'select state, error_code, error from pgscore.runs where run = $1';
    await waitFor(async () => (await eve.query(state, [waiting])).rows[0].error_code !== null);
    expect((await eve.query(state, [waiting])).rows).toEqual([
      {
        state: 'queued',
        error_code: 'source_unreachable',
        error: expect.stringContaining('role "eve" does not exist'),
      },
    ]);
    await eve.query('select pgscore.cancel_run($1)', [waiting]);
  });

  describe('are read through the coordinator', () => {
    test('where a node does not let the reader in', async () => {
      const worker = await database.worker(0);
      await worker.query('set citus.enable_ddl_propagation = off; alter role pgscore_reader nologin');
      const done = await run('spread');
      await worker.query('alter role pgscore_reader login');
      expect(done).toMatchObject({ state: 'done', error: null });
      expect(await readBy(done.run)).toBe('coordinator');
      await expectWhole('spread_scores');
      expect(service?.log()).toMatch(
        /pgscore_reader\\" is not permitted to log in[^\n]*the coordinator reads the shards of the run/,
      );
    });

    test('where a node has another handle of the name, until the next request makes it anew', async () => {
      await run('spread');
      const worker = await database.worker(1);
      const { rows } = await worker.query<{ oid: string }>(
        `select p.oid::regprocedure as oid from pg_proc p join pg_dist_partition d on p.prosrc ~ 'public.spread''' and d.logicalrelid = 'spread'::regclass
          where p.pronamespace = 'pgscore_sources'::regnamespace and p.proowner = 'alice'::regrole`,
      );
      await worker.query('set citus.enable_ddl_propagation = off');
      expect(rows).toHaveLength(1);
      const give = `alter function ${rows[0]?.oid} owner to bob`;
      await worker.query(give);
      const taken = await run('spread');
      expect(await readBy(taken.run)).toBe('coordinator');
      const drop = `drop function ${rows[0]?.oid}`;
      await worker.query(drop);
      expect(await readBy((await run('spread')).run)).toBe('nodes');
      await expectWhole('spread_scores');
    });
  });

  describe('that change while they are read', () => {
    /** Reads take 5 ms a row. */
    async function beginSlowly(source: string): Promise<string> {
      const begun = await submitRun(client(bob), 'sums', source, { rls: 'filter' });
      const state = 'select state, phase from pgscore.runs where run = $1';
      await waitFor(async () => (await client(bob).query(state, [begun])).rows[0].phase === 'scoring');
      return begun;
    }

    async function slowSource(name: string): Promise<void> {
      await makeSource(name);
      for (const line of [
        `alter table ${name} enable row level security`,
        `grant select on ${name} to bob`,
        `create policy slowly on ${name} to bob using (pg_sleep(0.005)::text = '')`,
      ])
        await ask(line);
    }

    const expectWholeOfBob = async (target: string): Promise<void> => {
      const grant = `grant select on ${target} to alice`;
      await client(bob).query(grant);
      await expectWhole(target);
    };

    /** Until two sessions read on the workers at once. */
    async function waitForParallelReads(): Promise<void> {
      const nodes = await Promise.all([database.worker(0), database.worker(1)]);
      const reading = `select from pg_stat_activity where usename = 'pgscore_reader' and state = 'active'`;
      await waitFor(async () => {
        const found = await Promise.all(nodes.map((node) => node.query(reading)));
        return found.reduce((sum, { rowCount }) => sum + (rowCount ?? 0), 0) >= 2;
      });
    }

    test('by moving to another node are read again', async () => {
      await slowSource('moving');
      const begun = await beginSlowly('moving');
      await waitForParallelReads();
      const { rows } = await client(superuser)
        .query(`select citus_move_shard_placement(s.shardid, '127.0.0.1', s.nodeport, '127.0.0.1',
          (select w.node_port::int from citus_get_active_worker_nodes() w where w.node_port <> s.nodeport), 'block_writes')
        from citus_shards s where s.table_name = 'moving'::regclass and s.nodeport <> 0 limit 4`);
      expect(rows).toHaveLength(4);
      expect(await endOfRun(client(bob), begun, 60_000)).toMatchObject({ state: 'done', error: null });
      expect(service?.log()).toMatch(/shard opened again: shards of \\"public.moving\\" were moved/);
      expect(await readBy(begun)).toBe('nodes');
      await expectWholeOfBob('moving_scores');
    });

    test('by being split have the run begin anew', async () => {
      await slowSource('splitting');
      const begun = await beginSlowly('splitting');
      await client(superuser)
        .query(`select citus_split_shard_by_split_points(s.shardid, array[((s.shardminvalue::bigint + s.shardmaxvalue::bigint) / 2)::text],
          array[n.nodeid, n.nodeid], 'block_writes')
        from pg_dist_shard s join pg_dist_placement p using (shardid) join pg_dist_node n using (groupid)
        where s.logicalrelid = 'splitting'::regclass order by s.shardid limit 1`);
      expect(await endOfRun(client(bob), begun, 60_000)).toMatchObject({ state: 'done', error: null, attempt: 2 });
      await expectWholeOfBob('splitting_scores');
    });

    test('by their node stopping have the run wait for it', async () => {
      const [, worker] = database.servers;
      if (worker === undefined) return;
      await slowSource('stopping');
      const begun = await beginSlowly('stopping');
      await worker.stop();
      const waits = 'select error_code from pgscore.runs where run = $1';
      await waitFor(async () => (await client(bob).query(waits, [begun])).rows[0].error_code === 'source_unreachable');
      await worker.start();
      bob = await database.client('bob');
      alice = await database.client('alice');
      expect(await endOfRun(client(bob), begun, 60_000)).toMatchObject({ state: 'done', error: null });
      await expectWholeOfBob('stopping_scores');
    });

    test('in their columns wait for the run', async () => {
      await slowSource('altered');
      const begun = await beginSlowly('altered');
      await client(superuser).query(`set lock_timeout = '200ms'`);
      const alter = 'alter table altered alter column a type bigint';
      await expect(client(superuser).query(alter)).rejects.toMatchObject({ code: '55P03' });
      expect(await endOfRun(client(bob), begun, 60_000)).toMatchObject({ state: 'done', error: null });
    });
  });

  test('leave no handle on the workers where the coordinator has none', async () => {
    const worker = await database.worker(1);
    const handles = `select from pg_proc where pronamespace = 'pgscore_sources'::regnamespace`;
    expect((await worker.query(handles)).rowCount).toBeGreaterThan(0);
    await client(superuser).query(`update pgscore_data.handle set created_at = created_at - interval '2 days'`);
    await waitFor(async () => (await worker.query(handles)).rowCount === 0);
  });
});
