import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { waitFor } from '../support/wait-for.ts';
import { atRest, differences } from '../watches/watching.ts';
import { createSource, deployLogistic, LARGE, PATIENCE_MS, startBehindProxy } from './long-run.ts';
import { expectSound } from './oracle.ts';

const database = await cloneDatabase();
const { proxy, service } = await startBehindProxy(database);
const alice = await database.client('alice');
await deployLogistic(await database.client('ada'));
await createSource(alice, 'small', 1000);
await createSource(alice, 'big', LARGE);

const WAITING = `select from pg_stat_activity where datname = current_database() and application_name = 'pgscore scorer' and wait_event_type = 'Lock'`;

test('a small run whose COMMIT went through is done, though nobody heard of it', async () => {
  const lost = proxy.loseReplyToCommit('pgscore scorer');
  const run = await submitRun(alice, 'logistic', 'small');
  await lost;
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: '1000',
    attempt: 1,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.small_scores', rows: 1000 }] });
});

test('small runs that were published together are done, though nobody heard of it', async () => {
  const names = ['few', 'fewer', 'fewest'];
  for (const name of names) await createSource(alice, name, 10);
  // The first is scored alone; the others meanwhile wait for each other, and then for the target of one of them.
  await endOfRun(alice, await submitRun(alice, 'logistic', 'fewer'), PATIENCE_MS);
  const [holder, watcher] = await Promise.all([database.client(), database.client()]);
  await holder.query('begin');
  await holder.query(`select from pgscore_data.target where view_name = 'fewer_scores' for no key update`);
  await alice.query('begin');
  const runs: string[] = [];
  for (const name of names) runs.push(await submitRun(alice, 'logistic', name));
  await alice.query('commit');
  const [first, ...others] = runs;
  expect(await endOfRun(alice, first ?? '', PATIENCE_MS)).toMatchObject({ state: 'done' });
  await waitFor(async () => (await watcher.query(WAITING)).rowCount === 1, {
    timeout: PATIENCE_MS,
    message: 'a scorer to wait for the target',
  });
  const lost = proxy.loseReplyToCommit('pgscore scorer');
  await holder.query('commit');
  await lost;
  for (const run of others)
    expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({ state: 'done', attempt: 1, error: null });
  const scored = runs.map((run, index) => ({ run, view: `alice.${names[index]}_scores`, rows: 10 }));
  await expectSound(database, { scored });
});

test('a shard whose COMMIT went through is not scored again', async () => {
  const lost = proxy.loseReplyToCommit('pgscore scorer');
  const run = await submitRun(alice, 'logistic', 'big');
  await lost;
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
  expect(service.log()).not.toContain('shard opened again');
});

test('a publication whose COMMIT went through is not made again', async () => {
  const lost = proxy.loseReplyToCommit('pgscore publish');
  const run = await submitRun(alice, 'logistic', 'big');
  await lost;
  expect(await endOfRun(alice, run, PATIENCE_MS)).toMatchObject({
    state: 'done',
    rows_done: String(LARGE),
    attempt: 1,
    error: null,
  });
  await expectSound(database, { scored: [{ run, view: 'alice.big_scores', rows: LARGE }] });
});

test('changed rows of a watch whose COMMIT went through have one prediction of their new state', async () => {
  await alice.query(`select pgscore.watch('logistic', 'small', target => 'live', keep_history => '1 day')`);
  await atRest(alice, 'alice.live');
  const lost = proxy.loseReplyToCommit('pgscore scorer');
  await alice.query('update small set f0 = f0 + 1 where id <= 100');
  await lost;
  await atRest(alice, 'alice.live');
  expect(await differences(alice, 'logistic', 'small', 'live')).toEqual([]);
  const { rows } = await alice.query(
    'select n::int, count(*)::int as keys from (select count(*) as n from live_history group by id) x group by 1 order by 1',
  );
  expect(rows).toEqual([
    { n: 1, keys: 900 },
    { n: 2, keys: 100 },
  ]);
  await alice.query(`select pgscore.unwatch('live')`);
});
