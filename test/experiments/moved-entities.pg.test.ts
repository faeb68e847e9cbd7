import { expect, test } from '@jest/globals';

import { addVersion } from '../monitor/monitored-model.ts';
import { seeded } from '../monitor/intervals/draws.ts';
import { ids, say, stagedExperiments, type Said } from './staged-experiments.ts';

const { superuser, ada, staged } = await stagedExperiments();

const COMPARED = `select n_a::int as n, undefined_reason, verdict from pgscore_bi.version_comparison
  where model_name = $1 and metric = 'accuracy' and compared_with = 'champion' and not is_replayed`;

const opposite = (said: readonly Said[]): Said[] => said.map((one) => ({ ...one, truth: !one.truth }));

const REPLAYED = COMPARED.replace('not is_replayed', 'is_replayed');

/** The newest run becomes a replay, which is compared with a version. */
async function replayNewest(other: number): Promise<void> {
  await superuser.query(
    `with newest as (
       update pgscore_data.run set is_replay = true, publish = false, counted = true, kept = true, segments = null, finished_at = now()
        where run_id = (select max(run_id) from pgscore_data.run) returning run_id
     )
     insert into pgscore_data.replay (run_id, other_id) select run_id, $1 from newest`,
    [other],
  );
}

/** The newest run becomes what a split made of the rows of an arm. */
async function splitNewest(name: string): Promise<void> {
  await superuser.query(
    `update pgscore_data.run r set arm_of = r.run_id,
       experiment_id = (select max(e.experiment_id) from pgscore_data.experiment e join pgscore_data.model m using (model_id) where m.name = $1)
      where r.run_id = (select max(run_id) from pgscore_data.run)`,
    [name],
  );
}

test('a label that judges an entity by what it was before a split moved it compares no versions', async () => {
  const { champion, arm } = await staged.stage('moved', 100);
  const said = say(ids(1, 400), 0.9, seeded(1));
  // What the champion said of the entities was true then. Now the opposite is, which the arm was asked about alone.
  await staged.score(
    champion,
    6,
    opposite(said).map((one) => ({ ...one, score: 1 - one.score })),
  );
  await staged.score(arm, 3, said);
  await splitNewest('moved');
  await staged.label('moved', 3, said);
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query(COMPARED, ['moved']);
  expect(rows).toEqual([{ n: 0, undefined_reason: 'no_common_labels', verdict: 'insufficient_data' }]);
  await ada.query(`select pgscore.monitor('moved', segments => '{region}')`);
  await ada.query(`select pgscore.set_gate('moved', 'no_segment_worse', metric => 'accuracy', margin => 0.1)`);
  await superuser.query('select pgscore.refresh()');
  expect((await staged.checkGates('moved@2'))['no_segment_worse_accuracy']).toMatchObject({ passed: false });
});

test('what an arm says of entities in runs of its own is compared with what the champion says of them in a split', async () => {
  const { champion, arm } = await staged.stage('both', 10);
  const said = say(ids(1, 400), 0.9, seeded(2));
  await staged.score(champion, 3, said);
  await staged.score(arm, 3, said);
  await staged.label('both', 3, said);
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query(COMPARED, ['both']);
  expect(rows).toEqual([{ n: 400, undefined_reason: null, verdict: 'no_difference' }]);
});

test('a replay is not compared with what the champion said of an entity before a split moved it', async () => {
  const { champion, arm } = await staged.stage('again', 50);
  const said = say(ids(1, 400), 0.9, seeded(3));
  const moved = said.slice(0, 200);
  await staged.score(champion, 6, said);
  await staged.score(arm, 3, moved);
  await splitNewest('again');
  await staged.score(champion, 3, said.slice(200));
  await staged.score(arm, 3, said);
  await replayNewest(champion.versionId);
  await staged.label('again', 3, said);
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query(REPLAYED, ['again']);
  expect(rows).toEqual([{ n: 200, undefined_reason: null, verdict: 'no_difference' }]);
});

test.each(['latest_before_label', 'within'])(
  'a third version is compared with what the champion said of an entity before a split moved it, by labels of that time alone: %s',
  async (pairing) => {
    const name = `third_${pairing}`;
    const { champion, arm } = await staged.stage(name, 50);
    await ada.query(`select pgscore.monitor($1, pairing => $2, horizon => $3)`, [
      name,
      pairing,
      pairing === 'within' ? '30 days' : null,
    ]);
    const third = await addVersion(superuser, champion, 3);
    const said = say(ids(1, 400), 0.9, seeded(4));
    const moved = said.slice(0, 200);
    await staged.score(champion, 6, said);
    await staged.score(arm, 3, moved);
    await splitNewest(name);
    await staged.score(third, 6, said);
    await staged.label(name, 3, said);
    await superuser.query('select pgscore.refresh()');
    const { rows } = await superuser.query(COMPARED.replace('and metric', 'and model_version = 3 and metric'), [name]);
    expect(rows).toEqual([{ n: pairing === 'within' ? 400 : 200, undefined_reason: null, verdict: 'no_difference' }]);
  },
);
