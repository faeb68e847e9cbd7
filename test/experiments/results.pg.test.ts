import { expect, test } from '@jest/globals';

import { seeded } from '../monitor/intervals/draws.ts';
import { ids, say, stagedExperiments, type Result, type Said } from './staged-experiments.ts';

const { superuser, ada, staged } = await stagedExperiments();

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

test('an arm that is better is named so, over the days whose labels are there, whatever else its version scored', async () => {
  const random = seeded(1);
  const { champion, arm } = await staged.stage('churn', 50);
  const arms = await staged.inArm('churn', 1200);
  const days: { said: Said[]; isArm: boolean }[] = [];
  for (const [ago, from] of [
    [4, 1],
    [3, 401],
    [2, 801],
  ] as const) {
    const here = ids(from, from + 399);
    const ofArm = say(
      here.filter((id) => arms.has(id)),
      0.95,
      random,
    );
    const ofChampion = say(
      here.filter((id) => !arms.has(id)),
      0.7,
      random,
    );
    await staged.score(arm, ago, ofArm);
    await staged.score(champion, ago, ofChampion);
    // All entities by number: those of the champion are not in the arm.
    if (ago === 4)
      await staged.score(
        arm,
        ago,
        ofChampion.map((one) => ({ ...one, score: 1 - one.score })),
      );
    if (ago === 2) continue;
    await staged.label('churn', ago, [...ofArm, ...ofChampion]);
    days.push({ said: ofArm, isArm: true }, { said: ofChampion, isArm: false });
  }
  const found = await staged.results('churn');
  const of = (isArm: boolean): Said[] => days.filter((day) => day.isArm === isArm).flatMap(({ said }) => said);
  const p = ({ score: s, truth }: Said): number => (truth ? s : 1 - s);
  const expected = (said: Said[]): Record<string, number> => ({
    accuracy: mean(said.map((one) => Number(p(one) >= 0.5))),
    brier_score: mean(said.map((one) => (1 - p(one)) ** 2)),
    log_loss: mean(said.map((one) => -Math.log(p(one)))),
  });
  const [ours, its] = [expected(of(true)), expected(of(false))];
  for (const metric of ['accuracy', 'brier_score', 'log_loss']) {
    const row = found[`2 ${metric}`];
    expect(row).toMatchObject({ verdict: 'better', n: of(true).length, entities: of(true).length, age: 3 });
    expect(found[`1 ${metric}`]).toMatchObject({
      is_champion: true,
      n: of(false).length,
      verdict: null,
      difference: null,
    });
    expect(row?.['value']).toBeCloseTo(ours[metric] ?? NaN, 6);
    expect(found[`1 ${metric}`]?.['value']).toBeCloseTo(its[metric] ?? NaN, 6);
    expect(row?.['difference']).toBeCloseTo((ours[metric] ?? NaN) - (its[metric] ?? NaN), 6);
    const [low, high] = [Number(row?.['difference_low']), Number(row?.['difference_high'])];
    expect(Number(row?.['always_valid_low'])).toBeLessThan(low);
    expect(Number(row?.['always_valid_high'])).toBeGreaterThan(high);
    expect(Number(row?.['p_value'])).toBeLessThan(Number(row?.['always_valid_p_value']));
    expect(Number(row?.['srm_p_value'])).toBeGreaterThan(0.001);
  }
  const f1 = (said: Said[]): number => {
    const isHit = said.filter((one) => one.truth && p(one) >= 0.5).length;
    return (2 * isHit) / (2 * isHit + said.filter((one) => p(one) < 0.5).length);
  };
  expect(found['2 f1_score']?.['value']).toBeCloseTo(f1(of(true)), 12);
  expect(found['1 f1_score']?.['value']).toBeCloseTo(f1(of(false)), 12);
  expect(found['2 f1_score']?.['difference']).toBeCloseTo(f1(of(true)) - f1(of(false)), 12);
  for (const metric of ['roc_auc', 'f1_score']) {
    const row = found[`2 ${metric}`];
    expect(row).toMatchObject({ verdict: 'too_early', always_valid_low: null, always_valid_p_value: null });
    expect(row).toMatchObject({ entities: of(true).length });
    expect(found[`1 ${metric}`]).toMatchObject({ entities: of(false).length });
    expect(Number(row?.['difference_low'])).toBeGreaterThan(0);
    expect(Number(row?.['p_value'])).toBeLessThan(0.05);
  }
  const daily = `select distinct last_date::text from pgscore_bi.experiment_results_daily where model_name = 'churn'`;
  expect((await superuser.query(daily)).rows).toHaveLength(2);

  // Once until has passed, those for one look are judged.
  await superuser.query(`update pgscore_data.experiment set until = now() - interval '1 second' where model_id = $1`, [
    champion.modelId,
  ]);
  await superuser.query(`update pgscore_data.experiment_judgement set judged_at = judged_at - interval '1 hour'`);
  const over = await staged.results('churn');
  expect([over['2 roc_auc']?.['verdict'], over['2 f1_score']?.['verdict']]).toEqual(['better', 'better']);
});

