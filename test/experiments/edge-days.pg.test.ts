import { expect, test } from '@jest/globals';

import { seeded } from '../monitor/intervals/draws.ts';
import { ids, say, stagedExperiments } from './staged-experiments.ts';

const { superuser, ada, staged } = await stagedExperiments();

/** Has the experiment begun at 18 o'clock of the day so many days ago, and stopped so many hours later. */
async function open(modelId: number, ago: number, hours: number | null): Promise<void> {
  await superuser.query(
    `with moved as (
       update pgscore_data.experiment set started_at = at, stopped_at = at + make_interval(hours => $3)
         from (select date_trunc('day', now(), 'UTC') - make_interval(days => $2) + interval '18 hours' as at) x
        where model_id = $1 returning experiment_id, started_at
     )
     update pgscore_data.experiment_stage s set since = m.started_at from moved m where s.experiment_id = m.experiment_id`,
    [modelId, ago, hours],
  );
}

test('what was predicted before the start or after the stop on the same day needs no labels', async () => {
  const random = seeded(21);
  const { champion, arm } = await staged.stage('opened', 50);
  const arms = await staged.inArm('opened', 2000);
  await ada.query(`select pgscore.stop_experiment('opened')`);
  // From five days ago to three days ago.
  await open(champion.modelId, 5, 48);
  const inside = say(ids(1, 2000), 0.8, random);
  for (const [ago, from] of [
    [5, 1],
    [3, 1001],
  ] as const) {
    const here = inside.filter(({ id }) => id >= from && id < from + 1000);
    const [hour, beside] = ago === 5 ? [19, 12] : [12, 19];
    for (const isArm of [true, false]) {
      const said = here.filter(({ id }) => arms.has(id) === isArm);
      await staged.score(isArm ? arm : champion, ago, said, hour);
    }
    await staged.score(champion, ago, say(ids(from + 5000, from + 5400), 0.8, random), beside);
    await staged.label('opened', ago, here, 20);
  }
  const found = await staged.results('opened');
  const ofArm = inside.filter(({ id }) => arms.has(id));
  expect(found['2 accuracy']).toMatchObject({ n: ofArm.length, age: 3 });
  expect(found['1 accuracy']).toMatchObject({ n: 2000 - ofArm.length, label_coverage: 1 });
});

test('a day is not mature by labels of what was predicted before the start', async () => {
  const random = seeded(22);
  const { champion, arm } = await staged.stage('loaded', 50);
  await open(champion.modelId, 5, null);
  const arms = await staged.inArm('loaded', 600);
  const before = say(ids(1001, 4000), 0.8, random);
  await staged.score(champion, 5, before, 12);
  await staged.label('loaded', 5, before, 13);
  const of = (isArm: boolean) =>
    say(
      ids(1, 600).filter((id) => arms.has(id) === isArm),
      0.8,
      random,
    );
  const [own, armOwn] = [of(false), of(true)];
  await staged.score(champion, 5, own, 19);
  await staged.score(arm, 5, armOwn, 19);
  await staged.label('loaded', 5, own.slice(0, 61), 20);
  await staged.label('loaded', 5, armOwn, 20);
  const found = await staged.results('loaded');
  expect(found['1 accuracy']).toMatchObject({ n: 0, last_date: null });
  expect(found['1 accuracy']?.['label_coverage']).toBeCloseTo(61 / own.length, 12);

  // What was true when it was judged stays, whatever becomes of other predictions.
  const run = `select run_id::int as id from pgscore_data.run
                where version_id = $1 and extract(hour from snapshot_at at time zone 'UTC') = 12`;
  const { rows } = await superuser.query<{ id: number }>(run, [champion.versionId]);
  await ada.query(`select pgscore.forget('loaded', run => $1)`, [rows[0]?.id]);
  const kept = await staged.results('loaded');
  expect(kept['1 accuracy']?.['label_coverage']).toBeCloseTo(61 / own.length, 12);
});

test('the coverage of a stopped experiment is not of what is predicted after its stop', async () => {
  const random = seeded(23);
  const { champion, arm } = await staged.stage('done', 50);
  const arms = await staged.inArm('done', 400);
  await ada.query(`select pgscore.stop_experiment('done')`);
  await open(champion.modelId, 3, 2);
  const all = say(ids(1, 400), 0.8, random);
  await staged.score(
    champion,
    3,
    all.filter(({ id }) => !arms.has(id)),
    19,
  );
  await staged.score(
    arm,
    3,
    all.filter(({ id }) => arms.has(id)),
    19,
  );
  await staged.label('done', 3, all, 20);
  expect((await staged.results('done'))['1 accuracy']).toMatchObject({ label_coverage: 1 });
  const after = say(ids(1001, 1100), 0.8, random);
  await staged.score(champion, 3, after, 22);
  expect((await staged.results('done'))['1 accuracy']).toMatchObject({ label_coverage: 1, n: 400 - arms.size });
  await staged.label('done', 3, after.slice(0, 50), 23);
  expect((await staged.results('done'))['1 accuracy']).toMatchObject({ label_coverage: 1, n: 400 - arms.size });
});

test('where all is for days before the start the reason says so, and what is not counted yet is not denied', async () => {
  const { champion, arm } = await staged.stage('past', 50);
  const said = say(ids(1, 200), 0.8, seeded(24));
  const reason = async (): Promise<unknown> =>
    (
      await superuser.query(
        `select reason, label_coverage from pgscore_bi.experiment_results
          where model_name = 'past' and metric = 'accuracy' and not is_champion`,
      )
    ).rows[0];
  await staged.score(champion, 30, said);
  await staged.score(arm, 30, said);
  await staged.label('past', 30, said);
  expect(await reason()).toMatchObject({
    reason: 'its predictions are not counted yet, which a running service soon does',
  });
  await staged.results('past');
  expect(await reason()).toEqual({
    reason: 'no prediction of it that a label can judge is for a day since the experiment began',
    label_coverage: null,
  });
  await staged.score(arm, 0, said, 0);
  expect(await reason()).toMatchObject({
    reason: 'its predictions are not counted yet, which a running service soon does',
  });
  await staged.results('past');
  expect(await reason()).toMatchObject({ reason: 'no label judges its predictions yet', label_coverage: 0 });
});
