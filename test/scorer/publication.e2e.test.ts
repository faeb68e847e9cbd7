import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database, { PGSCORE_POLL: '0.2' });
const [ada, alice, holder] = await Promise.all([database.client('ada'), database.client('alice'), database.client()]);
await deployBytes(ada, 'same', weightedModel({ a: 'float32' }));
await alice.query('create table small (id int primary key, a real)');
await alice.query('insert into small values (1, 5)');

type Seen = { latest: number; history: number };

async function predictionsOf(target: string): Promise<Seen | undefined> {
  const text = `select (select count(*)::int from ${target}) as latest, (select count(*)::int from ${target}_history) as history`;
  return (await alice.query<Seen>(text)).rows[0];
}

test('many runs over one target at once each replace the one before', async () => {
  const runs: string[] = [];
  while (runs.length < 30) runs.push(await submitRun(alice, 'same', 'small', { target: 'often' }));
  for (const run of runs) expect(await endOfRun(alice, run)).toMatchObject({ state: 'done', attempt: 1 });
  expect(await predictionsOf('often')).toEqual({ latest: 1, history: 30 });
});

test('a target that changed between the claim of a run and its publication is taken as it is', async () => {
  const first = await submitRun(alice, 'same', 'small', { target: 'overtaken' });
  expect(await endOfRun(alice, first)).toMatchObject({ state: 'done', published: true });
  await holder.query('begin');
  await holder.query("update pgscore_data.target set current_snapshot_at = 'infinity' where view_name = 'overtaken'");
  const late = await submitRun(alice, 'same', 'small', { target: 'overtaken' });
  await waitFor(
    async () => {
      const { rowCount } = await holder.query(
        "select from pg_stat_activity where datname = current_database() and application_name = 'pgscore scorer' and wait_event_type = 'Lock'",
      );
      return rowCount === 1;
    },
    { timeout: 10_000, message: 'the publication to wait for the target' },
  );
  await holder.query('commit');
  expect(await endOfRun(alice, late)).toMatchObject({ state: 'done', published: false, attempt: 1 });
  expect(await predictionsOf('overtaken')).toEqual({ latest: 1, history: 2 });
  const { rows } = await alice.query('select run_id from overtaken');
  expect(rows).toEqual([{ run_id: first }]);
});

test.each([
  ['to be the latest', true],
  ['for the history only', false],
])('a small run %s over a view with a key twice fails and leaves no prediction', async (_, publish) => {
  await alice.query('create or replace view twice as select id, a from small union all select id, a + 1 from small');
  const target = `twice_${publish}`;
  const run = await submitRun(alice, 'same', 'twice', { key: 'id', target, publish });
  expect(await endOfRun(alice, run)).toMatchObject({ state: 'failed', error_code: 'duplicate_key', published: null });
  expect(await predictionsOf(target)).toEqual({ latest: 0, history: 0 });
});
