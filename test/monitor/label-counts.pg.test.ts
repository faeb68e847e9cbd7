import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

const COUNTS = `select n_unmatched::int as unmatched, n_before::int as before, n_too_old::int as too_old, late_share, is_often_late
  from pgscore.label_sources where model = 'counted'`;

test('label_sources says which labels judge nothing, and how many came late', async () => {
  const model = await addMonitoredModel(superuser, 'counted', 'binary');
  const create = `create table truths (id int, known_at timestamptz, truth text, primary key (id, known_at))`;
  await alice.query(create);
  await alice.query(
    `select pgscore.set_labels('counted', 'truths', label => 'truth', key => 'id', known_at => 'known_at')`,
  );
  const { rows } = await superuser.query<{ at: string }>(`select (now() - interval '10 days')::text as at`);
  const at = rows[0]?.at ?? '';
  await addRun(
    superuser,
    model,
    [1, 2, 3].map((id) => ({ id, at, score: 0.75, label: 'yes' })),
  );
  await alice.query(
    `insert into truths values
       -- Judges, on time; judges, five days late; overruled by the one after it.
       (1, now(), 'yes'), (2, now() - interval '5 days', 'yes'), (2, now() - interval '6 days', 'no'),
       -- Known before its prediction's time; of nobody who was predicted.
       (3, now() - interval '11 days', 'yes'), (9, now(), 'yes')`,
  );
  await superuser.query('select pgscore.refresh()');
  expect((await alice.query(COUNTS)).rows).toEqual([
    { unmatched: 1, before: 1, too_old: 0, late_share: 0.6, is_often_late: true },
  ]);
});
