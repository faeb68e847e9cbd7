import { expect, test } from '@jest/globals';

import { seeded } from '../monitor/intervals/draws.ts';
import { ids, say, stagedExperiments } from './staged-experiments.ts';

const { superuser, ada, staged } = await stagedExperiments();

test('what was predicted before the start or after the stop on the same day needs no labels', async () => {
  const random = seeded(21);
  const { champion, arm } = await staged.stage('opened', 50);
  const arms = await staged.inArm('opened', 2000);
  await ada.query(`select pgscore.stop_experiment('opened')`);
  await superuser.query(
    `with moved as (
       update pgscore_data.experiment set started_at = date_trunc('day', now(), 'UTC') - interval '102 hours',
              stopped_at = date_trunc('day', now(), 'UTC') - interval '54 hours'
        where model_id = $1 returning experiment_id, started_at
     )
     update pgscore_data.experiment_stage s set since = m.started_at from moved m where s.experiment_id = m.experiment_id`,
    [champion.modelId],
  );
  const inside = say(ids(1, 2000), 0.8, random);
  for (const [ago, from] of [
    [5, 1],
    [3, 1001],
  ] as const) {
    const here = inside.filter(({ id }) => id >= from && id < from + 1000);
    // It ran from 18 o'clock five days ago to 18 o'clock three days ago.
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
