import { afterEach, expect, test } from '@jest/globals';

import { seeded } from '../monitor/intervals/draws.ts';
import { ids, say, stagedExperiments, type Staged } from './staged-experiments.ts';

const { superuser, ada, staged } = await stagedExperiments();
const models = new Map<string, Staged>();
for (const name of ['bad', 'good']) {
  const versions = await staged.stage(name, 50);
  const random = seeded(7);
  const said = say(ids(1, 600), 0.8, random);
  for (const version of [versions.champion, versions.arm]) await staged.score(version, 3, said);
  await staged.label(name, 3, said);
  models.set(name, versions);
}

const BROKEN = ['compared_metric', 'experiment_result'];

/** Until the test ends nothing can be stored about the arm of a model. */
async function breakArm(model: string): Promise<void> {
  for (const table of BROKEN) {
    const arm = models.get(model)?.arm.versionId;
    const forbid = `alter table pgscore_data.${table} add constraint broken check (version_id <> ${arm}) not valid`;
    await superuser.query(forbid);
  }
}
async function mend(): Promise<void> {
  for (const table of BROKEN) {
    const allow = `alter table pgscore_data.${table} drop constraint if exists broken`;
    await superuser.query(allow);
  }
}
afterEach(mend);

async function anHourLater(): Promise<void> {
  await superuser.query(
    `update pgscore_data.compared_pair set compared_at = compared_at - interval '2 hours' where error is not null`,
  );
  await superuser.query(`update pgscore_data.experiment_judgement set judged_at = judged_at - interval '2 days'`);
  await ada.query('select pgscore.refresh()');
}

async function found(model: string): Promise<unknown> {
  const { rows } = await superuser.query(
    `select c.undefined_reason, r.verdict = 'not_judged' as failed, r.last_date is not null as judged, r.reason
       from pgscore_bi.experiment_results r join pgscore_bi.version_comparison c using (model_name, model_version, metric)
      where model_name = $1 and metric = 'accuracy' and c.compared_with = 'champion' and not c.is_replayed and not r.is_champion`,
    [model],
  );
  return rows[0];
}

const JUDGED = { undefined_reason: null, failed: false, judged: true };

test('versions and experiments that fail hold up no others, say so, and are tried again an hour later', async () => {
  await breakArm('bad');
  await ada.query('select pgscore.refresh()');
  expect(await found('good')).toMatchObject(JUDGED);
  const failed = {
    undefined_reason: 'not_compared',
    failed: true,
    judged: false,
    reason: 'it could not be judged and is tried again within an hour: the log of the server says why',
  };
  expect(await found('bad')).toEqual(failed);
  await mend();
  await ada.query('select pgscore.refresh()');
  expect(await found('bad')).toEqual(failed);
  await anHourLater();
  expect(await found('bad')).toMatchObject(JUDGED);
});

test('no gate goes by an experiment that was judged before and cannot be now', async () => {
  await staged.setGate('good', 'accuracy', 0.2);
  expect((await staged.checkGates('good@2'))['not_worse_accuracy']).toMatchObject({ passed: true });
  await breakArm('good');
  await anHourLater();
  expect((await staged.checkGates('good@2'))['not_worse_accuracy']).toMatchObject({
    passed: false,
    reason: expect.stringContaining('it could not be judged'),
  });
});
