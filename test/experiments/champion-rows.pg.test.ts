import { expect, test } from '@jest/globals';

import { seeded } from '../monitor/intervals/draws.ts';
import { ids, say, stagedExperiments } from './staged-experiments.ts';

const { superuser, ada, staged } = await stagedExperiments();

test('an arm that has all entities at last is compared by the stages in which the champion had some', async () => {
  const versions = await staged.stage('all', 50);
  const random = seeded(5);
  const arms = await staged.inArm('all', 1000);
  const ours = say([...arms], 0.8, random);
  const its = say(
    ids(1, 1000).filter((id) => !arms.has(id)),
    0.8,
    random,
  );
  await staged.score(versions.arm, 5, ours);
  await staged.score(versions.champion, 5, its);
  await staged.label('all', 5, [...ours, ...its]);
  const before = await staged.results('all');
  await ada.query(`select pgscore.set_arms('all', '{"all@2": 100}')`);
  await superuser.query(
    `update pgscore_data.experiment_stage set since = now() - interval '4 days' where since > now() - interval '1 day'`,
  );
  const late = say(ids(2001, 2300), 0.8, random);
  await staged.score(versions.arm, 3, late);
  await staged.label('all', 3, late);
  const after = await staged.results('all');
  for (const metric of ['accuracy', 'brier_score']) {
    const row = after[`2 ${metric}`];
    expect(after[`1 ${metric}`]).toMatchObject({ age: 3, n: its.length, entities: its.length });
    expect(row).toMatchObject({ age: 3, verdict: 'no_difference', entities: ours.length });
    expect(row?.['difference']).toBeCloseTo(Number(before[`2 ${metric}`]?.['difference']), 12);
  }
  await staged.setGate('all', 'accuracy', 0.5);
  expect((await staged.checkGates('all@2'))['not_worse_accuracy']).toMatchObject({ passed: true, needs: null });
});

test('what labels say no more of the champion is not shown any longer', async () => {
  const versions = await staged.stage('withdrawn', 50);
  await ada.query(`select pgscore.monitor('withdrawn', min_label_coverage => 0.001)`);
  await staged.scoreSplit('withdrawn', versions, 600, 0.8);
  expect((await staged.results('withdrawn'))['1 roc_auc']?.['value']).toBeGreaterThan(0.5);
  const arms = await staged.inArm('withdrawn', 600);
  await superuser.query(
    `select pgscore.record_label('withdrawn', id::text, null::text, date_trunc('day', now(), 'UTC') - interval '3 days' + interval '13 hours')
       from unnest($1::int[]) id`,
    [ids(1, 600).filter((id, n) => !arms.has(id) && n > 10)],
  );
  const after = await staged.results('withdrawn');
  const left = ids(1, 11).filter((id) => !arms.has(id)).length;
  expect(after['1 accuracy']).toMatchObject({ age: 3, n: left });
  await superuser.query(
    `select pgscore.record_label('withdrawn', id::text, 'yes', date_trunc('day', now(), 'UTC') - interval '3 days' + interval '13 hours')
       from unnest($1::int[]) id`,
    [ids(1, 11).filter((id) => !arms.has(id))],
  );
  expect((await staged.results('withdrawn'))['1 roc_auc']).toMatchObject({ n: 0, value: null });
});
