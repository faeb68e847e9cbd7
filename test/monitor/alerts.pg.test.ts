import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { at, evaluate, live, putDay, told, type Day } from './alert-days.ts';
import { addMonitoredModel, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

/** A binary classifier with one rule more: accuracy below 0.8, or as the settings say. */
async function watched(name: string, settings = ''): Promise<MonitoredModel> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  const set = `select pgscore.set_alert('${name}', 'low', 'accuracy', threshold => 0.8${settings})`;
  await alice.query(set);
  return model;
}

const accuracies = (...values: number[]): Day[] => values.map((accuracy) => ({ accuracy }));

async function state(model: string, alert = 'low'): Promise<string | undefined> {
  const { rows } = await superuser.query<{ state: string }>(
    'select state from pgscore_bi.alerts where model_name = $1 and alert = $2',
    [model, alert],
  );
  return rows[0]?.state;
}

describe('a threshold', () => {
  test('raises once where the value oscillates about it, and clears where it is well on the good side', async () => {
    const model = await watched('oscillating');
    await live(superuser, model, accuracies(0.9, 0.78, 0.82, 0.78, 0.82, 0.78, 0.83, 0.85, 0.82, 0.81));
    expect(await told(superuser, 'oscillating', 'low')).toEqual([
      { event: 'firing', day: 1, value: 0.78 },
      { event: 'resolved', day: 7, value: 0.85 },
    ]);
    expect(await state('oscillating')).toBe('ok');
  });

  test('with clear_at clears once the value is beyond it on the good side', async () => {
    const model = await watched('clearing', ', clear_at => 0.9');
    await alice.query(
      `select pgscore.set_alert('clearing', 'failing', 'failed_share', threshold => 0.2, clear_at => 0.1)`,
    );
    await live(superuser, model, [
      { accuracy: 0.7, failed: 5000 },
      { accuracy: 0.85, failed: 2000 },
      { accuracy: 0.95, failed: 500 },
    ]);
    const share = expect.any(Number);
    expect(await told(superuser, 'clearing', 'low')).toEqual([
      { event: 'firing', day: 0, value: 0.7 },
      { event: 'resolved', day: 2, value: 0.95 },
    ]);
    expect(await told(superuser, 'clearing', 'failing')).toEqual([
      { event: 'firing', day: 0, value: share },
      { event: 'resolved', day: 2, value: share },
    ]);
  });

  test('says nothing where the interval reaches beyond it', async () => {
    const model = await watched('uncertain');
    await live(superuser, model, [
      { accuracy: 0.75, n: 100 },
      { accuracy: 0.75, n: 100 },
    ]);
    expect(await told(superuser, 'uncertain', 'low')).toEqual([]);
    expect(await state('uncertain')).toBe('ok');
  });

  test.each<[string, Day]>([
    ['too few labels', { accuracy: 0, n: 28 }],
    ['too few of a class', { accuracy: 0, n: 1000, positives: 9 }],
    ['no label', { accuracy: null }],
  ])('says nothing of a window with %s', async (name, day) => {
    const model = name.replaceAll(' ', '_');
    await live(superuser, await watched(model), [day, day, day]);
    expect(await told(superuser, model, 'low')).toEqual([]);
    expect(await state(model)).toBe('insufficient_data');
  });

  test('says nothing of a window whose labels are not all there', async () => {
    const model = await watched('immature');
    await putDay(superuser, model, 0, { accuracy: 0.1 });
    await superuser.query(
      `insert into pgscore_data.cell_open (version_id, segment_id, day, closes_at, n)
       select version_id, segment_id, day, 'infinity', 20000 from pgscore_data.cell_volume where version_id = $1`,
      [model.versionId],
    );
    await evaluate(superuser, at(1, 6));
    expect(await state('immature')).toBe('insufficient_data');
  });
});

test('two of three windows: one breach is pending, windows that cannot be judged do not count', async () => {
  const model = await watched('patient', ', for_windows => 2, of_windows => 3');
  await live(superuser, model, [...accuracies(0.9, 0.5), { accuracy: null }]);
  expect(await state('patient')).toBe('pending');
  await live(superuser, model, [...accuracies(0.9, 0.5), { accuracy: null }, ...accuracies(0.9, 0.5)]);
  expect(await told(superuser, 'patient', 'low')).toEqual([{ event: 'firing', day: 4, value: 0.5 }]);
});

