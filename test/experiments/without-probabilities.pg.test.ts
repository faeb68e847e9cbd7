import { expect, test } from '@jest/globals';

import { stagedExperiments } from './staged-experiments.ts';

const { superuser, staged } = await stagedExperiments();

test('arms whose scores are no probabilities have no Brier score and no log loss', async () => {
  const versions = await staged.stage('margins', 50);
  await superuser.query(
    `update pgscore_data.execution e set probabilities = false, score_unit = 'margin' from pgscore_data.version v
      where v.version_id = e.version_id and v.model_id = $1`,
    [versions.champion.modelId],
  );
  await staged.scoreSplit('margins', versions, 1000, 0.7);
  const found = await staged.results('margins');
  expect(Object.keys(found).sort()).toEqual(
    ['1', '2'].flatMap((version) =>
      ['accuracy', 'f1_score', 'precision_score', 'recall_score', 'roc_auc'].map((metric) => `${version} ${metric}`),
    ),
  );
  expect(found['2 accuracy']).toMatchObject({ verdict: 'worse' });
  const { rows } = await superuser.query(
    `select distinct metric from pgscore_data.experiment_result where metric in ('brier_score', 'log_loss')`,
  );
  expect(rows).toEqual([]);
});
