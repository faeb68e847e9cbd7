import { expect, test } from '@jest/globals';

import { seeded } from '../monitor/intervals/draws.ts';
import { addVersion } from '../monitor/monitored-model.ts';
import { ids, say, stagedExperiments, type Said } from './staged-experiments.ts';

const { superuser, ada, staged } = await stagedExperiments();

const share = (values: readonly boolean[]): number => values.filter(Boolean).length / values.length;
const accuracy = (said: readonly Said[]): number => share(said.map(({ score, truth }) => score >= 0.5 === truth));

test('a shadow is compared where it and the champion scored in the experiment, and one label judges both', async () => {
  const { champion, arm } = await staged.stage('sampled', 100, 'shadow');
  const before = say(ids(1, 600), 0.5, seeded(31));
  const said = before.map((one) => ({ ...one, score: one.id % 4 === 0 ? 0.2 : one.truth ? 0.8 : 0.3 }));
  const shadowed = said.slice(0, 300).map((one) => ({ ...one, score: one.id % 10 === 0 ? 1 - one.score : one.score }));
  // What the arm said before the experiment is of no place in it, though the label judges it.
  await staged.score(arm, 12, before);
  await staged.score(champion, 3, said, 12);
  await staged.score(arm, 3, shadowed, 13);
  await staged.label('sampled', 3, said, 14);
  const found = await staged.results('sampled');
  const both = said.slice(0, 300);
  expect(found['1 accuracy']).toMatchObject({ n: 300, value: expect.closeTo(accuracy(both), 12) });
  expect(found['2 accuracy']).toMatchObject({
    n: 300,
    value: expect.closeTo(accuracy(shadowed), 12),
    difference: expect.closeTo(accuracy(shadowed) - accuracy(both), 12),
    agreement: expect.closeTo(share(both.map(({ score }, n) => score >= 0.5 === (shadowed[n]?.score ?? 0) >= 0.5)), 12),
  });
});

test('a shadow that scores on the next day is compared with the day before', async () => {
  const { champion, arm } = await staged.stage('nightly', 100, 'shadow');
  const said = say(ids(1, 300), 0.8, seeded(32));
  await staged.score(champion, 5, said, 23);
  await staged.score(arm, 4, said, 1);
  await staged.label('nightly', 4, said, 2);
  const found = await staged.results('nightly');
  expect(found).toMatchObject({
    '1 accuracy': { n: 300, age: 4 },
    '2 accuracy': { n: 300, difference: 0, difference_low: null, difference_high: null, p_value: null, agreement: 1 },
  });
});

test('a shadow whose newest day is forgotten is compared by what is left', async () => {
  const { champion, arm } = await staged.stage('forgotten', 100, 'shadow');
  const first = say(ids(1, 200), 0.8, seeded(33));
  const second = say(ids(201, 500), 0.6, seeded(34));
  for (const [ago, said] of [
    [5, first],
    [4, second],
  ] as const) {
    await staged.score(champion, ago, said);
    await staged.score(arm, ago, said, 13);
    await staged.label('forgotten', ago, said, 14);
  }
  expect(await staged.results('forgotten')).toMatchObject({ '2 accuracy': { n: 500 } });
  const { rows } = await superuser.query<{ run: string }>('select max(run_id) as run from pgscore_data.run');
  await ada.query(`select pgscore.forget('forgotten', run => $1)`, [rows[0]?.run]);
  expect(await staged.results('forgotten')).toMatchObject({
    '1 accuracy': { n: 200, value: expect.closeTo(accuracy(first), 12) },
    '2 accuracy': { n: 200, value: expect.closeTo(accuracy(first), 12) },
  });
});

test('an experiment whose arms no label can judge by its split says so when it starts', async () => {
  await staged.stage('keyed', 50);
  await ada.query(`select pgscore.stop_experiment('keyed')`);
  const notices: unknown[] = [];
  ada.on('notice', ({ message, hint }) => notices.push({ message, hint }));
  const start = (splitBy: string): Promise<unknown> =>
    ada.query(`select pgscore.start_experiment('keyed', 'canary', '{"keyed@2": 50}', split_by => $1)`, [splitBy]);
  await superuser.query(
    `update pgscore_data.monitor set key_columns = '{customer}'
      where model_id = (select model_id from pgscore_data.model where name = 'keyed')`,
  );
  await start('{customer_id}');
  expect(notices).toEqual([
    {
      message:
        'no arm of this experiment will be judged: labels go by customer, and the experiment splits by customer_id: which of them are of one entity is not known',
      hint: 'Split by columns of the key of the labels: names count.',
    },
  ]);
  await ada.query(`select pgscore.stop_experiment('keyed')`);
  await start('{customer}');
  expect(notices).toHaveLength(1);
});

test('a shadow is judged on where all that another one said is forgotten', async () => {
  const { champion, arm } = await staged.stage('pair', 100, 'shadow');
  const third = await addVersion(superuser, champion, 3);
  await superuser.query(
    `insert into pgscore_data.experiment_arm (experiment_id, version_id, weight, buckets)
     select e.experiment_id, $1, 100, '{[0,10000)}' from pgscore_data.experiment e where e.model_id = $2`,
    [third.versionId, champion.modelId],
  );
  await superuser.query(
    `update pgscore_data.experiment_stage set since = now() - interval '11 days' where since = (select min(since) from pgscore_data.experiment_stage)`,
  );
  const said = say(ids(1, 300), 0.8, seeded(35));
  const forgotten = said.map((one) => ({ ...one, score: one.id % 9 === 0 ? 1 - one.score : one.score }));
  await staged.score(champion, 3, said);
  await staged.score(arm, 3, forgotten, 13);
  await staged.score(third, 3, forgotten, 13);
  const { rows } = await superuser.query<{ run: string }>('select max(run_id) as run from pgscore_data.run');
  await staged.label('pair', 3, said, 14);
  await staged.setGate('pair', 'accuracy', 0.5);
  const before = await staged.results('pair');
  const gate = await staged.checkGates('pair@2');
  await ada.query(`select pgscore.forget('pair', run => $1)`, [rows[0]?.run]);
  const after = await staged.results('pair');
  for (const row of ['1 accuracy', '2 accuracy'])
    expect(after[row]).toMatchObject({ n: 300, value: before[row]?.['value'] });
  expect(await staged.checkGates('pair@2')).toEqual(gate);
});
