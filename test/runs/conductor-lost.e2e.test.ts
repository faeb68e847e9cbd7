import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
/** More than 512 pages, which are scored in shards, and small batches: it takes a while. */
const ROWS = 100_000;
const settings = { PGSCORE_LEASE: '3', PGSCORE_POLL: '0.2', PGSCORE_SCORERS: '1', PGSCORE_BATCH_ROWS: '64' };
const services = [await startTestService(database, settings), await startTestService(database, settings)];

test('a run whose conductor is killed is scored once a row by the service that is left', async () => {
  await deployModel(await database.client('ada'), 'iris', 'test/models/iris_multiclass.onnx');
  const create = `create table big as
    select i as id, 1::real as sepal_length, 2::real as sepal_width, (i % 7)::real as petal_length, 4::real as petal_width
      from generate_series(1, ${ROWS}) i`;
  await alice.query(create);
  await alice.query('alter table big add primary key (id)');
  await alice.query('analyze big');

  const run = await submitRun(alice, 'iris', 'big');
  let conductor: number | undefined;
  await waitFor(
    async () => {
      const { rows } = await superuser.query<{ pid: number }>(
        `select w.pid from pgscore_data.run r join pgscore_data.worker w on w.worker_id = r.claimed_by
          where r.run_id = $1 and r.state = 'running' and r.snapshot_id is not null`,
        [run],
      );
      conductor = rows[0]?.pid;
      return conductor !== undefined;
    },
    { timeout: 20_000, message: 'the run to be conducted' },
  );
  await services.find(({ pid }) => pid === conductor)?.kill();

  expect(await endOfRun(alice, run, 60_000)).toMatchObject({ state: 'done', attempt: 2, rows_done: String(ROWS) });
  const { rows } = await alice.query('select count(*), count(distinct id) as keys from big_scores');
  expect(rows).toEqual([{ count: String(ROWS), keys: String(ROWS) }]);
}, 120_000);
