import { expect, test } from '@jest/globals';

import { compareLabels } from '../../src/monitor/compare-labels.ts';
import { seeded } from '../monitor/intervals/draws.ts';
import { refusal } from '../support/refusal.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { ids, say, stagedExperiments, type Staged } from './staged-experiments.ts';

const { database, superuser, ada, staged } = await stagedExperiments();
const analyst = await database.client();
await analyst.query('set role pgscore_analyst');
const service = await database.client({ user: 'pgscore_service', password: SERVICE_PASSWORD });
const readerUrl = database.url({ user: 'pgscore_reader', password: READER_PASSWORD });

const GATE = 'not_worse_accuracy';

/** A model in an experiment, whose results analysts may read. */
async function stage(name: string): Promise<Staged> {
  const versions = await staged.stage(name, 50);
  await ada.query(`select pgscore.grant_model($1, 'pgscore_analyst')`, [name]);
  return versions;
}

/** A model whose second version is surely better, by the arms of an experiment. */
async function begin(name: string): Promise<Staged> {
  const versions = await stage(name);
  await staged.scoreSplit(name, versions, 2000, 0.95);
  await staged.setGate(name, 'accuracy', 0.05);
  expect((await staged.checkGates(`${name}@2`))[GATE]).toMatchObject({ passed: true });
  expect(await result(name)).toMatchObject({ verdict: 'better' });
  expect(await betterVersion(name)).toBe(2);
  return versions;
}

/** What an analyst reads now, without a refresh. */
async function result(name: string): Promise<unknown> {
  const text = `select verdict, reason from pgscore_bi.experiment_results
    where model_name = $1 and model_version = 2 and metric = 'accuracy'`;
  return (await analyst.query(text, [name])).rows[0];
}

async function betterVersion(name: string): Promise<number | null | undefined> {
  const text = 'select better_version::int as better from pgscore_bi.model_verdict where model_name = $1';
  return (await analyst.query<{ better: number | null }>(text, [name])).rows[0]?.better;
}

async function setLabels(name: string, source: string): Promise<void> {
  const text = `select pgscore.set_labels($1, $2, label => 'label', key => 'id', known_at => 'known')`;
  await superuser.query(text, [name, source]);
}

/** Has the labels of a model read, after those of others whose turn it is. */
async function read(name: string): Promise<unknown> {
  const compared = await compareLabels(service, readerUrl);
  if (compared === undefined) throw new Error(`the labels of ${name} are not to be read`);
  return compared.model === name ? compared : await read(name);
}

async function source(name: string): Promise<unknown> {
  const text = 'select compared_at, error, is_settled from pgscore.label_sources where model = $1';
  return (await ada.query(text, [name])).rows[0];
}

test('results are shown to analysts to whom the model is granted, and to no others', async () => {
  await begin('granted');
  const count = async (): Promise<{ results: number; days: number }> =>
    (
      await analyst.query(
        `select (select count(*) from pgscore_bi.experiment_results where model_name = 'granted')::int as results,
                (select count(*) from pgscore_bi.experiment_results_daily where model_name = 'granted')::int as days`,
      )
    ).rows[0];
  const shown = await count();
  expect(shown.results).toBeGreaterThan(0);
  expect(shown.days).toBeGreaterThan(0);
  await ada.query(`select pgscore.revoke_model('granted', 'pgscore_analyst')`);
  expect(await count()).toEqual({ results: 0, days: 0 });
});

test('no version is promoted by labels that were withdrawn, and labels recorded since count', async () => {
  const versions = await begin('withdrawn');
  await ada.query(`select pgscore.unset_labels('withdrawn')`);
  const refused = `select pgscore.promote('withdrawn@2')`;
  const withdrawn = {
    passed: false,
    needs: 'labels that judge both versions',
    reason: expect.stringMatching(/, by the arms of experiment .*; its labels were withdrawn since$/),
  };
  // Nothing compares again what waits to be withdrawn.
  while ((await superuser.query(`select pgscore_data._compare_versions(false) as more`)).rows[0].more);
  expect((await staged.checkGates('withdrawn@2'))[GATE]).toMatchObject(withdrawn);
  expect(await result('withdrawn')).toEqual({ verdict: 'too_early', reason: 'its labels were withdrawn since' });
  expect(await betterVersion('withdrawn')).toBeNull();
  await ada.query(`select pgscore.stop_experiment('withdrawn')`);
  expect(await refusal(ada, refused)).toMatchObject({ code: '55000' });

  await superuser.query('select pgscore.refresh()');
  expect((await staged.checkGates('withdrawn@2'))[GATE]).toMatchObject({ passed: false });
  expect(await result('withdrawn')).toEqual({
    verdict: 'too_early',
    reason: 'no label judges its predictions yet',
  });
  expect(await refusal(ada, refused)).toMatchObject({ code: '55000' });

  const said = say(ids(3001, 4000), 0.9, seeded(3));
  for (const version of [versions.champion, versions.arm]) await staged.score(version, 30, said);
  await staged.label('withdrawn', 30, said);
  await superuser.query('select pgscore.refresh()');
  expect((await staged.checkGates('withdrawn@2'))[GATE]).toMatchObject({
    passed: true,
    reason: expect.stringContaining('by labels that judge both'),
  });
});

