import { beforeAll, expect, test } from '@jest/globals';

import { deployModel } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { differences } from './watching.ts';

const { ada, alice, superuser } = await scoreFixture({ PGSCORE_POLL: '0.4' });
const [CHAMPION, CHALLENGER] = ['iris', 'iris@2'];

type Seen = { model: string; state: string; error: string | null; published: boolean };

async function watches(): Promise<Seen[]> {
  const text = `select model, state, error, published from pgscore.watches where target = 'alice.live' order by model`;
  return (await alice.query<Seen>(text)).rows;
}

/** Waits until both watches of the target have nothing left to do, or stand by. */
async function atRest(): Promise<void> {
  const rested = async (): Promise<boolean> => {
    const seen = await watches();
    if (seen.every(({ state }) => state === 'following' || state === 'standby')) return true;
    throw new Error(JSON.stringify(seen));
  };
  await waitFor(rested, { timeout: 15_000, message: 'the watches to be at rest' });
}

async function count(text: string): Promise<number> {
  return (await alice.query(text)).rowCount ?? 0;
}

/** The newest prediction of a version for each key that the history has. */
const newestOf = (version: string): string =>
  `select distinct on (id) id, score, run_id from live_history where model_version = '${version}' order by id, run_id desc`;

beforeAll(async () => {
  for (const _ of [1, 2]) await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');
  await alice.query(`
    create table flowers (id bigint primary key, sepal_length real, sepal_width real, petal_length real, petal_width real);
    insert into flowers select i, 4 + i % 4, 3, 1 + i % 6, 0.2 * (i % 10) from generate_series(1, 300) i;
    create table truth (id bigint primary key, species text)`);
  for (const model of [CHAMPION, CHALLENGER])
    await alice.query(`select pgscore.watch($1, 'flowers', target => 'live', keep_history => '1 day')`, [model]);
  await atRest();
});

test(`a challenger's watch stands beside the champion's: the latest view shows the champion's, the history both`, async () => {
  expect(await watches()).toEqual([
    { model: 'iris', state: 'following', error: null, published: true },
    { model: 'iris@2', state: 'following', error: null, published: false },
  ]);
  expect(await differences(alice, 'iris', 'flowers', 'live')).toEqual([]);
  expect(await count(`select from live where model_version <> 'iris@1'`)).toBe(0);
  expect(await count(`select from live_history where model_version = 'iris@2'`)).toBe(300);
  expect(await count(`select from pgscore.runs where model = 'iris@2' and published`)).toBe(0);
});

test('both follow each change, find rows that are as they were, and take out those that are gone', async () => {
  await alice.query(`update flowers set petal_length = 7 - petal_length where id <= 20`);
  await alice.query('delete from flowers where id between 21 and 30');
  await alice.query(`begin; update flowers set petal_width = petal_width + 1 where id = 40;
    update flowers set petal_width = petal_width - 1 where id = 40; commit`);
  await atRest();
  expect(await differences(alice, 'iris', 'flowers', 'live')).toEqual([]);
  const unlike = `select from live l join (${newestOf('iris@2')}) c using (id) where l.score is distinct from c.score`;
  expect(await count(unlike)).toBe(0);
  // Those that changed twice, those that were deleted once.
  expect(await count(`select from live_history where model_version = 'iris@2' and id <= 20`)).toBe(40);
  expect(await count(`select from live_history where model_version = 'iris@2' and id between 21 and 30`)).toBe(10);
  expect(await count(`select from live_history where model_version = 'iris@2' and id = 40`)).toBe(1);
  const current = `select from pgscore_predictions.target_%s_g%s`;
  const { rows } = await superuser.query<{ target_id: number; generation: number }>(
    'select target_id, generation from pgscore_data.watch where generation is not null',
  );
  const own = rows[0] ?? { target_id: 0, generation: 0 };
  const table = current.replace('%s', String(own.target_id)).replace('%s', String(own.generation));
  expect((await superuser.query(table)).rowCount).toBe(290);
});

test('the versions can be compared by the labels that judge both', async () => {
  await alice.query(`insert into truth select id, 'setosa' from live`);
  await alice.query(`select pgscore.set_labels('iris', 'truth', label => 'species')`);
  const compared = `select from pgscore_bi.version_comparison
    where model_name = 'iris' and model_version = 2 and compared_with = 'champion' and metric = 'accuracy' and n_a >= 290`;
  await waitFor(async () => (await superuser.query(compared)).rowCount === 1, { message: 'the comparison' });
});

test('a command says which watch it means where a target has several', async () => {
  expect(await refusal(alice, `select pgscore.pause_watch('live')`)).toMatchObject({
    code: '42725',
    message: expect.stringContaining('iris, iris@2'),
    hint: expect.stringContaining(`model => 'iris@2'`),
  });
  expect(await refusal(alice, `select pgscore.pause_watch('live', model => 'iris@7')`)).toMatchObject({
    code: '42704',
  });
  await alice.query(`select pgscore.pause_watch('live', model => 'iris@2')`);
  await alice.query(`insert into flowers values (1001, 5, 3, 4, 1.2)`);
  await waitFor(async () => (await count('select from live where id = 1001')) === 1);
  expect((await watches()).map(({ state }) => state)).toEqual(['following', 'paused']);
  expect(await count(`select from live_history where id = 1001 and model_version = 'iris@2'`)).toBe(0);
  await alice.query(`select pgscore.resume_watch('live', model => 'iris@2')`);
  await waitFor(
    async () => (await count(`select from live_history where id = 1001 and model_version = 'iris@2'`)) === 1,
  );
});

test(`a challenger that is promoted stands by, and goes on when another version is champion`, async () => {
  await atRest();
  await ada.query(`select pgscore.promote('iris@2')`);
  await waitFor(async () => (await count(`select from live where model_version <> 'iris@2'`)) === 0);
  await atRest();
  expect((await watches()).map(({ state }) => state)).toEqual(['following', 'standby']);
  await alice.query(`insert into flowers values (1002, 5, 3, 4, 1.2); delete from flowers where id = 1001`);
  await waitFor(async () => (await count('select from live where id = 1002')) === 1);
  expect(await count('select from live_history where id = 1002')).toBe(1);
  await ada.query(`select pgscore.promote('iris@1')`);
  await waitFor(async () => (await count(`select from live where model_version <> 'iris@1'`)) === 0);
  await waitFor(
    async () => (await count(`select from live_history where id = 1002 and model_version = 'iris@2'`)) === 2,
  );
  await atRest();
  expect(await differences(alice, 'iris', 'flowers', 'live')).toEqual([]);
});

test('the same version again changes its watch, and ends it without the other', async () => {
  await alice.query(
    `select pgscore.watch('iris@2', 'flowers', target => 'live', capture => 'poll', poll_every => '1 s')`,
  );
  expect(await count(`select from pgscore.watches where model = 'iris@2' and capture = 'poll'`)).toBe(1);
  expect(await refusal(alice, `select pgscore.unwatch('live', model => 'iris')`)).toMatchObject({
    code: '55006',
    hint: expect.stringContaining('End theirs first'),
  });
  await alice.query(`select pgscore.unwatch('live', model => 'iris@2')`);
  expect((await watches()).map(({ model }) => model)).toEqual(['iris']);
  await alice.query(`select pgscore.pause_watch('live')`);
  await alice.query(`select pgscore.resume_watch('live')`);
  await alice.query(`insert into flowers values (1003, 5, 3, 4, 1.2)`);
  await atRest();
  expect(await differences(alice, 'iris', 'flowers', 'live')).toEqual([]);
});
