import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

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
