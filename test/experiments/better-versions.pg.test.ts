import { describe, expect, test } from '@jest/globals';

import { seeded } from '../monitor/intervals/draws.ts';
import { ids, say, stagedExperiments, type Staged } from './staged-experiments.ts';

const { database, superuser, ada, staged } = await stagedExperiments();
const mallory = await database.client('mallory');

describe('a version that labels of both call better than the champion', () => {
  const verdict = async (name: string): Promise<unknown> => {
    const text = `select cause, better_version::int, sentence from pgscore_bi.model_verdict where model_name = $1`;
    return (await superuser.query(text, [name])).rows[0];
  };
  /** Both score the same thousand entities thirty days ago; the second is right more often. */
  const begin = async (name: string): Promise<Staged> => {
    const versions = await staged.stage(name, 50);
    const said = say(ids(3001, 4000), 0.7, seeded(12));
    await staged.score(versions.champion, 30, said);
    const surer = said.map((one) => (one.id % 5 === 0 ? { ...one, score: one.truth ? 0.9 : 0.1 } : one));
    await staged.score(versions.arm, 30, surer);
    await staged.label(name, 30, said);
    await superuser.query('select pgscore.refresh()');
    return versions;
  };

  test('is to be promoted only where the experiment that it was in since does not say otherwise', async () => {
    const versions = await begin('loser');
    expect(await verdict('loser')).toMatchObject({
      better_version: 2,
      sentence: expect.stringMatching(
        /^Version 2 is surely better: accuracy 7\d\.\d % instead of .* %, by labels that judge both, \d+ \w+ \d+\. Promote it with pgscore\.stop_experiment\('loser', promote => 'loser@2'\)\.$/,
      ),
    });
    await staged.scoreSplit('loser', versions, 1000, 0.5);
    expect((await staged.results('loser'))['2 accuracy']).toMatchObject({
      verdict: 'worse',
      reason: expect.stringMatching(/ lower, \d+ \w+ \d+ to \d+ \w+ \d+$/),
    });
    expect(await verdict('loser')).toMatchObject({ better_version: null });
    await ada.query(`select pgscore.stop_experiment('loser')`);
    expect(await verdict('loser')).toMatchObject({ better_version: null });
    // Another experiment, with few labels so far, does not make it forgotten.
    await ada.query(
      `select pgscore.start_experiment('loser', kind => 'ab', arms => '{"loser@2": 50}', split_by => '{id}')`,
    );
    await staged.setGate('loser', 'accuracy', 0.05);
    expect((await staged.checkGates('loser@2'))['not_worse_accuracy']).toMatchObject({
      passed: false,
      reason: expect.stringContaining('by the arms of experiment'),
    });
    await ada.query(`select pgscore.drop_gate('loser', 'not_worse_accuracy')`);
    expect(await verdict('loser')).toMatchObject({ better_version: null });
  });

  test('is told to nobody without a grant, not by the function below the verdict either', async () => {
    await begin('hidden');
    await superuser.query(`select pgscore.revoke_model('hidden', 'pgscore_user')`);
    // As where Citus is installed.
    await superuser.query('grant usage on schema pgscore_data to pgscore_user');
    const { rows } = await superuser.query<{ call: string }>(
      `select format('select model_version::int from pgscore_data._better_versions(%s, %s, ''accuracy'')', m.model_id, v.version_id) as call
         from pgscore_data.model m join pgscore_data.version v using (model_id) where m.name = 'hidden' and v.number = 1`,
    );
    const call = rows[0]?.call ?? '';
    expect((await superuser.query(call)).rows).toEqual([{ model_version: 2 }]);
    expect((await mallory.query(call)).rows).toEqual([]);
    await superuser.query(`select pgscore.grant_model('hidden', 'mallory')`);
    expect((await mallory.query(call)).rows).toEqual([{ model_version: 2 }]);
  });

  test('is not to be promoted by labels that were set anew, until it is compared by the new ones', async () => {
    await begin('renewed');
    await staged.setGate('renewed', 'accuracy', 0.05);
    expect(await verdict('renewed')).toMatchObject({ better_version: 2 });
    await superuser.query(
      `create table renewed_truth as select n as id, 'yes' as label, now() - interval '29 days' as known from generate_series(3001, 4000) n`,
    );
    await superuser.query('alter table renewed_truth add primary key (id)');
    await superuser.query(
      `select pgscore.set_labels('renewed', 'renewed_truth', label => 'label', known_at => 'known')`,
    );
    const waits = {
      passed: false,
      needs: 'a comparison with the new labels, which a running service makes within minutes',
      reason: expect.stringMatching(/; labels were set anew since$/),
    };
    // Until the labels are read, what is known is of the old ones.
    for (const text of ['select 1', 'select pgscore.refresh()']) {
      await superuser.query(text);
      expect((await staged.checkGates('renewed@2'))['not_worse_accuracy']).toMatchObject(waits);
      expect(await verdict('renewed')).toMatchObject({ better_version: null });
    }
    await superuser.query(
      `update pgscore_data.label_source set compared_at = clock_timestamp() where source_name = 'renewed_truth'`,
    );
    expect((await staged.checkGates('renewed@2'))['not_worse_accuracy']).toMatchObject({ passed: true });
  });

  test('is not to be promoted where a gate on another metric is not passed', async () => {
    await begin('gated');
    expect(await verdict('gated')).toMatchObject({ better_version: 2 });
    await staged.setGate('gated', 'recall', 0.01, 5000);
    expect(await verdict('gated')).toMatchObject({ better_version: null });
  });

  test('is not to be promoted where it is surely worse by another metric', async () => {
    await begin('recalled');
    await superuser.query(
      `update pgscore_data.compared_metric m set value = 0.5, low = 0.45 - m.other_value, high = 0.55 - m.other_value
         from pgscore_data.version v
        where v.version_id = m.version_id and v.model_id = (select model_id from pgscore_data.model where name = 'recalled') and m.metric = 'recall_score'`,
    );
    expect(await verdict('recalled')).toMatchObject({ better_version: null });
  });
});

