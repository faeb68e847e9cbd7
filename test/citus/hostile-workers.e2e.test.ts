import { beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { describeOnCitus } from '../support/citus.ts';
import { deployBytes } from '../support/deploy.ts';
import { endOfRun, scoreTable, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const ROWS = 400;

await describeOnCitus('a role that creates functions among the handles of a worker', (database) => {
  let [alice, superuser, full, spare]: Client[] = [];

  const client = (connected: Client | undefined): Client => {
    if (connected === undefined) throw new Error('not connected');
    return connected;
  };

  beforeAll(async () => {
    await startTestService(database, { PGSCORE_LEASE: '2' });
    [alice, superuser] = [await database.client('alice'), await database.client()];
    [full, spare] = [await database.worker(0), await database.worker(1)];
    await superuser.query('grant create on schema public to alice');
    const ada = await database.client('ada');
    await deployBytes(ada, 'sums', weightedModel({ a: 'int32', b: 'int32', c: 'float32' }));
    await ada.query(`select pgscore.grant_model('sums', 'alice')`);
  });

  const asMallory = async (statements: string): Promise<void> => {
    const text = `set citus.enable_ddl_propagation = off; set role mallory; ${statements}; reset role`;
    await client(spare).query(text);
  };

  const move = `select citus_move_shard_placement(s.shardid, '127.0.0.1', s.nodeport, '127.0.0.1', $1::int, 'block_writes')
    from citus_shards s where s.table_name = 'prey'::regclass and s.nodeport <> $1::int order by s.shardid desc limit $2`;

  test('is not called for shards that move to it, where the requester has no handle', async () => {
    const port = (index: number) => Number(new URL(database.workerUrls[index] ?? '').port);
    await client(alice).query('create table prey (id bigint primary key, a int, b int, c float8)');
    await client(alice).query(
      `select create_distributed_table('prey', 'id', shard_count => 8, colocate_with => 'none')`,
    );
    const insert = `insert into prey select g, 1, 2, 3 + g from generate_series(1, ${ROWS}) g`;
    await client(alice).query(insert);
    await client(superuser).query(move, [port(0), 8]);
    expect(await scoreTable(client(alice), 'sums', 'prey')).toMatchObject({ state: 'done', error: null });

    const { rows } = await client(spare).query<{ name: string; result: string }>(
      `select oid::regprocedure as name, pg_get_function_result(oid) as result from pg_proc
        where pronamespace = 'pgscore_sources'::regnamespace`,
    );
    expect(rows).toHaveLength(1);
    const drop = `set citus.enable_ddl_propagation = off; drop function ${rows[0]?.name}`;
    await client(spare).query(drop);
    await asMallory(
      `create function ${rows[0]?.name} returns ${rows[0]?.result} language plpgsql as 'begin return; end'`,
    );

    const shards = await client(superuser).query<{ first: string }>(
      `select min(shardid) as first from pg_dist_shard where logicalrelid = 'prey'::regclass`,
    );
    const lock = `set citus.enable_manual_changes_to_shards = on; begin; lock table prey_${shards.rows[0]?.first} in access exclusive mode`;
    await client(full).query(lock);
    const begun = await submitRun(client(alice), 'sums', 'prey');
    const phase = 'select phase from pgscore.runs where run = $1';
    await waitFor(async () => (await client(alice).query(phase, [begun])).rows[0].phase === 'scoring');
    expect((await client(superuser).query(move, [port(1), 1])).rowCount).toBe(1);
    await client(full).query('rollback');

    const done = await endOfRun(client(alice), begun, 60_000);
    expect(done).toMatchObject({ state: 'done', error: null, rows_done: String(ROWS), attempt: 2 });
    const read = await client(superuser).query('select shards_read_by from pgscore_data.run where run_id = $1', [
      begun,
    ]);
    expect(read.rows).toEqual([{ shards_read_by: 'coordinator' }]);
    const wrong = await client(alice).query('select from prey_scores where score is distinct from 321 + 100 * id');
    expect(wrong.rowCount).toBe(0);
  });

  test('cannot keep those of others from being dropped', async () => {
    const held = `h_${'0'.repeat(32)}`;
    await asMallory(
      `create aggregate pgscore_sources.stays(int) (sfunc = int4pl, stype = int);
       create function pgscore_sources.${held}(bigint) returns bigint language sql return $1;
       create view pgscore_sources.holder as select pgscore_sources.${held}(1)`,
    );
    await client(alice).query('create table other (id bigint primary key, a int, b int, c float8)');
    await client(alice).query(`select create_distributed_table('other', 'id')`);
    await scoreTable(client(alice), 'sums', 'other');
    const names = `select array_agg(proname::text order by proname) as names from pg_proc
      where pronamespace = 'pgscore_sources'::regnamespace and proowner in ('alice'::regrole, 'mallory'::regrole)`;
    expect((await client(spare).query(names)).rows[0].names.length).toBeGreaterThan(2);
    await client(superuser).query(`update pgscore_data.handle set created_at = created_at - interval '2 days'`);
    await waitFor(async () => (await client(spare).query(names)).rows[0].names.join() === `${held},stays`);
  });
});