test('labels that were set anew count as such until their source was read without an error', async () => {
  await begin('unreadable');
  await superuser.query(
    `create table divided (id bigint, label text, known timestamptz, divisor int);
     create view unreadable_truth as
       select id, case when 1 / divisor > 0 then label end as label, known from divided;
     insert into divided values (1, 'yes', now(), 0)`,
  );
  await setLabels('unreadable', 'unreadable_truth');
  expect(await read('unreadable')).toMatchObject({ error: expect.anything() });
  await superuser.query('select pgscore.refresh()');
  expect(await source('unreadable')).toEqual({ compared_at: null, error: 'division by zero', is_settled: false });
  const needs = 'labels that can be read: pgscore.label_sources has the error';
  expect((await staged.checkGates('unreadable@2'))[GATE]).toMatchObject({ passed: false, needs });
  expect(await result('unreadable')).toEqual({ verdict: 'too_early', reason: 'labels were set anew since' });
  expect(await betterVersion('unreadable')).toBeNull();

  // The same truth in a source that can be read changes nothing.
  await superuser.query(
    `truncate divided;
     insert into divided select r.key[1]::bigint, r.label, r.known_at, 1 from pgscore_data.recorded_label r
       join pgscore_data.model m using (model_id) where m.name = 'unreadable';
     update pgscore_data.label_source set compare_after = now()`,
  );
  expect(await read('unreadable')).not.toHaveProperty('error');
  await superuser.query('select pgscore.refresh()');
  expect((await staged.checkGates('unreadable@2'))[GATE]).toMatchObject({ passed: true, needs: null });
  expect(await result('unreadable')).toMatchObject({ verdict: 'better' });
});

test('recorded labels beside a source that cannot be read are not said to be judged soon', async () => {
  const versions = await stage('never_read');
  await superuser.query(
    `create view never_read_truth as
       select n::bigint as id, case when 1 / (n - 1) > 0 then 'yes' end as label, now() as known from generate_series(1, 9) n`,
  );
  await setLabels('never_read', 'never_read_truth');
  await read('never_read');
  await staged.scoreSplit('never_read', versions, 1000, 0.9);
  expect(await result('never_read')).toEqual({
    verdict: 'too_early',
    reason: 'its labels are not judged, as their source cannot be read: pgscore.label_sources has the error',
  });
});

test('labels with another truth are said to be set anew until arms and versions were judged by them', async () => {
  await begin('turned');
  await superuser.query(
    `create table turned_truth as
       select r.key[1]::bigint as id, case r.label when 'yes' then 'no' else 'yes' end as label, r.known_at as known
         from pgscore_data.recorded_label r join pgscore_data.model m using (model_id) where m.name = 'turned'`,
  );
  await setLabels('turned', 'turned_truth');
  const steps = ['select 1', 'read', 'select pgscore_data._refresh()', 'select pgscore_data._compute_metrics(1000)'];
  for (const step of steps) {
    await (step === 'read' ? read('turned') : superuser.query(step));
    expect([step, await result('turned'), await betterVersion('turned'), await source('turned')]).toMatchObject([
      step,
      { verdict: 'too_early', reason: 'labels were set anew since' },
      null,
      { is_settled: false },
    ]);
    expect((await staged.checkGates('turned@2'))[GATE]).toMatchObject({ passed: false });
  }
  await superuser.query('select pgscore.refresh()');
  expect(await result('turned')).toMatchObject({ verdict: 'worse' });
  expect(await source('turned')).toMatchObject({ is_settled: true });
});
