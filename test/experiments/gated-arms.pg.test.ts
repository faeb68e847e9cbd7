import { expect, test } from '@jest/globals';

import { seeded } from '../monitor/intervals/draws.ts';
import { refusal } from '../support/refusal.ts';
import { ids, say, stagedExperiments, type Said, type Staged } from './staged-experiments.ts';

const { superuser, ada, staged } = await stagedExperiments();

/** An experiment of which each entity has one version. */
async function split(name: string, entities: number, right: number, weight = 50): Promise<Staged> {
  const versions = await staged.stage(name, weight);
  await staged.scoreSplit(name, versions, entities, right);
  return versions;
}

test('after a split, in which each entity has one version, a gate goes by the arms, as experiment_results has them', async () => {
  await split('better', 2000, 0.9);
  await staged.setGate('better', 'accuracy', 0.01);
  await staged.setGate('better', 'roc_auc', 0.01);
  await staged.setGate('better', 'f1', 0.01);
  const common = `select undefined_reason from pgscore_bi.version_comparison
    where model_name = 'better' and metric = 'accuracy' and compared_with = 'champion' and not is_replayed`;
  expect((await superuser.query(common)).rows).toEqual([{ undefined_reason: 'no_common_labels' }]);
  const shown = await staged.results('better');
  const verdicts = await staged.checkGates('better@2');
  const experiment = shown['2 accuracy']?.['experiment'];
  expect(verdicts['not_worse_accuracy']).toMatchObject({
    passed: true,
    value: shown['2 accuracy']?.['difference'],
    low: shown['2 accuracy']?.['always_valid_low'],
    high: shown['2 accuracy']?.['always_valid_high'],
    needs: null,
    reason: expect.stringMatching(
      new RegExp(
        `^accuracy is 0\\.\\d+ higher than that of better@1, by the arms of experiment ${experiment}, .* to .*$`,
      ),
    ),
  });
  // Other metrics have an interval for one look only, at a time that was set before.
  const early = {
    passed: false,
    needs: 'an experiment that reached its until',
    reason: expect.stringContaining('; its interval is for one look, at the end'),
  };
  expect(verdicts).toMatchObject({ not_worse_roc_auc: early, not_worse_f1_score: early });
  await superuser.query('update pgscore_data.experiment set until = clock_timestamp() where experiment_id = $1', [
    experiment,
  ]);
  const ended = await staged.results('better');
  const last = await staged.checkGates('better@2');
  expect(last['not_worse_roc_auc']).toMatchObject({
    passed: true,
    low: ended['2 roc_auc']?.['difference_low'],
    high: ended['2 roc_auc']?.['difference_high'],
  });
  expect(last['not_worse_f1_score']).toMatchObject({ passed: true, low: ended['2 f1_score']?.['difference_low'] });
  await ada.query(`select pgscore.monitor('better', segments => '{region}')`);
  await ada.query(`select pgscore.set_gate('better', 'no_segment_worse', metric => 'accuracy', margin => 0.1)`);
  expect((await staged.checkGates('better@2'))['no_segment_worse_accuracy']?.needs).toBe(
    'labels that judge both versions, as of a shadow',
  );
  await ada.query(`select pgscore.drop_gate('better', 'no_segment_worse_accuracy')`);
  const stopped = await ada.query(`select pgscore.stop_experiment('better', promote => 'better@2') as champion`);
  expect(stopped.rows).toEqual([{ champion: 'better@2' }]);
});

test('an arm that is worse is not promoted at the end, but by force with a reason, which is on record', async () => {
  await split('worse', 2000, 0.6);
  await staged.setGate('worse', 'accuracy', 0.01);
  const reason = expect.stringMatching(
    /^accuracy is 0\.\d+ lower than that of worse@1, by the arms of experiment \d+, .*: 0\.\d+ worse$/,
  );
  expect(await staged.checkGates('worse@2')).toMatchObject({
    not_worse_accuracy: { passed: false, needs: null, reason },
  });
  expect(await refusal(ada, `select pgscore.stop_experiment('worse', promote => 'worse@2')`)).toMatchObject({
    code: '55000',
    message: 'version "worse@2" does not pass the gates of its model: not_worse_accuracy',
  });
  expect(
    await refusal(ada, `select pgscore.stop_experiment('worse', promote => 'worse@2', force => true)`),
  ).toMatchObject({
    code: '22023',
    message: 'a promotion that is forced needs a reason',
  });
  expect(await refusal(ada, `select pgscore.stop_experiment('worse', force => true, reason => 'x')`)).toMatchObject({
    code: '22023',
    message: 'force and reason are about a promotion',
  });
  const running = `select is_running from pgscore.experiments where model = 'worse'`;
  expect((await ada.query(running)).rows).toEqual([{ is_running: true }]);
  await ada.query(
    `select pgscore.stop_experiment('worse', promote => 'worse@2', force => true, reason => 'the sensor is gone')`,
  );
  const audit = `select version, detail from pgscore.audit where model = 'worse' and action = 'promote'`;
  const detail = {
    force: true,
    reason: 'the sensor is gone',
    failed: [expect.stringContaining('by the arms of experiment')],
  };
  expect((await ada.query(audit)).rows).toEqual([{ version: 2, detail }]);
});

