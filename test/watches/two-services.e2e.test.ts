import { expect, test } from '@jest/globals';

import { deployModel } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { atRest, differences } from './watching.ts';

const SETTINGS = { PGSCORE_POLL: '0.2', PGSCORE_LEASE: '2' };
const { database, service, superuser, ada, alice } = await scoreFixture(SETTINGS);
await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');
const second = await startTestService(database, SETTINGS);

const ROW = '4 + i % 4, 3, 1 + i % 6, 0.2 * (i % 10)';
await alice.query(`create table shared
  (id bigint primary key, sepal_length real, sepal_width real, petal_length real, petal_width real)`);
await alice.query(`select pgscore.watch('iris', 'shared', target => 'shared_live')`);

async function write(from: number): Promise<void> {
  for (let round = from; round < from + 20; round += 1) {
    const text = `insert into shared select i, ${ROW} from generate_series(${round * 100}, ${round * 100 + 50}) i;
      update shared set petal_length = 7 - petal_length where id % 7 = ${round % 7}`;
    await alice.query(text);
  }
}

async function follows(): Promise<void> {
  await atRest(alice, 'alice.shared_live');
  expect(await differences(alice, 'iris', 'shared', 'shared_live')).toEqual([]);
  const { rows } = await alice.query('select id, run_id from shared_live_history group by 1, 2 having count(*) > 1');
  expect(rows).toEqual([]);
}

test('two services share the changes, and no row is scored twice by one run', async () => {
  const workers = 'select count(distinct claimed_by)::int as n from pgscore_data.run where watch_id is not null';
  let from = 1;
  await waitFor(
    async () => {
      await write(from);
      from += 20;
      return (await superuser.query<{ n: number }>(workers)).rows[0]?.n === 2;
    },
    { message: 'both services to score' },
  );
  await follows();
});

test('one of them goes on alone, and takes over what the other had in hand', async () => {
  const writing = write(10_000);
  await service.kill();
  await writing;
  await waitFor(async () => (await alice.query('select from shared_live where id = 1001950')).rowCount === 1);
  await follows();
  expect(await second.stop()).toBe(0);
});
