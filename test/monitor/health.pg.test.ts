import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun, addVersion } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

/** Forty predictions in January, half of them right, and three on the first of February, all wrong. */
test('the health of a model is that of the newest month that says something, not of a few rows at the turn of a month', async () => {
  const model = await addMonitoredModel(superuser, 'turn', 'binary');
  const at = (id: number): string => (id <= 40 ? '2026-01-20T10:00:00Z' : '2026-02-01T00:30:00Z');
  const ids = Array.from({ length: 43 }, (_, index) => index + 1);
  await addRun(
    superuser,
    model,
    ids.map((id) => ({ id, at: at(id), score: 0.9, label: 'yes' })),
  );
  await superuser.query(
    `select pgscore.record_label('turn', id::text, case when id <= 20 then 'yes' else 'no' end, '2026-02-02 00:00+00') from generate_series(1, 43) id`,
  );
  await superuser.query('select pgscore.refresh()');
  const { rows } = await superuser.query(
    `select latest_window::text as month, value, value_before, change from pgscore_bi.current_model_health where model_name = 'turn'`,
  );
  expect(rows).toEqual([{ month: '2026-01-01', value: 0.5, value_before: null, change: null }]);
});

test('the health of a version says how it compares with the one before it, over the days of both', async () => {
  const first = await addMonitoredModel(superuser, 'two', 'binary');
  const second = await addVersion(superuser, first, 2);
  const ids = Array.from({ length: 40 }, (_, index) => index + 1);
  for (const [model, yes] of [
    [first, 20],
    [second, 30],
  ] as const) {
    const rows = ids.map((id) => ({ id, at: '2026-01-20T10:00:00Z', score: 0.9, label: id <= yes ? 'yes' : 'no' }));
    await addRun(superuser, model, rows);
  }
  await superuser.query(
    `select pgscore.record_label('two', id::text, 'yes', '2026-02-02 00:00+00') from generate_series(1, 40) id`,
  );
  await superuser.query('select pgscore.refresh()');
  await superuser.query('select pgscore_data._compare_versions(false)');
  const { rows } = await superuser.query(
    `select model_version::int as version, value, previous_version::int as before, change_from_previous_version as change
       from pgscore_bi.current_model_health where model_name = 'two' order by 1`,
  );
  expect(rows).toEqual([
    { version: 1, value: 0.5, before: null, change: null },
    { version: 2, value: 0.75, before: 1, change: 0.25 },
  ]);
});