test('arms with few labels are not enough, and a broken split is none', async () => {
  await split('few', 1000, 0.95, 8);
  await staged.setGate('few', 'accuracy', 0.05);
  const small = await staged.checkGates('few@2');
  expect(small['not_worse_accuracy']).toMatchObject({
    passed: false,
    needs: 'labels of 100 entities in each arm',
    reason: expect.stringMatching(/^accuracy counts \d\d labels, by the arms of experiment \d+, /),
  });
  await staged.setGate('few', 'accuracy', 0.05, 500);
  expect((await staged.checkGates('few@2'))['not_worse_accuracy']?.needs).toMatch(/^4\d\d more labels$/);

  const random = seeded(8);
  const { champion, arm } = await staged.stage('broken', 50);
  await staged.setGate('broken', 'accuracy', 0.05);
  const arms = await staged.inArm('broken', 1000);
  const said = say(ids(1, 1000), 0.9, random);
  const lost = said.filter(({ id }) => arms.has(id) && id % 2 === 0);
  const rest = said.filter(({ id }) => !arms.has(id));
  await staged.score(arm, 3, lost);
  await staged.score(champion, 3, rest);
  await staged.label('broken', 3, [...lost, ...rest]);
  await superuser.query('select pgscore.refresh()');
  expect((await staged.checkGates('broken@2'))['not_worse_accuracy']).toMatchObject({
    passed: false,
    needs: 'arms that have their shares of entities',
    reason: expect.stringMatching(
      / by the arms of experiment \d+.*; the arms have not the shares of entities that they were to have: p = /,
    ),
  });
});

test('labels that judge both versions count again where they are newer than the experiment', async () => {
  const { champion, arm } = await split('later', 1000, 0.6);
  await staged.setGate('later', 'accuracy', 0.05);
  expect((await staged.checkGates('later@2'))['not_worse_accuracy']?.reason).toContain('by the arms of experiment');
  await ada.query(`select pgscore.stop_experiment('later')`);
  await superuser.query(
    `update pgscore_data.experiment set stopped_at = stopped_at - interval '2 days' where model_id = $1`,
    [champion.modelId],
  );
  expect((await staged.checkGates('later@2'))['not_worse_accuracy']?.reason).toContain('by the arms of experiment');
  const said = say(ids(2001, 2600), 0.9, seeded(9));
  await staged.score(champion, 1, said);
  await staged.score(arm, 1, said);
  await staged.label('later', 1, said);
  await superuser.query('select pgscore.refresh()');
  expect((await staged.checkGates('later@2'))['not_worse_accuracy']).toMatchObject({
    passed: true,
    reason: expect.stringMatching(
      /^accuracy is 0\.\d+, that of later@1 0\.\d+, by labels that judge both, .*: 0\.\d+ worse at most$/,
    ),
  });
});

test('one label that is newer than an experiment does not override it by the labels of before', async () => {
  const { champion, arm } = await staged.stage('overridden', 50);
  const score = async (ago: number, said: Said[]): Promise<void> => {
    await staged.score(champion, ago, said);
    await staged.score(arm, ago, said);
    await staged.label('overridden', ago, said);
  };
  await score(30, say(ids(2001, 4000), 0.8, seeded(10)));
  await staged.scoreSplit('overridden', { champion, arm }, 1000, 0.6);
  await staged.setGate('overridden', 'accuracy', 0.05);
  await ada.query(`select pgscore.stop_experiment('overridden')`);
  await superuser.query(
    `update pgscore_data.experiment set stopped_at = stopped_at - interval '2 days' where model_id = $1`,
    [champion.modelId],
  );
  await score(1, say([4001], 1, seeded(11)));
  await superuser.query('select pgscore.refresh()');
  expect((await staged.checkGates('overridden@2'))['not_worse_accuracy']).toMatchObject({
    passed: false,
    reason: expect.stringContaining('by the arms of experiment'),
  });
});

