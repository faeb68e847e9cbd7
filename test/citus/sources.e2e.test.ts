import { beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { describeOnCitus } from '../support/citus.ts';
import { deployBytes } from '../support/deploy.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService, type TestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const ROWS = 100;

/** The prediction for id is 321 plus 100 ids. */
const TABLES = `
  set citus.shard_count = 4;
  create table spread (id bigint, at timestamptz, a int, b int, c float8, primary key (id, at));
  select create_distributed_table('spread', 'id');
  insert into spread select g, date '2026-01-01' + g, 1, 2, 3 + g from generate_series(1, ${ROWS}) g;
  create table parts (like spread including all) partition by range (at);
  create table parts_1 partition of parts for values from ('2026-01-01') to ('2027-01-01');
  select create_distributed_table('parts', 'id');
  create table copied (like spread including all);
  select create_reference_table('copied');
  create table plain (like spread including all);
  insert into parts select * from spread;
  insert into copied select * from spread;
  insert into plain select * from spread;
  create view spread_view as select * from spread`;

await describeOnCitus('the table of the guide', (database) => {
  let alice: Client;
  let service: TestService;

  const valueOf = async (text: string): Promise<unknown> =>
    Object.values((await alice.query<Record<string, unknown>>(text)).rows[0] ?? {})[0];

  beforeAll(async () => {
    service = await startTestService(database);
    const superuser = await database.client();
    await superuser.query('grant create on schema public to alice');
    await deployBytes(await database.client('ada'), 'sums', weightedModel({ a: 'int32', b: 'int32', c: 'float32' }));
    alice = await database.client('alice');
    await alice.query(TABLES);
  });

  async function expectWhole(run: unknown, target: string): Promise<void> {
    expect(await endOfRun(alice, String(run))).toMatchObject({ state: 'done', error: null, rows_done: String(ROWS) });
    const right = `select count(*)::int from ${target} where score = 321 + 100 * id`;
    expect(await valueOf(right)).toBe(ROWS);
  }

  test.each([
    ['spread', 'poll', 'polling'],
    ['parts', 'poll', 'polling'],
    ['spread_view', 'poll', 'polling'],
    ['copied', 'poll', 'polling'],
    ['plain', 'triggers', 'triggers'],
  ])('is what %s does: schedule(), replay(), watch() and set_labels()', async (source, watched, labelled) => {
    const nightly = `select pgscore.schedule('of_${source}', '@yearly', 'sums', '${source}', key => 'id')`;
    await alice.query(nightly);
    await expectWhole(await valueOf(`select pgscore.run_schedule('of_${source}')`), `${source}_scores`);
    const again = `select pgscore.replay('sums', source => '${source}', key => 'id', event_time => 'at')`;
    await expectWhole(await valueOf(again), `sums_${source}_replay_history`);
    const watch = `select pgscore.watch('sums', '${source}', '${source}_live', key => 'id', poll_every => '1 second')`;
    expect(await valueOf(watch)).toBe(watched);
    const followed = `select count(*)::int from ${source}_live where score = 321 + 100 * id`;
    await waitFor(async () => (await valueOf(followed)) === ROWS, { message: followed });
    await valueOf(`select pgscore.unwatch('${source}_live')`);
    const labels = `select pgscore.set_labels('sums', '${source}', 'c', key => 'id', known_at => 'at')`;
    expect(await valueOf(labels)).toBe(labelled);
  });

  test('is what a table does that is distributed while it has predictions', async () => {
    await alice.query('create table moving as select * from plain');
    await alice.query('alter table moving add primary key (id)');
    const distribute = `select create_distributed_table('moving', 'id')`;
    const watch = `select pgscore.watch('sums', 'moving', 'moving_live', poll_every => '1 second')`;
    expect(await valueOf(watch)).toBe('triggers');
    // Citus would copy the triggers.
    await expect(alice.query(distribute)).rejects.toMatchObject({
      message: 'permission denied for schema pgscore_sources',
    });
    await valueOf(`select pgscore.unwatch('moving_live')`);
    await alice.query(distribute);
    expect(await valueOf(watch)).toBe('poll');
    await alice.query('update moving set c = c + 1 where id = 7; delete from moving where id = 8');
    const followed = `select count(*)::int from moving_live where score = 321 + 100 * (id + (id = 7)::int)`;
    await waitFor(async () => (await valueOf(followed)) === ROWS - 1, { message: followed });
    expect(await valueOf('select count(*)::int from moving_live')).toBe(ROWS - 1);
  });

  test('is not what a run does whose table is distributed meanwhile: it would miss rows', async () => {
    const rows = 200_000;
    const create = `create table blocks as select g as id, 1 as a, 2 as b, 3::float8 + g as c, repeat('x', 200) as pad from generate_series(1, ${rows}) g`;
    await alice.query(create);
    await alice.query('alter table blocks add primary key (id); grant select on blocks to public');
    const mover = await database.client('alice');
    await mover.query(`begin; select create_distributed_table('blocks', 'id')`);
    const run = await submitRun(alice, 'sums', 'blocks');
    const scoring = `select phase = 'scoring' or state in ('done', 'failed') from pgscore.runs where run = ${run}`;
    await waitFor(async () => await valueOf(scoring));
    for (const pid of await service.scorerPids()) process.kill(pid, 'SIGSTOP');
    await mover.query('commit');
    for (const pid of await service.scorerPids()) process.kill(pid, 'SIGCONT');
    const { state, error_code: code, rows_done: done } = await endOfRun(alice, run, 60_000);
    expect([
      ['failed', 'source_changed'],
      ['done', String(rows)],
    ]).toContainEqual([state, state === 'done' ? done : code]);
  });

  test('is not what a run does whose table was distributed when it was submitted, and is no more', async () => {
    await service.stop();
    const run = await submitRun(alice, 'sums', 'moving', { target: 'moving_again' });
    await alice.query(`select undistribute_table('moving')`);
    service = await startTestService(database);
    expect(await endOfRun(alice, run, 60_000)).toMatchObject({
      state: 'failed',
      error_code: 'source_changed',
      error: '"public.moving" is not distributed any more',
    });
  });
});
