import { expect, test } from '@jest/globals';

import { seeded } from '../monitor/intervals/draws.ts';
import { ids, say, stagedExperiments } from './staged-experiments.ts';

const { superuser, ada, staged } = await stagedExperiments();

/** How many rows of evaluations the transaction has read. */
async function rowsRead(): Promise<number> {
  const { rows } = await superuser.query<{ read: number }>(
    `select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::float8 as read from pg_stat_xact_all_tables where relname like 'evaluation%'`,
  );
  return rows[0]?.read ?? Number.NaN;
}

test('an experiment whose entities were scored again all at one time is judged without reading all of them for each', async () => {
  const entities = 2000;
  const { champion, arm } = await staged.stage('nightly', 50);
  const said = say(ids(1, entities), 0.8, seeded(41));
  const arms = await staged.inArm('nightly', entities);
  await staged.score(
    champion,
    6,
    said.filter(({ id }) => !arms.has(id)),
  );
  await staged.score(
    arm,
    6,
    said.filter(({ id }) => arms.has(id)),
  );
  await staged.label('nightly', 5, said);
  await ada.query(`select pgscore.stop_experiment('nightly')`);
  await superuser.query(`update pgscore_data.experiment set stopped_at = now() - interval '4 days'`);
  await staged.score(champion, 3, said);
  await staged.label('nightly', 2, said);
  expect((await staged.results('nightly'))['2 accuracy']).toMatchObject({ n: arms.size });
  await superuser.query('analyze pgscore_data.evaluation');
  await superuser.query('begin');
  await superuser.query('delete from pgscore_data.experiment_judgement');
  const before = await rowsRead();
  await superuser.query('select pgscore_data._judge_experiment(false)');
  const read = (await rowsRead()) - before;
  await superuser.query('rollback');
  expect(read).toBeGreaterThan(entities);
  expect(read).toBeLessThan(100 * entities);
});
