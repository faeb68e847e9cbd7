import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, PACE } from './long-run.ts';

/** Of more than 1 MB, which are read through a view, and less than what is cut into shards. */
const ROWS = 5000;

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

test('a run of a schedule whose read handle goes with its table, in the moment of the read, says that it is missing', async () => {
  const first = await startTestService(database, PACE);
  await deployLogistic(await database.client('ada'));
  expect(await first.stop()).toBe(0);
  await createSource(alice, 'nightly', ROWS);
  await alice.query(`select pgscore.schedule('nightly', '0 2 * * *', 'logistic', 'nightly')`);
  const { rows } = await alice.query<{ run: string }>(`select pgscore.run_schedule('nightly') as run`);
  const dropping = await database.client('alice');
  await dropping.query('begin');
  await dropping.query('drop table nightly cascade');
  const service = await startTestService(database, PACE);
  await waitFor(async () => {
    const waiting = await superuser.query(
      `select from pg_stat_activity where datname = current_database() and application_name = 'pgscore reader' and wait_event_type = 'Lock'`,
    );
    return waiting.rows.length > 0;
  });
  await dropping.query('commit');
  expect(await endOfRun(alice, rows[0]?.run ?? '')).toMatchObject({ state: 'failed', error_code: 'handle_missing' });
  expect(await service.stop()).toBe(0);
});
