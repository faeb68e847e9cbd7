import { expect, test } from '@jest/globals';

import { deployModel } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { startTestService } from '../support/service.ts';
import { atRest, differences } from './watching.ts';

const { database, service, superuser, ada, alice } = await scoreFixture();
await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');

async function follows(): Promise<void> {
  await atRest(alice, 'alice.crowded_live');
  expect(await differences(alice, 'iris', 'crowded', 'crowded_live')).toEqual([]);
}

async function seen(): Promise<unknown> {
  return (await alice.query(`select state, pending from pgscore.watches`)).rows[0];
}

test('a queue that is full while no service runs becomes a mark, and fills again when it was emptied', async () => {
  await alice.query(`set pgscore.watch_queue_bytes = '65536'`);
  await alice.query(`create table crowded
    (id bigint primary key, sepal_length real, sepal_width real, petal_length real, petal_width real)`);
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
  await startTestService(database);
  await follows();
  await superuser.query('vacuum pgscore_data.watch_change');
  await alice.query('begin; insert into crowded values (5000, 5, 3, 4, 1)');
  expect(await seen()).toMatchObject({ state: 'scoring', pending: '1' });
  await alice.query('commit');
  await follows();
});
