import { expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { endOfRun, scoreTable, submitRun, type RunState } from '../support/run.ts';
import { ENDLESS, SLOW_X, slowModel } from '../support/slow-model.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { ROWS, visitsFixture } from './visits-fixture.ts';

const visits = await visitsFixture();
const { ada, alice, superuser } = visits;

async function runs(run: string): Promise<unknown[]> {
  const { rows } = await alice.query(
    `select model, state, rows_done::int, rows_without_key::int, published from pgscore.runs where run = $1 or arm_of = $1 order by run`,
    [run],
  );
  return rows;
}

test('each row of a run is scored by the arm of its key, and belongs to a run of its version', async () => {
  await visits.deployPair('split');
  await visits.start('split', 30);
  await alice.query(`create table outcomes (id int primary key, truth real)`);
  await alice.query(`select pgscore.set_labels('split', 'outcomes', 'truth', key => 'id')`);
  const challenged = await visits.shareOf('split');
  expect(challenged).toBeGreaterThan(400);
  const run = await scoreTable(alice, 'split', 'visits');
  expect(run).toMatchObject({
    state: 'done',
    rows_done: String(ROWS),
    rows_without_key: String(ROWS / 10),
    arm_error: null,
  });
  const shared = { state: 'done', published: true };
  expect(await runs(run.run)).toEqual([
    { model: 'split@1', rows_done: ROWS, rows_without_key: ROWS / 10, ...shared },
    { model: 'split@2', rows_done: challenged, rows_without_key: null, ...shared },
  ]);
  expect(await visits.byVersion('visits_scores')).toEqual([
    { model_version: 'split@1', rows: ROWS - challenged, runs: 1, wrong: 0 },
    { model_version: 'split@2', rows: challenged, runs: 1, wrong: 0 },
  ]);
  await ada.query('select pgscore.refresh()');
  const { rows } = await superuser.query(
    `select v.number, sum(c.n_predictions)::int as predictions, sum(c.n_failed)::int as failed
       from pgscore_data.cell_volume c join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id)
      where m.name = 'split' and c.segment_id = 0 group by 1 order by 1`,
  );
  expect(rows).toEqual([
    { number: 1, predictions: ROWS - challenged, failed: 0 },
    { number: 2, predictions: challenged, failed: 0 },
  ]);
  await alice.query('insert into outcomes select id, x from visits');
  const judged = async (): Promise<boolean> => {
    await ada.query('select pgscore.refresh()');
    const labeled = await superuser.query(
      `select model_version::int as number, sum(n_labeled)::int as labeled, sum(n_awaiting)::int as awaiting
         from pgscore_bi.regression_performance_daily where model_name = 'split' and segment_key is null group by 1 order by 1`,
    );
    expect(labeled.rows).toEqual([
      { number: 1, labeled: ROWS - challenged, awaiting: 0 },
      { number: 2, labeled: challenged, awaiting: 0 },
    ]);
    return true;
  };
  await waitFor(judged, { timeout: 20_000, message: 'labels to judge the predictions of both versions' });
});

test('a ramp between runs moves nobody out of an arm, and a promotion ends it', async () => {
  const before = `create table before as select id from visits_scores where model_version = 'split@2'`;
  await alice.query(before);
  await ada.query(`select pgscore.set_arms('split', '{"split@2": 60}')`);
  const run = await scoreTable(alice, 'split', 'visits');
  expect(run).toMatchObject({ state: 'done' });
  const grown = await visits.shareOf('split');
  expect(await visits.byVersion('visits_scores')).toMatchObject([{ wrong: 0 }, { rows: grown, wrong: 0 }]);
  const left = `select from before join visits_scores using (id) where model_version <> 'split@2'`;
  expect((await alice.query(left)).rowCount).toBe(0);
  await ada.query(`select pgscore.stop_experiment('split', promote => 'split@2')`);
  await scoreTable(alice, 'split', 'visits');
  expect(await visits.byVersion('visits_scores')).toMatchObject([{ model_version: 'split@2', rows: ROWS, wrong: 0 }]);
});

test('a run of a schedule from before the experiment is split, too', async () => {
  await visits.deployPair('nightly');
  await alice.query(`select pgscore.schedule('split', '0 3 * * *', 'nightly', 'visits', target => 'nightly')`);
  await visits.start('nightly', 40);
  const { rows } = await superuser.query(`select schedule_id as id from pgscore_data.schedule where name = 'split'`);
  const fired = await alice.query<{ run: string }>('select pgscore._fire($1, now()) as run', [rows[0].id]);
  expect(await endOfRun(alice, fired.rows[0]?.run ?? '')).toMatchObject({ state: 'done', arm_error: null });
  const challenged = await visits.shareOf('nightly');
  expect(await visits.byVersion('nightly')).toMatchObject([
    { model_version: 'nightly@1', rows: ROWS - challenged, wrong: 0 },
    { model_version: 'nightly@2', rows: challenged, wrong: 0 },
  ]);
  await alice.query(`select pgscore.unschedule('split')`);
});

test('a run over changed rows scores all rows when arms change, and then those that change', async () => {
  await visits.deployPair('changing');
  await visits.start('changing', 50);
  const submit = async (): Promise<RunState> =>
    (await scoreTable(alice, 'changing', 'visits', { target: 'changing', only_changed: true })) as never;
  expect(await submit()).toMatchObject({ state: 'done', rows_unchanged: '0' });
  expect(await submit()).toMatchObject({ rows_done: '0', rows_unchanged: String(ROWS) });
  await alice.query(
    `update visits set x = x + 1 where id <= 40; update visits set customer = 'new' || id where id between 41 and 50`,
  );
  expect(await submit()).toMatchObject({ rows_done: '50', rows_unchanged: String(ROWS - 50) });
  expect(await visits.byVersion('changing')).toMatchObject([{ wrong: 0 }, { wrong: 0 }]);
  await ada.query(`select pgscore.set_arms('changing', '{"changing@2": 70}')`);
  expect(await submit()).toMatchObject({ rows_done: String(ROWS), rows_unchanged: '0' });
  expect(await visits.byVersion('changing')).toMatchObject([{ wrong: 0 }, { wrong: 0 }]);
});

test('a large run is split in each of its shards', async () => {
  await visits.deployPair('sharded');
  await visits.start('sharded', 40, '{customer, id}');
  await alice.query(`create table wide as select id, customer, x, b, repeat('-', 3000) as filler from visits;
    alter table wide alter filler set storage plain; alter table wide add primary key (id);
    update wide set filler = filler || '!'`);
  await alice.query('vacuum analyze wide');
  const run = await scoreTable(alice, 'sharded', 'wide');
  expect(run).toMatchObject({ state: 'done', rows_done: String(ROWS), arm_error: null });
  const { rows } = await alice.query(
    `select count(*)::int as rows, count(*) filter (where p.model_version <> pgscore.arm('sharded', array[s.customer, s.id::text])
              or p.score <> s.x + case when p.model_version = 'sharded@2' then 10 * s.b else 0 end)::int as wrong,
            count(*) filter (where p.model_version = 'sharded@2') > 500 as challenged
       from wide_scores p join wide s using (id)`,
  );
  expect(rows).toEqual([{ rows: ROWS, wrong: 0, challenged: true }]);
  expect((await superuser.query('select from pgscore_data.arm_tally')).rowCount).toBe(0);
});

test.each([
  ['hangs', SLOW_X, 'made no progress'],
  ['cannot score most of its rows', null, 'could not be scored'],
])('a challenger that %s loses no row: the champion scores the run anew', async (what, x, reason) => {
  const model = what === 'hangs' ? 'hanging' : 'failing';
  await deployBytes(ada, model, weightedModel({ x: 'float32' }));
  const version = await deployBytes(
    ada,
    model,
    weightedModel({ x: 'float32', ...(what === 'hangs' ? {} : { b: 'float32' }) }),
  );
  if (what === 'hangs') await visits.putModel(version, slowModel(ENDLESS));
  await visits.start(model, 100);
  const create = `create table ${model} as select id, coalesce(customer, 'c') as customer, $1::real as x, null::real as b from visits limit 1200`;
  await alice.query(create, [x ?? 1]);
  const run = await endOfRun(
    alice,
    await submitRun(alice, model, model, { key: 'id', target: `${model}_scores` }),
    60_000,
  );
  expect(run).toMatchObject({
    state: 'done',
    error: null,
    rows_done: '1200',
    rows_failed: '0',
    attempt: 2,
    arm_error: expect.stringContaining(reason),
  });
  const count = `select model_version, count(*)::int as n from ${model}_scores group by 1`;
  const { rows } = await alice.query(count);
  expect(rows).toEqual([{ model_version: `${model}@1`, n: 1200 }]);
});

test('a source that cannot be split is refused at the call, and goes to the champion alone from a schedule', async () => {
  await visits.deployPair('refused');
  await alice.query('create table plain as select id, x, b, y::date as customer from visits');
  await alice.query(
    `create view plainer as select id, x, b from visits; create view poorer as select id, x, customer from visits`,
  );
  await alice.query(`select pgscore.schedule('nightly', '0 3 * * *', 'refused', 'plainer', key => 'id')`);
  await visits.start('refused', 50);
  const score = (source: string) => refusal(alice, `select pgscore.score_table('refused', '${source}', key => 'id')`);
  expect(await score('plainer')).toMatchObject({
    code: '42703',
    message: 'source alice.plainer lacks column "customer", by which the experiment splits',
  });
  expect(await score('plain')).toMatchObject({
    code: '42804',
    message: 'column "customer" of alice.plain is date, and the experiment splits by it',
  });
  expect(await score('poorer')).toMatchObject({
    code: '42703',
    message: 'source alice.poorer lacks a feature of the model: "b"',
  });
  const named = await scoreTable(alice, 'refused@1', 'plainer', { key: 'id', target: 'named' });
  expect(named).toMatchObject({ state: 'done', arm_error: null, rows_without_key: null });
  const { rows } = await superuser.query(
    `select pgscore_data._fire_function(schedule_id) is not null as stands, schedule_id from pgscore_data.schedule`,
  );
  expect(rows[0]).toMatchObject({ stands: true });
  const fired = await alice.query<{ run: string }>(`select pgscore._fire($1, now()) as run`, [rows[0].schedule_id]);
  expect(await endOfRun(alice, fired.rows[0]?.run ?? '')).toMatchObject({
    state: 'done',
    arm_error: 'source alice.plainer lacks column "customer", by which the experiment splits',
  });
});

test('a version with rows in a run that goes on is not dropped, though its experiment was stopped', async () => {
  await superuser.query(`update pgscore_data.run set state = 'running', lease_until = now() + interval '1 hour'
    where run_id = (select max(run_id) from pgscore_data.run where experiment_id is not null and arms is not null)`);
  const [open] = (
    await superuser.query(
      `select run_id, arms -> 'arms' -> 0 ->> 'version_id' as version from pgscore_data.run where state = 'running'`,
    )
  ).rows;
  const { rows } = await superuser.query(
    `select m.name || '@' || v.number as version from pgscore_data.version v join pgscore_data.model m using (model_id)
    where v.version_id = $1`,
    [open.version],
  );
  await ada.query(`select pgscore.stop_experiment($1)`, [rows[0].version.split('@')[0]]);
  expect(await refusal(ada, `select pgscore.drop_version('${rows[0].version}')`)).toMatchObject({ code: '55006' });
  await superuser.query(`update pgscore_data.run set state = 'done' where run_id = $1`, [open.run_id]);
});
