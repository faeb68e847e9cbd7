import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { at, live, type Day } from './alert-days.ts';
import { addMonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

test.each<[name: string, alert: string, day: Day, said: string]>([
  ['few_labels', 'low', { accuracy: 0, n: 28 }, 'was 0 on 2026-03-01; the day has 28 labels, and counts from 30 on.'],
  [
    'few_of_a_class',
    'low',
    { accuracy: 0.7, n: 1000, positives: 9 },
    'was 0.7 on 2026-03-01; the day has 9 labels of a class, and counts from 10 on.',
  ],
  ['late_labels', 'low', { accuracy: 0.1 }, 'was 0.1 on 2026-03-01; too many labels of the day are still to come.'],
  ['no_labels', 'low', { accuracy: null }, 'has no value on 2026-03-01.'],
  [
    'no_threshold',
    'accuracy_drop',
    { accuracy: 0.9 },
    'was 0.9 on 2026-03-01; what is usual is known after seven windows that count.',
  ],
])('the sentence of an alert that no window can raise says why: %s', async (name, alert, day, said) => {
  const model = await addMonitoredModel(superuser, name, 'binary');
  await alice.query(`select pgscore.set_alert($1, 'low', 'accuracy', threshold => 0.8)`, [name]);
  if (name === 'late_labels')
    await superuser.query(
      `insert into pgscore_data.cell_open (version_id, segment_id, day, closes_at, n) values ($1, 0, $2, 'infinity', 20000)`,
      [model.versionId, at(0)],
    );
  await live(superuser, model, [day]);
  const read = 'select message from pgscore.alerts where model = $1 and alert = $2';
  const { rows } = await alice.query<{ message: string }>(read, [name, alert]);
  expect(rows[0]?.message).toBe(`${alert} of ${name}@1 has insufficient data: accuracy ${said}`);
});