test('without labels, with few, and where an arm lacks its entities no winner is named', async () => {
  const random = seeded(2);
  const { champion, arm } = await staged.stage('early', 50);
  const arms = await staged.inArm('early', 1000);
  const ofArm = say(
    ids(1, 1000).filter((id) => arms.has(id)),
    0.95,
    random,
  );
  const ofChampion = say(
    ids(1, 1000).filter((id) => !arms.has(id)),
    0.6,
    random,
  );
  expect((await staged.results('early'))['2 accuracy']).toMatchObject({
    verdict: 'too_early',
    reason: 'no prediction of it that a label can judge is for a day since the experiment began',
  });
  await staged.score(arm, 3, ofArm);
  await staged.score(champion, 3, ofChampion);
  expect((await staged.results('early'))['2 accuracy']).toMatchObject({
    verdict: 'too_early',
    reason: 'no label judges its predictions yet',
    n: 0,
  });
  await staged.label('early', 3, ofChampion.slice(0, 200));
  await staged.label('early', 3, ofArm.slice(0, 200));
  const few = await staged.results('early');
  expect(few['2 accuracy']).toMatchObject({
    verdict: 'too_early',
    reason: expect.stringMatching(
      /^labels are not there yet: early@[12] has those of \d\d % of its predictions for .*, and a day needs 95 % of every version$/,
    ),
    last_date: null,
  });
  expect(few['2 accuracy']?.['label_coverage']).toBeCloseTo(200 / ofArm.length, 12);
  await superuser.query(`select pgscore.monitor('early', min_label_coverage => 0.1)`);
  expect((await staged.results('early'))['2 accuracy']).toMatchObject({ n: 200, verdict: 'better' });
  await staged.label('early', 3, ofChampion.slice(200));
  expect((await staged.results('early'))['2 accuracy']).toMatchObject({ verdict: 'sample_ratio' });
  await staged.label('early', 3, ofArm.slice(200));
  expect((await staged.results('early'))['2 accuracy']).toMatchObject({ verdict: 'better' });
});

test('an arm that grew in a hard week is compared week by week', async () => {
  const random = seeded(3);
  const { champion, arm } = await staged.stage('ramped', 10);
  const weeks = [
    { ago: 8, right: 0.95, first: 1 },
    { ago: 2, right: 0.55, first: 1501 },
  ];
  for (const { ago, right, first } of weeks) {
    if (ago === 2) {
      await ada.query(`select pgscore.set_arms('ramped', '{"ramped@2": 50}')`);
      await superuser.query(
        `update pgscore_data.experiment_stage set since = since - interval '4 days'
          where since = (select max(since) from pgscore_data.experiment_stage)`,
      );
    }
    const arms = await staged.inArm('ramped', 3000);
    const said = say(ids(first, first + 1499), right, random);
    await staged.score(
      arm,
      ago,
      said.filter(({ id }) => arms.has(id)),
    );
    await staged.score(
      champion,
      ago,
      said.filter(({ id }) => !arms.has(id)),
    );
    await staged.label('ramped', ago, said);
  }
  const { '2 accuracy': ours, '1 accuracy': its } = await staged.results('ramped');
  // Together the arm looks much worse, as more of its predictions are of the hard week.
  expect(Number(ours?.['value'])).toBeLessThan(Number(its?.['value']) - 0.08);
  expect(ours).toMatchObject({ verdict: 'no_difference', n: expect.any(Number) });
  expect(Math.abs(Number(ours?.['difference']))).toBeLessThan(0.06);
  expect(Number(ours?.['srm_p_value'])).toBeGreaterThan(0.001);
});

test('a shadow is compared over the labels that judge both, and says how often it agrees', async () => {
  const random = seeded(4);
  const { champion, arm } = await staged.stage('shaded', 100, 'shadow');
  const said = say(ids(1, 500), 0.7, random);
  // It is wrong where the champion is, but for a tenth.
  const better = said.map((one) => ({ ...one, score: one.id % 5 === 0 ? (one.truth ? 0.9 : 0.1) : one.score }));
  await staged.score(champion, 3, said);
  await staged.score(arm, 3, better.slice(0, 400));
  await staged.label('shaded', 3, said);
  const found = (await staged.results('shaded'))['2 accuracy'];
  const shared = said.slice(0, 400).map((one, n) => [one.score >= 0.5, (better[n]?.score ?? 0) >= 0.5] as const);
  expect(found).toMatchObject({ n: 400, entities: 400, srm_p_value: null });
  expect(found?.['agreement']).toBeCloseTo(mean(shared.map(([a, b]) => Number(a === b))), 12);
});

