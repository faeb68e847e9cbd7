import { expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { endOfRun, scoreTable } from '../support/run.ts';
import { ENDLESS, SLOW_X, slowModel } from '../support/slow-model.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { atRest } from '../watches/watching.ts';
import { ROWS, visitsFixture } from './visits-fixture.ts';

const visits = await visitsFixture();
const { ada, alice } = visits;

async function watched(target: string): Promise<unknown[]> {
  await atRest(alice, `alice.${target}`);
  return visits.byVersion(target);
}

test('a watch gives each row to its arm, moves rows when arms grow, and back when the experiment stops', async () => {
  await visits.deployPair('watched');
  await alice.query(`select pgscore.watch('watched', 'visits', target => 'live')`);
  expect(await watched('live')).toMatchObject([{ model_version: 'watched@1', rows: ROWS, wrong: 0 }]);
  await visits.start('watched', 30);
  const arms = async (): Promise<void> => {
    const challenged = await visits.shareOf('watched');
    const split = async (): Promise<boolean> => {
      expect(await watched('live')).toMatchObject([
        { model_version: 'watched@1', rows: ROWS - challenged, wrong: 0 },
        { model_version: 'watched@2', rows: challenged, wrong: 0 },
      ]);
      return true;
    };
    await waitFor(split, { timeout: 30_000, message: 'the rows to be in their arms' });
  };
  await arms();
  await alice.query(
    `update visits set x = x + 1 where id <= 100; update visits set customer = customer || '!' where id between 101 and 150`,
  );
  await arms();
  await ada.query(`select pgscore.set_arms('watched', '{"watched@2": 55}')`);
  await arms();
  await ada.query(`select pgscore.stop_experiment('watched')`);
  const back = async (): Promise<boolean> => {
    expect(await watched('live')).toMatchObject([{ model_version: 'watched@1', rows: ROWS, wrong: 0 }]);
    return true;
  };
  await waitFor(back, { timeout: 30_000, message: 'the champion to have all rows again' });
});

test('a shadow scores a share of the rows of runs and watches, for the history alone', async () => {
  await visits.deployPair('shaded');
  await ada.query(
    `select pgscore.start_experiment('shaded', kind => 'shadow', arms => '{"shaded@2": 100}', sampling => 0.3)`,
  );
  const run = await scoreTable(alice, 'shaded', 'visits', { target: 'shaded' });
  expect(run).toMatchObject({ state: 'done', rows_done: String(ROWS), published: true });
  const { rows } = await alice.query<{ run: string }>('select run from pgscore.runs where arm_of = $1', [run.run]);
  const shadow = await endOfRun(alice, rows[0]?.run ?? '');
  expect(shadow).toMatchObject({ model: 'shaded@2', state: 'done', published: false });
  expect(Math.abs(Number(shadow.rows_done) - 0.3 * ROWS)).toBeLessThan(0.06 * ROWS);
  expect(await visits.byVersion('shaded')).toMatchObject([{ model_version: 'shaded@1', rows: ROWS }]);
  const history = await alice.query(
    `select h.model_version, count(*)::int as rows, count(*) filter (where h.score <> s.x + case when h.model_version = 'shaded@2' then 10 * s.b else 0 end)::int as wrong,
            count(*) filter (where pgscore.bucket(e.salt, h.id::text) >= 3000)::int as beyond
       from shaded_history h join visits s using (id) join pgscore.experiments e on e.model = 'shaded' group by 1 order by 1`,
  );
  expect(history.rows).toMatchObject([
    { rows: ROWS, wrong: 0 },
    { rows: Number(shadow.rows_done), wrong: 0, beyond: 0 },
  ]);

  await alice.query(`select pgscore.watch('shaded', 'visits', target => 'shadily', keep_history => '1 day')`);
  expect(await watched('shadily')).toMatchObject([{ model_version: 'shaded@1', rows: ROWS }]);
  const shadowed = async (): Promise<boolean> => {
    const beside = `select from shadily_history where model_version = 'shaded@2'`;
    expect((await alice.query(beside)).rowCount).toBe(Number(shadow.rows_done));
    return true;
  };
  await waitFor(shadowed, { timeout: 20_000, message: 'the shadow of the watch' });
});

test('a shadow that cannot be scored changes nothing for the run that it stands beside', async () => {
  await deployBytes(ada, 'dark', weightedModel({ x: 'float32' }));
  await visits.putModel(await deployBytes(ada, 'dark', weightedModel({ x: 'float32' })), slowModel(ENDLESS));
  await ada.query(`select pgscore.start_experiment('dark', kind => 'shadow', arms => '{"dark@2": 100}')`);
  await alice.query(`create table night as select i as id, $1::real as x from generate_series(1, 10) i`, [SLOW_X]);
  const run = await scoreTable(alice, 'dark', 'night', { key: 'id', target: 'dark' });
  expect(run).toMatchObject({ state: 'done', rows_done: '10', attempt: 1 });
  const { rows } = await alice.query<{ run: string }>('select run from pgscore.runs where arm_of = $1', [run.run]);
  expect(await endOfRun(alice, rows[0]?.run ?? '')).toMatchObject({ state: 'failed', error_code: 'scorer_lost' });
});
