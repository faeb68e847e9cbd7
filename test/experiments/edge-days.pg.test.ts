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

test('the days of the start and the stop wait for the labels of the whole day, and count what was predicted in between', async () => {
  const random = seeded(21);
  const { champion, arm } = await staged.stage('opened', 50);
  const arms = await staged.inArm('opened', 2000);
  await ada.query(`select pgscore.stop_experiment('opened')`);
  // From five days ago to three days ago.
  await open(champion.modelId, 5, 48);
  const inside = say(ids(1, 2000), 0.8, random);
  const beside = say(ids(5001, 5800), 0.8, random);
  for (const [ago, from, hour, other] of [
    [5, 0, 19, 12],
    [3, 1000, 12, 19],
  ] as const) {
    const here = inside.slice(from, from + 1000);
    for (const isArm of [true, false]) {
      const said = here.filter(({ id }) => arms.has(id) === isArm);
      await staged.score(isArm ? arm : champion, ago, said, hour);
    }
    await staged.score(champion, ago, beside.slice(from * 0.4, from * 0.4 + 400), other);
    await staged.label('opened', ago, here, 20);
  }
  expect((await staged.results('opened'))['2 accuracy']).toMatchObject({
    n: 0,
    verdict: 'too_early',
    reason: expect.stringMatching(
      /^labels are not there yet: opened@1 has those of \d\d % of its predictions for .*, and a day needs 95 % of every version$/,
    ),
  });
  await staged.label('opened', 5, beside.slice(0, 400), 20);
  await staged.label('opened', 3, beside.slice(400), 20);
  const found = await staged.results('opened');
  const ofArm = inside.filter(({ id }) => arms.has(id));
  expect(found['2 accuracy']).toMatchObject({ n: ofArm.length, age: 3 });
  expect(found['1 accuracy']).toMatchObject({ n: 2000 - ofArm.length, label_coverage: 1 });
});

test('an experiment of two hours has results', async () => {
  const { champion, arm } = await staged.stage('brief', 50);
  const arms = await staged.inArm('brief', 400);
  await ada.query(`select pgscore.stop_experiment('brief')`);
  await open(champion.modelId, 3, 2);
  const all = say(ids(1, 400), 0.8, seeded(23));
  for (const isArm of [true, false]) {
    const said = all.filter(({ id }) => arms.has(id) === isArm);
    await staged.score(isArm ? arm : champion, 3, said, 19);
  }
  await staged.label('brief', 3, all, 20);
  const found = await staged.results('brief');
  expect(found['2 accuracy']).toMatchObject({ n: arms.size, age: 3, label_coverage: 1 });
  expect(found['1 accuracy']).toMatchObject({ n: 400 - arms.size, label_coverage: 1 });
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