test('keep_firing_for holds an alert until windows without a breach span so long', async () => {
  const model = await watched('kept', `, keep_firing_for => '3 days'`);
  await live(superuser, model, accuracies(0.9, 0.5, 0.9, 0.9, 0.5, 0.9, 0.9, 0.9));
  expect(await told(superuser, 'kept', 'low')).toEqual([
    { event: 'firing', day: 1, value: 0.5 },
    { event: 'resolved', day: 7, value: 0.9 },
  ]);
});

test('a late label that turns an old window bad raises nothing, and one that turns a new window does', async () => {
  const model = await watched('late');
  const days = accuracies(...Array.from({ length: 70 }, () => 0.9));
  for (const [day, put] of days.entries()) await putDay(superuser, model, day, put);
  await evaluate(superuser, at(70, 6));
  await putDay(superuser, model, 3, { accuracy: 0.1 });
  await evaluate(superuser, at(70, 7));
  const beyond = `select is_breach from pgscore_bi.model_metric where model_name = 'late' and grain = 'day' and metric = 'accuracy' and window_date = '2026-03-04'`;
  expect([await told(superuser, 'late', 'low'), (await superuser.query(beyond)).rows]).toEqual([
    [],
    [{ is_breach: false }],
  ]);
  await putDay(superuser, model, 69, { accuracy: 0.1 });
  await evaluate(superuser, at(70, 8));
  expect(await told(superuser, 'late', 'low')).toEqual([{ event: 'firing', day: 69, value: 0.1 }]);
});

test('labels that need no time, and windows of a month, are looked at long enough', async () => {
  const model = await addMonitoredModel(superuser, 'prompt', 'binary');
  await superuser.query(`select pgscore.monitor('prompt', label_maturity => '0')`);
  await live(superuser, model, accuracies(0.9));
  await alice.query(`select pgscore.set_alert('prompt', 'low', 'accuracy', threshold => 0.8)`);
  await live(superuser, model, accuracies(0.9, 0.5));
  await alice.query(`select pgscore.set_alert('prompt', 'month', 'accuracy', threshold => 0.8, grain => 'month')`);
  await evaluate(superuser, at(31, 6));
  await evaluate(superuser, at(60, 6));
  expect(await told(superuser, 'prompt', 'low')).toMatchObject([{ event: 'firing', day: 1 }]);
  expect(await told(superuser, 'prompt', 'month')).toMatchObject([{ event: 'firing', day: 0, value: 0.7 }]);
});

test('windows from before an alert cleared do not count again when they grow old', async () => {
  const model = await watched('cleared', ', for_windows => 2, of_windows => 3');
  await superuser.query(`select pgscore.monitor('cleared', label_maturity => '0')`);
  const unknown = Array.from({ length: 10 }, () => ({ accuracy: null }));
  await live(superuser, model, [...accuracies(0.9, 0.5, 0.5, 0.95, 0.5), ...unknown]);
  expect(await told(superuser, 'cleared', 'low')).toMatchObject([
    { event: 'firing', day: 2 },
    { event: 'resolved', day: 3 },
  ]);
});

test('an event keeps its value, whatever labels say later', async () => {
  const model = await watched('corrected');
  await live(superuser, model, accuracies(0.9, 0.5));
  await putDay(superuser, model, 1, { accuracy: 0.95 });
  await evaluate(superuser, at(2, 7));
  expect(await told(superuser, 'corrected', 'low')).toEqual([
    { event: 'firing', day: 1, value: 0.5 },
    { event: 'resolved', day: 1, value: 0.95 },
  ]);
});

test('without a threshold, it is three standard deviations from earlier windows, from the eighth on', async () => {
  const model = await addMonitoredModel(superuser, 'usual', 'binary');
  await live(superuser, model, accuracies(0.9, 0.91, 0.89, 0.9, 0.5, 0.91, 0.89, 0.9, 0.89, 0.85, 0.91));
  expect(await told(superuser, 'usual', 'accuracy_drop')).toEqual([]);
  const calm = await addMonitoredModel(superuser, 'calm', 'binary');
  await live(superuser, calm, accuracies(0.9, 0.91, 0.89, 0.9, 0.91, 0.89, 0.9, 0.89, 0.85, 0.91));
  expect(await told(superuser, 'calm', 'accuracy_drop')).toEqual([
    { event: 'firing', day: 8, value: 0.85 },
    { event: 'resolved', day: 9, value: 0.91 },
  ]);
});