test('an experiment too old to be judged again does not count by labels that were set anew since', async () => {
  const versions = await staged.stage('ancient', 50);
  await staged.scoreSplit('ancient', versions, 2000, 0.9);
  await staged.setGate('ancient', 'accuracy', 0.05);
  await ada.query(`select pgscore.stop_experiment('ancient')`);
  await superuser.query(
    `with stopped as (
       update pgscore_data.experiment set started_at = now() - interval '120 days', stopped_at = now() - interval '91 days'
        where model_id = $1 returning experiment_id
     )
     update pgscore_data.experiment_judgement j set judged_at = now() - interval '90 days' from stopped s
      where s.experiment_id = j.experiment_id`,
    [versions.champion.modelId],
  );
  expect((await staged.checkGates('ancient@2'))['not_worse_accuracy']).toMatchObject({ passed: true });
  await superuser.query(`create table ancient_truth (id bigint primary key, label text, known timestamptz)`);
  await superuser.query(
    `insert into ancient_truth select n, 'yes', now() - interval '2 days' from generate_series(1, 2000) n`,
  );
  await superuser.query(`select pgscore.set_labels('ancient', 'ancient_truth', label => 'label', known_at => 'known')`);
  await superuser.query(
    `update pgscore_data.label_source set compared_at = clock_timestamp() where source_name = 'ancient_truth'`,
  );
  await superuser.query('select pgscore.refresh()');
  expect((await staged.checkGates('ancient@2'))['not_worse_accuracy']).toMatchObject({
    passed: false,
    needs: 'another experiment, as this one is too old to be judged again',
    reason: expect.stringMatching(/, by the arms of experiment .*; labels were set anew since$/),
  });
});

test('the champion that lost its place in an experiment does not pass a gate by labels of before', async () => {
  const versions = await staged.stage('former', 50);
  const said = say(ids(3001, 4000), 0.7, seeded(13));
  await staged.score(versions.champion, 30, said);
  await staged.score(versions.arm, 30, said);
  await staged.label('former', 30, said);
  await staged.scoreSplit('former', versions, 1000, 0.95);
  await ada.query(`select pgscore.stop_experiment('former', promote => 'former@2')`);
  await superuser.query('select pgscore.refresh()');
  await staged.setGate('former', 'accuracy', 0.05);
  expect((await staged.checkGates('former@1'))['not_worse_accuracy']).toMatchObject({
    passed: false,
    needs: null,
    reason: expect.stringMatching(
      /^accuracy is 0\.\d+ lower than that of former@2, by the arms of experiment \d+, .*: 0\.\d+ worse$/,
    ),
  });
});
