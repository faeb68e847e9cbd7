import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addCalls } from './add-calls.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada] = await Promise.all([database.client(), database.client('ada')]);

const DAYS = `select n_predictions::int, n_labeled::int, n_awaiting::int, n_superseded::int, label_coverage, is_mature, accuracy
  from pgscore_bi.binary_performance_daily where model_name = $1 order by window_start`;

test('rows that are scored again for the same time change no number of truth', async () => {
  const model = await addMonitoredModel(superuser, 'again', 'binary');
  const rows = [1, 2, 3, 4].map((id) => ({ id, at: '2026-03-02 12:00+00', score: 0.75, label: 'yes' }));
  await addRun(superuser, model, rows);
  const label = `select pgscore.record_label('again', n::text, 'yes', '2026-03-03 12:00+00') from generate_series(1, 3) n`;
  await superuser.query(label);
  await superuser.query('select pgscore.refresh()');
  const counted = { n_predictions: 4, n_labeled: 3, n_awaiting: 1, n_superseded: 0 };
  const truth = { label_coverage: 0.75, is_mature: false, accuracy: 1 };
  expect((await superuser.query(DAYS, ['again'])).rows).toEqual([{ ...counted, ...truth }]);
  for (const n of [1, 2, 3]) {
    const other = rows.map((row) => ({ ...row, score: 0.25, label: 'no' }));
    await addRun(superuser, model, other);
    await superuser.query('select pgscore.refresh()');
    const again = { ...counted, n_predictions: 4 + 4 * n, n_superseded: 4 * n };
    expect((await superuser.query(DAYS, ['again'])).rows).toEqual([{ ...again, ...truth }]);
  }
  await ada.query(`select pgscore.monitor('again', pairing => 'all')`);
  const all = { n_predictions: 16, n_labeled: 3, n_awaiting: 1, n_superseded: 12 };
  expect((await superuser.query(DAYS, ['again'])).rows).toEqual([{ ...all, ...truth }]);
});

test.each(['one target', 'two targets'])(
  'of runs into %s that one refresh counts, the last stands',
  async (targets) => {
    const name = targets.replace(' ', '_');
    const model = await addMonitoredModel(superuser, name, 'binary');
    const other = targets === 'one target' ? model : await addMonitoredModel(superuser, `other_${name}`, 'binary');
    const rows = [1, 2].map((id) => ({ id, at: '2026-03-02 12:00+00', score: 0.75, label: 'yes' }));
    await addRun(superuser, model, rows);
    await superuser.query('select pgscore.refresh()');
    const differing = rows.map((row) => ({ ...row, score: 0.25, label: 'no' }));
    await addRun(superuser, model, rows);
    await addRun(superuser, { ...model, targetId: other.targetId }, differing);
    await addRun(superuser, model, rows);
    await superuser.query(`select pgscore.record_label($1, n::text, 'yes') from generate_series(1, 2) n`, [name]);
    await superuser.query('select pgscore.refresh()');
    const counted = { n_predictions: 8, n_labeled: 2, n_awaiting: 0, n_superseded: 6 };
    expect((await superuser.query(DAYS, [name])).rows).toEqual([
      { ...counted, label_coverage: 1, is_mature: true, accuracy: 1 },
    ]);
  },
);

test('predictions that a later one took over from are superseded once label_delay has passed, and awaiting before', async () => {
  const model = await addMonitoredModel(superuser, 'nightly', 'binary');
  const night = (at: string) =>
    addRun(
      superuser,
      model,
      [1, 2, 3, 4].map((id) => ({ id, at, score: 0.75, label: 'yes' })),
    );
  for (const day of [1, 2, 3]) await night(`2026-03-0${day} 02:00+00`);
  await superuser.query(`select pgscore.record_label('nightly', '1', 'yes', '2026-03-01 14:00+00')`);
  await superuser.query('select pgscore.refresh()');
  const superseded = {
    n_predictions: 4,
    n_labeled: 0,
    n_awaiting: 0,
    n_superseded: 4,
    label_coverage: null,
    is_mature: false,
    accuracy: null,
  };
  expect((await superuser.query(DAYS, ['nightly'])).rows).toEqual([
    { n_predictions: 4, n_labeled: 1, n_awaiting: 0, n_superseded: 3, label_coverage: 1, is_mature: true, accuracy: 1 },
    superseded,
    { ...superseded, n_awaiting: 4, n_superseded: 0, label_coverage: 0 },
  ]);
  const reason = `select undefined_reason as reason from pgscore_bi.binary_performance_daily where model_name = 'nightly' order by window_start`;
  expect((await superuser.query(reason)).rows).toEqual([
    { reason: 'one_class' },
    { reason: 'superseded' },
    { reason: 'no_labels' },
  ]);
  await ada.query(`select pgscore.monitor('nightly', label_delay => '100 years')`);
  const waiting = `select n_awaiting::int as n from pgscore_bi.label_coverage_daily where model_name = 'nightly' order by window_start`;
  expect((await superuser.query(waiting)).rows).toEqual([{ n: 3 }, { n: 4 }, { n: 4 }]);
});

test('a run that says again what the run before a call said is judged, though one refresh takes the call and the run', async () => {
  const model = await addMonitoredModel(superuser, 'asked', 'binary');
  const row = { id: 1, at: '2026-03-02 12:00+00', score: 0.75, label: 'yes' };
  await addRun(superuser, model, [row]);
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query<{ now: string }>('select clock_timestamp()::text as now');
  await addCalls(superuser, model, [{ ...row, at: rows[0]?.now ?? '', score: 0.25, label: 'no' }]);
  const meant = `update pgscore_data.online_block set event_times = array[$2::timestamptz] where version_id = $1`;
  await superuser.query(meant, [model.versionId, row.at]);
  await addRun(superuser, model, [row]);
  await superuser.query(`select pgscore.record_label('asked', '1', 'yes')`);
  await superuser.query('select pgscore.refresh()');
  const judged = `select score, run is not null as by_run from pgscore_bi.prediction_detail where model_name = 'asked'`;
  expect((await superuser.query(judged)).rows).toEqual([{ score: 0.75, by_run: true }]);
});
