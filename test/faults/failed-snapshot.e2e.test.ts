import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { createSource, deployLogistic, LARGE, PACE } from './long-run.ts';

const database = await cloneDatabase();
const service = await startTestService(database, PACE);
const superuser = await database.client();
const alice = await database.client('alice');
await deployLogistic(await database.client('ada'));
await createSource(alice, 'big', LARGE);

async function conductors(): Promise<number> {
  const { rows } = await superuser.query<{ sessions: number }>(
    `select count(*)::int as sessions from pg_stat_activity
      where datname = current_database() and application_name in ('pgscore conductor', 'pgscore snapshot', 'pgscore publish')`,
  );
  return rows[0]?.sessions ?? 0;
}

/** The change commits together with the request, so the run always comes after it. */
async function failedRun(): Promise<unknown> {
  await alice.query('begin');
  const run = await submitRun(alice, 'logistic', 'big');
  await alice.query('revoke select on big from alice');
  await alice.query('commit');
  const { state, error_code } = await endOfRun(alice, run);
  await alice.query('grant select on big to alice');
  return [state, error_code];
}

test('large runs that fail before they have a snapshot leave no session, and the service ends', async () => {
  for (let times = 0; times < 3; times += 1) expect(await failedRun()).toEqual(['failed', 'permission_denied']);
  await waitFor(async () => (await conductors()) === 0, { message: 'the sessions of the failed runs to end' });
  expect(await service.stop()).toBe(0);
});