test('labels with a longer key than the experiment splits by are put together by entity, and no winner is named where that cannot be', async () => {
  const random = seeded(5);
  const split = await staged.stage('visited', 50);
  const arms = await staged.inArm('visited', 1000);
  const said = { true: say(ids(1, 1000), 0.95, random), false: say(ids(1, 1000), 0.6, random) };
  const ofArm = said.true.filter(({ id }) => arms.has(id));
  const ofChampion = said.false.filter(({ id }) => !arms.has(id));
  await staged.score(split.arm, 3, ofArm);
  await staged.score(split.champion, 3, ofChampion);
  await staged.label('visited', 3, [...ofArm, ...ofChampion]);
  expect((await staged.results('visited'))['2 accuracy']).toMatchObject({ verdict: 'better', entities: ofArm.length });
  const judgeBy = async (columns: string): Promise<Result | undefined> => {
    await superuser.query('update pgscore_data.monitor set key_columns = $2 where model_id = $1', [
      split.champion.modelId,
      columns,
    ]);
    await superuser.query('delete from pgscore_data.experiment_judgement');
    await superuser.query('select pgscore_data._judge_experiment(false) from generate_series(1, 10)');
    const { rows } = await superuser.query<Result>(
      `select *, n::int, entities::int from pgscore_bi.experiment_results
        where model_name = 'visited' and model_version = 2 and metric = 'accuracy'`,
    );
    return rows[0];
  };
  const longer = `update pgscore_data.evaluation set key = array['of ' || key[1], (key[1]::int / 3 * 3)::text] where model_id = $1`;
  await superuser.query(longer, [split.champion.modelId]);
  await ada.query(`select pgscore.stop_experiment('visited')`);
  const inBoth = new Set(
    ofArm.filter(({ id }) => arms.has(Math.floor(id / 3) * 3)).map(({ id }) => Math.floor(id / 3)),
  );
  expect(await judgeBy('{visit,id}')).toMatchObject({
    entities: inBoth.size,
    verdict: expect.not.stringMatching('not_judged'),
  });
  expect(await judgeBy('{visit,other}')).toMatchObject({
    verdict: 'not_judged',
    reason: 'labels go by visit, other, and the experiment splits by id: which of them are of one entity is not known',
    srm_p_value: null,
    always_valid_low: null,
    p_value: null,
  });
});

/** Stops an experiment as of three days ago. */
async function stopBefore(name: string): Promise<void> {
  await ada.query('select pgscore.stop_experiment($1)', [name]);
  await superuser.query(
    `update pgscore_data.experiment set stopped_at = stopped_at - interval '3 days'
      where model_id = (select model_id from pgscore_data.model where name = $1)`,
    [name],
  );
}

test('a prediction is judged until the other version scores its entity after the stop, and late labels of the others count', async () => {
  const random = seeded(6);
  const { champion, arm } = await staged.stage('renewed', 50);
  const arms = await staged.inArm('renewed', 1600);
  const first: Said[] = [];
  for (const isArm of [true, false]) {
    const ofArm = ids(1, 1600).filter((id) => arms.has(id) === isArm);
    const said = say(ofArm, isArm ? 0.95 : 0.75, random);
    await staged.score(isArm ? arm : champion, 5, said);
    first.push(...said);
  }
  await staged.label(
    'renewed',
    5,
    first.filter(({ id }) => id <= 1200),
  );
  await stopBefore('renewed');
  const again = say(ids(1, 1400), 0.8, random);
  await staged.score(champion, 2, again);
  await staged.label('renewed', 2, again);
  // Labels of entities that nothing scored again.
  const late = first.filter(({ id }) => id > 1400);
  await staged.label('renewed', 1, late);

  const counted = first.filter(({ id }) => id <= 1200 || id > 1400);
  const found = await staged.results('renewed');
  for (const isArm of [true, false]) {
    const ours = counted.filter(({ id }) => arms.has(id) === isArm);
    const row = found[isArm ? '2 accuracy' : '1 accuracy'];
    expect(row).toMatchObject({ n: ours.length, entities: ours.length });
    expect(row?.['value']).toBeCloseTo(mean(ours.map(({ score, truth }) => Number(score >= 0.5 === truth))), 12);
    const loss = mean(ours.map(({ score, truth }) => -Math.log(truth ? score : 1 - score)));
    expect(found[isArm ? '2 log_loss' : '1 log_loss']?.['value']).toBeCloseTo(loss, 6);
  }
  expect(found['2 accuracy']).toMatchObject({ verdict: 'better' });
  expect(Number(found['2 accuracy']?.['srm_p_value'])).toBeGreaterThan(0.001);
});

test('a label counts for neither version once only the champion scored its entity after the stop of a shadow', async () => {
  const random = seeded(7);
  const { champion, arm } = await staged.stage('unshaded', 100, 'shadow');
  const said = say(ids(1, 500), 0.8, random);
  await staged.score(champion, 5, said);
  await staged.score(arm, 5, said);
  await staged.label('unshaded', 5, said);
  await stopBefore('unshaded');
  const again = say(ids(1, 200), 0.8, random);
  await staged.score(champion, 2, again);
  await staged.label('unshaded', 2, again);
  const found = await staged.results('unshaded');
  expect([found['2 accuracy']?.['n'], found['1 accuracy']?.['n']]).toEqual([300, 300]);
});