test('of an arm that has all entities, a gate needs a share for the champion', async () => {
  await staged.stage('ramped', 100);
  await staged.setGate('ramped', 'roc_auc', 0.05);
  expect((await staged.checkGates('ramped@2'))['not_worse_roc_auc']).toMatchObject({
    passed: false,
    needs: 'labels of both arms, and a share of the entities for the champion: set_arms() with less than 100 %',
  });
});

test('a replay of a deployer counts where there is nothing else, if it says until when its version was trained', async () => {
  const { champion, arm } = await staged.stage('replayed', 50);
  await staged.setGate('replayed', 'accuracy', 0.05);
  expect((await staged.checkGates('replayed@2'))['not_worse_accuracy']).toMatchObject({
    needs: 'labels of both arms',
    reason: 'it is not compared with replayed@1 yet',
  });
  const replay = async (accuracy: number, n: number, by = 'ada'): Promise<string | undefined> => {
    const run = await superuser.query<{ run_id: string }>(
      `insert into pgscore_data.run (requested_by, version_id, source_schema, source_name, source_kind, rls, plan, publish, state, counted, kept, is_replay, finished_at)
       values ($2, $1, $2, 'x', 'stream', 'error', '{}', false, 'done', true, true, true, now()) returning run_id`,
      [arm.versionId, by],
    );
    const id = run.rows[0]?.run_id;
    await superuser.query(
      `insert into pgscore_data.replay (run_id, compared_at, compare_seconds, other_id, n_days, first_day, last_day)
       values ($1, now(), 0, $2, 3, now() - interval '9 days', now() - interval '6 days')`,
      [id, champion.versionId],
    );
    await superuser.query(
      `insert into pgscore_data.replay_metric
       values ($1, 'accuracy', $2::float8, 0.9, $2 - 0.92, $2 - 0.88, $3, $3, true)`,
      [id, accuracy, n],
    );
    return id;
  };
  // Who chooses the rows chooses what they say.
  await replay(0.99, 5000, 'alice');
  await replay(0.99, 5000, 'nobody_any_more');
  expect((await staged.checkGates('replayed@2'))['not_worse_accuracy']).toMatchObject({
    passed: false,
    reason: 'it is not compared with replayed@1 yet: a replay counts where a pgscore_deployer asked for it',
  });
  await superuser.query('update pgscore_data.version set deployed_at = now() where version_id = $1', [arm.versionId]);
  const id = await replay(0.9, 900);
  const said = expect.stringMatching(
    new RegExp(`^accuracy is 0\\.9, that of replayed@1 0\\.9, by a replay \\(run ${id}\\), .*: 0\\.02 worse at most$`),
  );
  expect((await staged.checkGates('replayed@2'))['not_worse_accuracy']).toMatchObject({
    passed: false,
    needs: 'a deploy with trained_until',
    reason: expect.stringMatching(
      / \(training data may be among them\): 0\.02 worse at most; the version was deployed without trained_until$/,
    ),
  });
  await superuser.query(
    `update pgscore_data.version set options = options || '{"trained_until": "2020-01-01"}' where version_id = $1`,
    [arm.versionId],
  );
  expect((await staged.checkGates('replayed@2'))['not_worse_accuracy']).toMatchObject({
    passed: true,
    needs: null,
    reason: said,
  });
  // One of few labels does not override one of many.
  await replay(0.98, 31);
  expect((await staged.checkGates('replayed@2'))['not_worse_accuracy']).toMatchObject({ reason: said });
  // One that is too old to be compared again counts for nothing by new labels.
  await superuser.query(
    `update pgscore_data.run set finished_at = now() - interval '31 days' where run_id in (select run_id from pgscore_data.replay)`,
  );
  await superuser.query(`update pgscore_data.replay set compared_at = now() - interval '31 days'`);
  await superuser.query(`create table replayed_truth (id bigint primary key, label text, known timestamptz)`);
  await superuser.query(
    `select pgscore.set_labels('replayed', 'replayed_truth', label => 'label', known_at => 'known')`,
  );
  await superuser.query(
    `update pgscore_data.label_source set compared_at = clock_timestamp() where source_name = 'replayed_truth'`,
  );
  expect((await staged.checkGates('replayed@2'))['not_worse_accuracy']).toMatchObject({
    passed: false,
    needs: 'another replay, as this one is too old to be compared again',
    reason: expect.stringMatching(/; labels were set anew since$/),
  });
});
