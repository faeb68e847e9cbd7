import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);

const HOUR_MS = 3_600_000;
const ago = (hours: number): string => new Date(Date.now() - hours * HOUR_MS).toISOString();
const LABEL = `select pgscore.record_label($1, n::text, $2, $3) from generate_series(1, 2) n`;

/** Runs of three entities, so many hours ago, as if they had been made then. */
async function scored(name: string, ...hours: number[]): Promise<MonitoredModel> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  for (const at of hours) {
    const run = await addRun(
      superuser,
      model,
      [1, 2, 3].map((id) => ({ id, at: ago(at), score: 0.75, label: 'yes' })),
    );
    await superuser.query('update pgscore_data.run set snapshot_at = $2 where run_id = $1', [run, ago(at)]);
  }
  return model;
}

const counts = async (name: string): Promise<unknown[]> =>
  (
    await superuser.query(
      `select n_labeled::int as labeled, n_awaiting::int as awaiting, accuracy from pgscore_bi.binary_performance_daily where model_name = $1 order by window_start`,
      [name],
    )
  ).rows;

const kept = async ({ versionId }: MonitoredModel): Promise<unknown> =>
  (
    await superuser.query<{ n: number }>(
      'select count(*)::int as n from pgscore_data.kept_prediction where version_id = $1',
      [versionId],
    )
  ).rows[0]?.n;

test('days older than keep are sealed: corrections, withdrawals, rebuilds and late labels leave them', async () => {
  const model = await scored('sealed', 500, 250, 2);
  await superuser.query(LABEL, ['sealed', 'yes', ago(499)]);
  await superuser.query('select pgscore.refresh()');
  await ada.query(`select pgscore.monitor('sealed', keep => '15 days')`);
  await superuser.query('select pgscore_data._delete_predictions()');
  expect(await kept(model)).toBe(6);
  const before = await counts('sealed');
  expect(before[0]).toEqual({ labeled: 2, awaiting: 0, accuracy: 1 });
  await superuser.query(LABEL, ['sealed', 'no', ago(499)]);
  await superuser.query('select pgscore.refresh()');
  expect(await counts('sealed')).toEqual(before);
  await superuser.query(LABEL, ['sealed', null, ago(499)]);
  await superuser.query(`select pgscore.record_label('sealed', '3', 'no', $1)`, [ago(498)]);
  await superuser.query('select pgscore.refresh()');
  await ada.query(`select pgscore.rebuild('sealed')`);
  expect(await counts('sealed')).toEqual(before);
  // The days that are not sealed still take labels.
  await superuser.query(LABEL, ['sealed', 'no', ago(249)]);
  await superuser.query('select pgscore.refresh()');
  expect((await counts('sealed'))[1]).toEqual({ labeled: 2, awaiting: 1, accuracy: 0 });
});

test('a history that is scored in hindsight is kept from when it was made', async () => {
  const model = await addMonitoredModel(superuser, 'history', 'binary');
  await addRun(superuser, model, [{ id: 1, at: '2013-03-01 12:00+00', score: 0.75, label: 'yes' }]);
  await superuser.query('select pgscore.refresh()');
  await superuser.query('select pgscore_data._delete_predictions()');
  await superuser.query(`select pgscore.record_label('history', '1', 'yes', '2013-03-02')`);
  await superuser.query('select pgscore.refresh()');
  expect(await counts('history')).toEqual([{ labeled: 1, awaiting: 0, accuracy: 1 }]);
});

test('superseded predictions go when no label within late can be for them, but for those that a label judges', async () => {
  const model = await scored('late', 600, 500, 250, 2);
  await superuser.query(`select pgscore.record_label('late', '1', 'yes', $1)`, [ago(599)]);
  await superuser.query('select pgscore.refresh()');
  await ada.query(`select pgscore.monitor('late', late => '12 days')`);
  await superuser.query('select pgscore_data._delete_predictions()');
  // Of 600 hours ago the one that is labelled. A label known 280 hours ago is for those of 500 hours ago.
  expect(await kept(model)).toBe(10);
  const before = await counts('late');
  await ada.query(`select pgscore.rebuild('late')`);
  expect(await counts('late')).toEqual(before);
  await superuser.query(`select pgscore.record_label('late', '2', 'yes', $1)`, [ago(280)]);
  await superuser.query('select pgscore.refresh()');
  expect(await counts('late')).toMatchObject([{ labeled: 1 }, { labeled: 1 }, { labeled: 0 }, { labeled: 0 }]);
  await expect(ada.query(`select pgscore.monitor('late', pairing => 'all')`)).rejects.toMatchObject({ code: '55000' });
});

