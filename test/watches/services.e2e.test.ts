import { expect, test } from '@jest/globals';

import { deployModel } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { atRest, differences } from './watching.ts';

const SETTINGS = { PGSCORE_POLL: '0.4', PGSCORE_LEASE: '2' };
const { database, service, superuser, ada, alice } = await scoreFixture(SETTINGS);
await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');

/** The service that runs. */
let first = service;

const COLUMNS = 'id bigint primary key, sepal_length real, sepal_width real, petal_length real, petal_width real';
const ROW = '4 + i % 4, 3, 1 + i % 6, 0.2 * (i % 10)';

async function createTable(name: string): Promise<void> {
  const create = `create table ${name} (${COLUMNS})`;
  await alice.query(create);
}

async function follows(source: string): Promise<void> {
  await atRest(alice, `alice.${source}_live`);
  expect(await differences(alice, 'iris', source, `${source}_live`)).toEqual([]);
}

async function seen(): Promise<unknown> {
  return (await alice.query(`select state, pending from pgscore.watches`)).rows[0];
}

async function emptied(): Promise<boolean> {
  await superuser.query('vacuum pgscore_data.watch_change');
  const { rows } = await superuser.query<{ bytes: number }>(
    `select pg_relation_size('pgscore_data.watch_change')::int as bytes`,
  );
  return rows[0]?.bytes === 0;
}

test('a queue that is full while no service runs becomes a mark, and fills again when it was emptied', async () => {
  await alice.query(`set pgscore.watch_queue_bytes = '65536'`);
  await createTable('crowded');
  await alice.query(`select pgscore.watch('iris', 'crowded', target => 'crowded_live')`);
  await alice.query('reset pgscore.watch_queue_bytes');
  await atRest(alice, 'alice.crowded_live');
  await service.stop();
  await alice.query(`do $$ begin
    for i in 100..3000 loop insert into crowded values (i, 5, 3, i % 7, 1); end loop;
  end $$`);
  const { rows } = await superuser.query<{ bytes: number; marks: number }>(
    `select pg_relation_size('pgscore_data.watch_change')::int as bytes, (select count(*)::int from pgscore_data.watch_to_compare) as marks`,
  );
  expect(rows[0]?.marks).toBe(1);
  expect(rows[0]?.bytes).toBeLessThan(65536 + 3 * 8192);
  expect(await seen()).not.toMatchObject({ state: 'following' });
  first = await startTestService(database, SETTINGS);
  await follows('crowded');
  await waitFor(emptied, { message: 'a vacuum of the queue that no older snapshot keeps from it' });
  await alice.query('begin; insert into crowded values (5000, 5, 3, 4, 1)');
  expect(await seen()).toMatchObject({ state: 'scoring', pending: '1' });
  await alice.query('commit');
  await follows('crowded');
});

async function write(from: number): Promise<void> {
  for (let round = from; round < from + 20; round += 1) {
    const text = `insert into shared select i, ${ROW} from generate_series(${round * 100}, ${round * 100 + 50}) i;
      update shared set petal_length = 7 - petal_length where id % 7 = ${round % 7}`;
    await alice.query(text);
  }
}

async function sharedIsRight(): Promise<void> {
  await follows('shared');
  const { rows } = await alice.query('select id, run_id from shared_live_history group by 1, 2 having count(*) > 1');
  expect(rows).toEqual([]);
}

test('two services share the changes, no row is scored twice by one run, and one that is left takes over from the other', async () => {
  const second = await startTestService(database, SETTINGS);
  await createTable('shared');
  await alice.query(`select pgscore.watch('iris', 'shared', target => 'shared_live')`);
  const workers = `select count(distinct r.claimed_by)::int as n from pgscore_data.run r join pgscore_data.target t using (target_id)
    where r.watch_id is not null and t.view_name = 'shared_live'`;
  let from = 1;
  await waitFor(
    async () => {
      await write(from);
      from += 20;
      return (await superuser.query<{ n: number }>(workers)).rows[0]?.n === 2;
    },
    { message: 'both services to score' },
  );
  await sharedIsRight();
  const writing = write(10_000);
  await first.kill();
  await writing;
  await waitFor(async () => (await alice.query('select from shared_live where id = 1001950')).rowCount === 1);
  await sharedIsRight();
  expect(await second.stop()).toBe(0);
});
