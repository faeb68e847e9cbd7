import { expect, test } from '@jest/globals';

import { addMonitoredModel, addVersion } from '../monitor/monitored-model.ts';
import { cloneDatabase } from '../support/database.ts';

const database = await cloneDatabase();
const [superuser, ada] = await Promise.all([database.client(), database.client('ada')]);

type Row = { metric: string; is_other: boolean; value: number; value_low: number; value_high: number } & Record<
  'difference' | 'difference_low' | 'difference_high' | 'p_value' | 'always_valid_low',
  number | null
>;

/** What arms with these errors come to by RMSE. */
async function rmse(stages: readonly { arm: readonly number[]; champion: readonly number[] }[]): Promise<Row[]> {
  await superuser.query('truncate pgscore_data.compared_prediction');
  let entity = 0;
  for (const [stage, { arm, champion }] of stages.entries())
    for (const [isOther, errors] of [
      [false, arm],
      [true, champion],
    ] as const) {
      const places = stages.length === 1 ? [0] : [0, stage + 1];
      await superuser.query(
        `insert into pgscore_data.compared_prediction (segment_id, is_other, entity, day, error)
         select s, $1, $2 + n, now(), e from unnest($3::float8[]) with ordinality x (e, n) cross join unnest($4::int[]) s`,
        [isOther, entity, errors, places],
      );
      entity += errors.length;
    }
  const { rows } = await superuser.query<Row>(
    `select * from pgscore_data._compared_arms(false) where metric = 'rmse' order by is_other`,
  );
  return rows;
}

const root = (errors: readonly number[]): number =>
  Math.sqrt(errors.reduce((sum, e) => sum + e * e, 0) / errors.length);
const errors = (n: number, size: number): number[] => Array.from({ length: n }, (_, i) => size * (1 + (i % 9) / 4));

test('RMSE of arms has an interval for one look, of both intervals, and a p-value that agrees with it', async () => {
  const [arm, champion] = [errors(400, 1), errors(900, 1.1)];
  const [ours, its] = await rmse([{ arm, champion }]);
  expect(ours?.value).toBeCloseTo(root(arm), 12);
  expect(its?.value).toBeCloseTo(root(champion), 12);
  const difference = root(arm) - root(champion);
  expect(ours?.difference).toBeCloseTo(difference, 12);
  // Arms are of other entities, so both intervals are independent (Zou and Donner 2008).
  const above = Math.hypot((ours?.value_high ?? 0) - (ours?.value ?? 0), (its?.value ?? 0) - (its?.value_low ?? 0));
  expect(ours?.difference_high).toBeCloseTo(difference + above, 12);
  expect(ours?.always_valid_low).toBeNull();
  expect((ours?.p_value ?? 1) < 0.05).toBe((ours?.difference_high ?? 0) < 0);
});

test('RMSE counts the newest stage, as a hard week would count against the arm that was larger in it', async () => {
  const [easy, hard] = [errors(300, 1), errors(300, 5)];
  const [ours] = await rmse([
    { arm: hard, champion: easy },
    { arm: easy, champion: [...easy, ...easy] },
  ]);
  expect(ours?.difference).toBeCloseTo(0, 12);
  expect(ours?.p_value).toBeCloseTo(1, 12);
});

test.each(['multi_target', 'multilabel'])(
  'an experiment of a model whose task is %s says that it has no results',
  async (task) => {
    const model = await addMonitoredModel(superuser, task, 'regression');
    await superuser.query('select pgscore_data._set_alias($1, $2)', [model.versionId, 'champion']);
    await addVersion(superuser, model, 2);
    await superuser.query(
      `update pgscore_data.execution set task = $2 where version_id in (select version_id from pgscore_data.version where model_id = $1)`,
      [model.modelId, task],
    );
    const notices: string[] = [];
    ada.on('notice', ({ message }) => notices.push(message ?? ''));
    await ada.query(`select pgscore.start_experiment($1, 'canary', $2, split_by => '{id}')`, [
      task,
      { [`${task}@2`]: 10 },
    ]);
    expect(notices).toEqual([
      `pgscore_bi.experiment_results will have no results of model "${task}": it does not give one value a row that labels judge`,
    ]);
    ada.removeAllListeners('notice');
  },
);

test('arms that are set to the shares that they have begin no stage, so that ROC AUC and F1 lose nothing', async () => {
  const champion = await addMonitoredModel(superuser, 'repeated', 'binary');
  await addVersion(superuser, champion, 2);
  await superuser.query('select pgscore_data._set_alias($1, $2)', [champion.versionId, 'champion']);
  const arms = { 'repeated@2': 10 };
  await ada.query(`select pgscore.start_experiment('repeated', 'canary', $1, split_by => '{id}')`, [arms]);
  const { rows } = await ada.query(`select pgscore.set_arms('repeated', $1) as arms`, [arms]);
  expect(rows).toEqual([{ arms }]);
  const stages = `select distinct s.since from pgscore_data.experiment_stage s join pgscore_data.experiment e using (experiment_id)
    where e.model_id = $1`;
  expect((await superuser.query(stages, [champion.modelId])).rows).toHaveLength(1);
});
