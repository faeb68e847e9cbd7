import { expect, test } from '@jest/globals';

import { addMonitoredModel, addVersion } from '../monitor/monitored-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const [superuser, ada] = await Promise.all([database.client(), database.client('ada')]);

let models = 0;

/** A model whose champion and second version are so; each a list of assignments to what is executed. */
async function addPair(champion: string, arm: string): Promise<string> {
  models += 1;
  const model = `pair_${models}`;
  const first = await addMonitoredModel(superuser, model, 'binary');
  await addVersion(superuser, first, 2);
  await superuser.query('select pgscore_data._set_alias($1, $2)', [first.versionId, 'champion']);
  for (const [number, assignments] of [champion, arm].entries()) {
    if (assignments === '') continue;
    const text = `update pgscore_data.execution e set ${assignments} from pgscore_data.version v
        where v.version_id = e.version_id and v.model_id = $1 and v.number = $2`;
    await superuser.query(text, [first.modelId, number + 1]);
  }
  return model;
}

const startText = (model: string) =>
  `select pgscore.start_experiment('${model}', 'canary', '{"${model}@2": 10}', '{id}')`;

const several = (names: string) => `task = 'multi_target', class_labels = '${names}'`;

test.each([
  ['of other targets', several('{arr,dep}'), several('{arr,air}'), 'it says arr, air, and the champion arr, dep'],
  [
    'of targets in another order',
    several('{arr,dep}'),
    several('{dep,arr}'),
    'it says dep, arr, and the champion arr, dep',
  ],
  [
    'of more targets',
    several('{arr,dep}'),
    several('{arr,dep,air}'),
    'it says arr, dep, air, and the champion arr, dep',
  ],
  [
    'of other quantiles',
    `task = 'quantiles', class_labels = '{p10,p50}'`,
    `task = 'quantiles', class_labels = '{p50,p90}'`,
    'it says p50, p90, and the champion p10, p50',
  ],
  ['with labels alone', '', 'probabilities = false', 'its scores have another meaning than those of the champion'],
  ['with margins', '', `score_unit = 'margin'`, 'its scores have another meaning than those of the champion'],
])('an arm %s is refused', async (_, champion, arm, problem) => {
  const model = await addPair(champion, arm);
  expect(await refusal(ada, startText(model))).toMatchObject({
    code: '22023',
    message: `version "${model}@2" cannot be an arm of an experiment of model "${model}": ${problem}`,
    hint: 'What a query reads must be the same of every arm.',
  });
});

test('an arm with vectors of another length is refused', async () => {
  const vector = `task = 'embedding', class_labels = '{}', probabilities = false`;
  const model = await addPair(vector, vector);
  await superuser.query(
    `update pgscore_data.version v set signature = v.signature || jsonb_build_object('outputs',
            jsonb_build_object('values', jsonb_build_array(jsonb_build_object('width', v.number))))
       from pgscore_data.model m where m.model_id = v.model_id and m.name = $1`,
    [model],
  );
  expect((await refusal(ada, startText(model))).message).toMatch(/: its vectors have another length than those of/);
});

test('arms of the same targets may run', async () => {
  const model = await addPair(several('{arr,dep}'), several('{arr,dep}'));
  await ada.query(startText(model));
  await ada.query('select pgscore.stop_experiment($1)', [model]);
});

test.each([
  [`split_by => '{{id,day}}'`, 'canary', 'split_by is no list of column names'],
  [`split_by => '{id,""}'`, 'canary', 'split_by names a column twice, or one without a name'],
  [`sampling => 'NaN'`, 'shadow', 'sampling is a share above 0, at most 1'],
  [`sampling => 0`, 'shadow', 'sampling is a share above 0, at most 1'],
  [`split_by => '{id}', until => '-infinity'`, 'ab', 'until has passed'],
])('an experiment with %s is refused', async (more, kind, problem) => {
  const model = await addPair('', '');
  const arms = `{"${model}@2": ${kind === 'shadow' ? 100 : 10}}`;
  const text = `select pgscore.start_experiment('${model}', '${kind}', '${arms}', ${more})`;
  expect(await refusal(ada, text)).toMatchObject({
    code: '22023',
    message: `an experiment of model "${model}" cannot be started: ${problem}`,
    hint: expect.stringMatching(/\w/),
  });
});