test('every model is watched from the start: failed rows and a volume that breaks down', async () => {
  const model = await addMonitoredModel(superuser, 'young', 'binary');
  const days: Day[] = Array.from({ length: 10 }, () => ({ accuracy: null }));
  await live(superuser, model, [
    ...days,
    { accuracy: null, n: 9000, failed: 1000 },
    { accuracy: null, n: 300 },
    { accuracy: null },
  ]);
  expect(await told(superuser, 'young', 'failed_rows')).toEqual([
    { event: 'firing', day: 10, value: 0.1 },
    { event: 'resolved', day: 11, value: 0 },
  ]);
  await evaluate(superuser, at(14, 6));
  expect(await told(superuser, 'young', 'volume')).toEqual([
    { event: 'firing', day: 11, value: 300 },
    { event: 'resolved', day: 12, value: 10_000 },
  ]);
});

test('so is one of several values a row, whose volume has no view of its accuracy', async () => {
  const model = await addMonitoredModel(superuser, 'several', 'regression');
  await superuser.query(`update pgscore_data.execution set task = 'multi_target' where version_id = $1`, [
    model.versionId,
  ]);
  const days: Day[] = Array.from({ length: 10 }, () => ({ accuracy: null }));
  await live(superuser, model, [...days, { accuracy: null, n: 300 }, { accuracy: null }]);
  await evaluate(superuser, at(13, 6));
  expect(await told(superuser, 'several', 'volume')).toEqual([
    { event: 'firing', day: 10, value: 300 },
    { event: 'resolved', day: 11, value: 10_000 },
  ]);
  const { rows } = await superuser.query(
    `select grain, sum(n)::int as n from pgscore_bi.model_metric where model_name = 'several' and metric = 'n_predictions' group by 1 order by 1`,
  );
  expect(rows).toEqual(['day', 'month', 'week'].map((grain) => ({ grain, n: 110_300 })));
});

test('what preview_monitor() says of the past is what was said in time', async () => {
  const model = await watched('twice', ', for_windows => 2, of_windows => 3');
  const days = accuracies(0.9, 0.7, 0.95, 0.7, 0.81, 0.7, 0.9, 0.9, 0.7, 0.7, 0.82, 0.95, 0.2, 0.1, 0.9, 0.6, 0.9, 0.9);
  await live(superuser, model, days);
  await putDay(superuser, model, days.length, { accuracy: null });
  await evaluate(superuser, at(days.length + 2, 6));
  const { rows } = await alice.query(
    `select alert, event, window_date - date '2026-03-01' as day, value from pgscore.preview_monitor('twice', to_time => $1) where event is not null order by window_start, alert`,
    [at(days.length + 2, 6)],
  );
  const said = await superuser.query(
    `select alert, event, window_date - date '2026-03-01' as day, value from pgscore_bi.alert_history where model_name = 'twice' and event <> 'reminder' order by window_start, alert`,
  );
  expect(rows.length).toBeGreaterThan(4);
  expect(said.rows).toEqual(rows);
  const states = await alice.query(
    `select p.alert, p.window_start, p.state, p.is_breach from pgscore.preview_monitor('twice', to_time => $1) p order by 1, 2`,
    [at(days.length + 2, 6)],
  );
  const kept = await superuser.query(
    `select w.rule as alert, w.window_start, w.state, w.is_breach from pgscore_data.alert_window w where w.model_id = $1 order by 1, 2`,
    [model.modelId],
  );
  expect(kept.rows).toEqual(states.rows);
});

test('a rule about months without a threshold learns what is usual, whichever days it is looked at', async () => {
  const model = await addMonitoredModel(superuser, 'monthly', 'binary');
  await alice.query(`select pgscore.set_alert('monthly', 'low', 'accuracy', grain => 'month')`);
  for (let day = -330; day < 0; day += 1) {
    if (new Date(at(day)).getUTCDate() <= 28) continue;
    await putDay(superuser, model, day, { accuracy: 0.9, n: 200 });
    await evaluate(superuser, at(day, 30));
  }
  expect(await state('monthly')).toBe('ok');
});

test('a raised alert reminds after a day, and after another', async () => {
  const model = await watched('stubborn');
  await live(superuser, model, accuracies(0.9, 0.5));
  for (const hours of [12, 23, 31, 40, 56]) await evaluate(superuser, at(2, hours));
  const { rows } = await superuser.query(
    `select event, value from pgscore_bi.alert_history where model_name = 'stubborn' and alert = 'low' order by event_id`,
  );
  expect(rows).toEqual([
    { event: 'firing', value: 0.5 },
    { event: 'reminder', value: 0.5 },
    { event: 'reminder', value: 0.5 },
  ]);
});