test('where labels have no known_at, the newest prediction of each entity is kept, and those that a label judges', async () => {
  const model = await scored('undated', 600, 500, 250, 40, 30);
  await alice.query(`create table undated_truth (id int primary key, truth text)`);
  await alice.query(`select pgscore.set_labels('undated', 'undated_truth', label => 'truth')`);
  await alice.query(`insert into undated_truth values (2, 'yes')`);
  await superuser.query('select pgscore.refresh()');
  const before = await counts('undated');
  expect(before.at(-1)).toEqual({ labeled: 1, awaiting: 2, accuracy: 1 });
  await superuser.query('select pgscore_data._delete_predictions()');
  expect(await kept(model)).toBe(3);
  await ada.query(`select pgscore.rebuild('undated')`);
  expect(await counts('undated')).toEqual(before);
  await alice.query(`insert into undated_truth values (1, 'no')`);
  await superuser.query('select pgscore.refresh()');
  expect((await counts('undated')).at(-1)).toEqual({ labeled: 2, awaiting: 1, accuracy: 0.5 });
});

test('of a pairing that earlier labels judge by, one that is overruled is neither known too early nor too old', async () => {
  await scored('overruled', 240);
  await alice.query(`create table overruled_truth (id int, known_at timestamptz, truth text, primary key (id, known_at));
    select pgscore.set_labels('overruled', 'overruled_truth', label => 'truth', key => 'id', known_at => 'known_at')`);
  await alice.query(`insert into overruled_truth values (1, $1, 'no'), (1, $2, 'yes')`, [ago(288), ago(264)]);
  await superuser.query(
    `update pgscore_data.label_source set compared_at = now() where source_name = 'overruled_truth'`,
  );
  const counted = async (change: string): Promise<unknown> => {
    await superuser.query(change);
    await superuser.query('select pgscore.refresh()');
    const counts = `select n_before::int as before, n_too_old::int as too_old from pgscore.label_sources where model = 'overruled'`;
    return (await alice.query(counts)).rows[0];
  };
  expect(await counted('select')).toEqual({ before: 2, too_old: 0 });
  expect(await counted(`select pgscore.monitor('overruled', pairing => 'all')`)).toEqual({ before: 0, too_old: 0 });
  const seal = `update pgscore_data.monitor set sealed_before = now() - interval '270 hours' from pgscore_data.model m
    where m.model_id = monitor.model_id and m.name = 'overruled'`;
  expect(await counted(seal)).toEqual({ before: 0, too_old: 0 });
});

test('a model that an open transaction holds is left to the next time, and others are not', async () => {
  const [held, free] = [await scored('held', 500, 2), await scored('free', 500, 2)];
  await superuser.query('select pgscore.refresh()');
  for (const name of ['held', 'free'])
    await ada.query(`select pgscore.monitor($1, keep => '15 days', late => '1 day')`, [name]);
  const keeper = await database.client();
  // As set_alert() does.
  await keeper.query('begin');
  await keeper.query('select from pgscore_data.monitor where model_id = $1 for no key update', [held.modelId]);
  await superuser.query('select pgscore_data._delete_predictions()');
  expect([await kept(held), await kept(free)]).toEqual([6, 3]);
  await keeper.query('rollback');
  await superuser.query('select pgscore_data._delete_predictions()');
  expect(await kept(held)).toBe(3);
});

test('an unreasonable time is refused', async () => {
  await scored('odd', 2);
  await expect(ada.query(`select pgscore.monitor('odd', keep => '1 hour')`)).rejects.toMatchObject({ code: '22023' });
  await expect(ada.query(`select pgscore.monitor('odd', pairing => 'within')`)).rejects.toMatchObject({
    code: '22023',
    message: expect.stringContaining('horizon'),
  });
  await expect(ada.query(`select pgscore.monitor('odd', keep => '10000 years')`)).rejects.toMatchObject({
    code: '22023',
  });
});
