import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { checkCitus } from '../../src/commands/doctor/server.ts';
import { migrate } from '../../src/install/migrate.ts';
import { describeOnCitus } from '../support/citus.ts';
import { deployBytes, submitDeploy } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const ROWS = 200;

await describeOnCitus('nodes that fail', (database) => {
  // A cluster that was named is not stopped.
  const whereStarted = database.servers.length === 0 ? describe.skip : describe;
  let alice: Client;
  let ada: Client;
  let superuser: Client;

  const ask = async (text: string, values?: unknown[]) => (await alice.query(text, values)).rows;
  const asDeployer = async (text: string, values?: unknown[]) => (await ada.query(text, values)).rows;
  const asSuperuser = async (text: string, values?: unknown[]) => (await superuser.query(text, values)).rows;

  /** Sessions of before have connections to nodes as they were. */
  async function connectAnew(): Promise<void> {
    [alice, ada, superuser] = await waitFor(() =>
      Promise.all([database.client('alice'), database.client('ada'), database.client()]),
    );
  }

  beforeAll(async () => {
    await startTestService(database, { PGSCORE_LEASE: '2' });
    await connectAnew();
    await asSuperuser(`grant create on schema public to alice`);
    await asSuperuser(`alter system set citus.recover_2pc_interval = '1s'`);
    await asSuperuser(`select pg_reload_conf()`);
    await deployBytes(ada, 'sums', model(1));
    await deployBytes(ada, 'sums', model(2));
    await ask(`set citus.shard_count = 4;
      create table spread (id bigint primary key, a int, b int, c float8);
      select create_distributed_table('spread', 'id');
      insert into spread select g, 1, 2, 3 + g from generate_series(1, ${ROWS}) g;
      grant select on spread to bob`);
  });

  /** The prediction of the first version for id is 321 plus 100 ids, of the second half of it. */
  function model(version: number): Uint8Array {
    const names = version === 1 ? ['a', 'b', 'c'] : ['c', 'b', 'a'];
    return weightedModel(Object.fromEntries(names.map((name) => [name, name === 'c' ? 'float32' : 'int32'])));
  }

  async function expectWhole(target: string): Promise<void> {
    const [counted] = await ask(`select count(*)::int as n, count(distinct id)::int as keys,
      count(*) filter (where p.score is distinct from score('sums', s))::int as wrong
      from ${target} p left join (select * from spread offset 0) s using (id)`);
    expect(counted).toEqual({ n: ROWS, keys: ROWS, wrong: 0 });
  }

  const waitForReason = (run: string, code: string) =>
    waitFor(
      async () => {
        const [{ state, error_code: seen, error, remedy }] = await ask('select * from pgscore.runs where run = $1', [
          run,
        ]);
        return seen === code && { state, error, remedy };
      },
      { message: `run ${run} to wait because of ${code}` },
    );

  /** The native versions that a node has functions of. */
  async function versionsOn(node: Client): Promise<number[]> {
    const { rows } = await node.query<{ id: number }>(
      `select substring(proname from '^_v([0-9]+)_row$')::int as id from pg_proc where proname ~ '^_v[0-9]+_row$' order by 1`,
    );
    return rows.map(({ id }) => id);
  }

  async function expectInStep(nodes: readonly Client[]): Promise<void> {
    const wanted = await versionsOn(superuser);
    for (const node of nodes) {
      await waitFor(async () => JSON.stringify(await versionsOn(node)) === JSON.stringify(wanted), {
        message: `a node to have versions ${wanted.join(', ')}`,
      });
    }
  }

  const workers = () => Promise.all([database.worker(0), database.worker(1)]);

  whereStarted('and come back', () => {
    test('stop deploy(), which names the node, and no other command', async () => {
      const [, worker] = database.servers;
      await worker?.stop();
      await expect(deployBytes(ada, 'sums', model(1))).rejects.toMatchObject({
        message: expect.stringContaining(`node ${new URL(worker?.url() ?? '').host}: `),
      });
      expect(await refusal(superuser, 'select pgscore.sync_nodes()')).toMatchObject({
        code: '08006',
        message: expect.stringMatching(/^node 127\.0\.0\.1:\d+: /),
      });
      await deployBytes(ada, 'online', model(1), { native: false });
      for (const command of [
        `promote('sums@2')`,
        `rollback('sums')`,
        `promote('sums@2')`,
        `set_alias('sums@2', 'next')`,
        `drop_version('sums@1')`,
        `revoke_model('sums', 'pgscore_user')`,
        `grant_model('sums', 'alice')`,
      ]) {
        await asDeployer(`select pgscore.${command}`);
      }
      await worker?.start();
      await connectAnew();
      await expectInStep(await workers());
      expect(
        await ask(`select max(score('sums', s)) as of_champion, max(score('sums@next', s)) as of_alias from spread s`),
      ).toEqual([{ of_champion: 100 + 20 + 203, of_alias: 323 }]);
      const bob = await database.client('bob');
      expect(await refusal(bob, `select max(score('sums', s)) from spread s`)).toMatchObject({
        message: expect.stringContaining('model "sums" is not granted'),
      });
    });

    test('are waited for by a run that is published meanwhile', async () => {
      const [, worker] = database.servers;
      await scoreTable(alice, 'sums', 'spread');
      await ask('create view slow as select * from spread where pg_sleep(0.01) is not null');
      const run = await submitRun(alice, 'sums', 'slow', { key: 'id', target: 'spread_scores' });
      await waitFor(
        async () => (await ask('select state from pgscore.runs where run = $1', [run]))[0].state === 'running',
      );
      const holder = await database.client();
      await holder.query(`begin; select from pgscore_data.target where view_name = 'spread_scores' for update`);
      const {
        rows: [held],
      } = await holder.query('select pg_backend_pid() as pid');
      await waitFor(
        async () =>
          (await asSuperuser('select from pg_stat_activity where $1 = any (pg_blocking_pids(pid))', [held.pid]))
            .length > 0,
      );
      await worker?.stop();
      await holder.query('commit');
      await worker?.start();
      await connectAnew();
      expect(await endOfRun(alice, run, 60_000)).toMatchObject({ state: 'done', error: null });
      await expectWhole('spread_scores');
    });

    test('are the reason of a watch, and of labels, which go on by themselves', async () => {
      const [, worker] = database.servers;
      await ask(`select pgscore.watch('sums', 'spread', 'followed', poll_every => '1 second')`);
      await ask(`create table truth (id bigint primary key, actual float8);
        select create_distributed_table('truth', 'id');
        insert into truth select id, 1 from spread`);
      await ask(`select pgscore.set_labels('sums', 'truth', 'actual')`);
      const until = (query: string) => waitFor(async () => (await ask(query)).length > 0, { message: query });
      const pollLabels = () => asSuperuser('update pgscore_data.label_source set compare_after = clock_timestamp()');
      await until(`select from pgscore.watches where rows_scored = ${ROWS}`);
      await until(`select from pgscore.label_sources where rows_compared = ${ROWS}`);
      await worker?.stop();
      await until(
        `select from pgscore.watches where error_code = 'source_unreachable' and remedy like '%when that server is back%'`,
      );
      await pollLabels();
      await until(`select from pgscore.label_sources where error like '%127.0.0.1%'`);
      await worker?.start();
      await connectAnew();
      await ask('update spread set b = 3 where id = 7; insert into truth values (0, 1)');
      await until('select from pgscore.watches where error is null');
      await until('select from followed where id = 7 and score = 100 + 30 + 10');
      await pollLabels();
      await until(`select from pgscore.label_sources where error is null and rows_compared = ${ROWS + 1}`);
      await ask(
        `update spread set b = 2 where id = 7; select pgscore.unwatch('followed'); select pgscore.unset_labels('sums')`,
      );
    });

    test('are the reason of a run, where a role may not log in, or lacks a grant, on one of them only', async () => {
      const [first] = await workers();
      await first?.query('set citus.enable_ddl_propagation = off; alter role alice nologin');
      await asSuperuser(
        `select count(*) from run_command_on_workers('select pg_terminate_backend(pid) from pg_stat_activity where usename = ''alice''')`,
      );
      // A view is read by the coordinator, which connects as the requester.
      const waiting = await submitRun(alice, 'sums', 'slow', { key: 'id', target: 'spread_scores' });
      expect(await waitForReason(waiting, 'source_unreachable')).toMatchObject({
        state: 'queued',
        error: expect.stringContaining('role "alice" is not permitted to log in'),
        remedy: 'The run goes on when that server is back.',
      });
      await first?.query('alter role alice login');
      expect(await endOfRun(alice, waiting)).toMatchObject({ state: 'done' });

      await asDeployer(`select pgscore.grant_model('sums', 'bob')`);
      const bob = await database.client('bob');
      await first?.query('set citus.override_table_visibility = off');
      const revoke = `select format('revoke select on %s from bob', oid::regclass) as command from pg_class where relname ~ '^spread_[0-9]+$'`;
      const { rows } = (await first?.query<{ command: string }>(revoke)) ?? { rows: [] };
      for (const { command } of rows) await first?.query(command);
      await asSuperuser('grant create on schema public to bob');
      expect(await scoreTable(bob, 'sums', 'spread', { target: 'of_bob' })).toMatchObject({
        state: 'failed',
        error_code: 'permission_denied',
        error: expect.stringMatching(/permission denied for table spread_\d+/),
      });
      await connectAnew();
      await ask('grant select on spread to bob');
      expect(await scoreTable(bob, 'sums', 'spread', { target: 'of_bob' })).toMatchObject({ state: 'done' });
    });

    test('with a transaction in doubt, have what the coordinator decided', async () => {
      const [coordinator] = database.servers;
      const [first, second] = await workers();
      const [{ groupid: group }] = await asSuperuser(`select groupid from pg_dist_node where nodeport = $1`, [
        Number(new URL(database.workerUrls[1] ?? '').port),
      ]);
      // As the coordinator leaves them that dies between its two phases: before it has committed, and after.
      for (const [node, name] of [
        [first, 'citus_0_99999_1_1'],
        [second, 'citus_0_99999_1_2'],
      ] as const) {
        await node?.query(
          'begin; set local citus.enable_ddl_propagation = off; drop function pgscore_models._score_row',
        );
        const prepare = `prepare transaction '${name}'`;
        await node?.query(prepare);
      }
      await asSuperuser(`insert into pg_dist_transaction (groupid, gid) values ($1, 'citus_0_99999_1_2')`, [group]);
      await asDeployer('set synchronous_commit = on');
      const version = await submitDeploy(ada, 'sums', model(1));
      await coordinator?.immediateRestart();
      await connectAnew();
      await asDeployer('call pgscore.wait_for_version($1, $2)', [version, '60 seconds']);
      for (const node of [first, second])
        expect((await node?.query('select from pg_prepared_xacts'))?.rowCount).toBe(0);
      await expectInStep(await workers());
      await asDeployer('select pgscore.promote($1)', [version]);
      expect(await ask(`select max(score('sums', s)) as score from spread s`)).toEqual([{ score: 321 + 100 * ROWS }]);
      await asDeployer(`select pgscore.rollback('sums')`);
    });
  });

  whereStarted('or that are new', () => {
    test('get their functions from the service, once they are prepared', async () => {
      const spare = await database.spareWorker();
      await asSuperuser('select citus_add_node($1, $2)', [spare.host, spare.port]);
      expect(await checkCitus(superuser)).toMatchObject([
        { status: 'fail', detail: `node ${spare.host}:${spare.port} was added after pgscore was installed` },
      ]);
      await expect(deployBytes(ada, 'late', model(1))).rejects.toMatchObject({
        message: expect.stringContaining(`node ${spare.host}:${spare.port}: `),
      });
      await migrate({ url: database.url() });
      await expectInStep([spare.client]);
      expect(await checkCitus(superuser)).toMatchObject([{ status: 'ok' }]);

      const rebalanced = database
        .client()
        .then((mover) => mover.query(`select rebalance_table_shards(shard_transfer_mode => 'block_writes')`));
      for (let n = 0; n < 3; n += 1) expect(await scoreTable(alice, 'sums', 'spread')).toMatchObject({ state: 'done' });
      await rebalanced;
      const [{ n }] = await asSuperuser(
        `select count(*)::int as n from citus_shards where nodeport = $1 and table_name = 'spread'::regclass`,
        [spare.port],
      );
      expect(n).toBeGreaterThan(0);
      expect(await scoreTable(alice, 'sums', 'spread')).toMatchObject({
        state: 'done',
        rows_done: String(ROWS),
      });
      await expectWhole('spread_scores');
    });

    test('leave, and runs go on', async () => {
      const port = Number(new URL(database.workerUrls[0] ?? '').port);
      const drained = database
        .client()
        .then((mover) => mover.query(`select citus_drain_node('127.0.0.1', $1, 'block_writes')`, [port]));
      for (let n = 0; n < 3; n += 1) expect(await scoreTable(alice, 'sums', 'spread')).toMatchObject({ state: 'done' });
      await drained;
      await asSuperuser(`select citus_remove_node('127.0.0.1', $1)`, [port]);
      await database.servers[1]?.stop();
      expect(await scoreTable(alice, 'sums', 'spread')).toMatchObject({
        state: 'done',
        rows_done: String(ROWS),
      });
      await expectWhole('spread_scores');
      await deployBytes(ada, 'late', model(1));
    });
  });
});
