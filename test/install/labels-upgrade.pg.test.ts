import { expect, test } from '@jest/globals';

import { asOwner } from '../../src/install/as-owner.ts';
import { migrationFiles } from '../../src/install/migrations.ts';
import { ensureRoles } from '../../src/install/roles.ts';
import { ensureSchemas } from '../../src/install/schemas.ts';
import { emptyDatabase } from '../support/database.ts';

const database = await emptyDatabase();
const superuser = await database.client();
const JUDGED = '0025_judged_labels';

/** A label that judges the predictions of two versions, a second one of the same entity that judges none, and one of another entity. */
const OF_BEFORE = `
  insert into pgscore_data.ground_truth (model_id, key, known_at, label, source_id, revision, received_at) values
    (1, '{1}', '2026-03-02', 'yes', 7, 3, '2026-03-03'), (1, '{1}', '2026-03-01', 'no', 7, 1, '2026-03-03'), (1, '{2,b}', '2026-03-02', 'no', null, 1, '2026-03-04');
  insert into pgscore_data.evaluation (model_id, key, version_id, run_id, day, event_time, known_at, age_band, actual_class, score, segments) values
    (1, '{1}', 1, 11, '2026-03-01', '2026-03-01 12:00', '2026-03-02', 0, 1, 0.25, '{5}'), (1, '{1}', 2, 12, '2026-03-01', '2026-03-01 13:00', '2026-03-02', 0, 1, 0.5, null);
  create view public.of_an_analyst as select event_time, score from pgscore_data.evaluation where version_id = 1`;

test('an upgrade keeps every label and every pair, and what was built on them', async () => {
  await ensureRoles(superuser);
  await ensureSchemas(superuser);
  const files = await migrationFiles();
  await asOwner(superuser, async () => {
    await superuser.query(
      'create table pgscore_data.migration (name text); create table pgscore_data.migration_lock (id text)',
    );
    for (const { text } of files.filter(({ name }) => name < JUDGED)) await superuser.query(text);
  });
  await superuser.query(OF_BEFORE);
  await asOwner(superuser, async () => {
    for (const { text } of files.filter(({ name }) => name >= JUDGED)) await superuser.query(text);
  });
  const { rows } = await superuser.query<{ row: unknown }>(
    `select to_jsonb(e) - 'known_at' - 'received_at' - 'day' - 'event_time' as row from pgscore_data.evaluation e order by key, known_at, run_id`,
  );
  const none = { version_id: null, run_id: null, age_band: null, actual_class: null, score: null, segments: null };
  expect(rows.map(({ row }) => row)).toMatchObject([
    { key: ['1'], label: 'no', source_id: 7, revision: 1, ...none, is_recent: false },
    {
      key: ['1'],
      label: 'yes',
      source_id: 7,
      revision: 3,
      version_id: 1,
      run_id: 11,
      age_band: 0,
      actual_class: 1,
      score: 0.25,
      segments: [5],
    },
    {
      key: ['1'],
      label: 'yes',
      source_id: 7,
      revision: 3,
      version_id: 2,
      run_id: 12,
      age_band: 0,
      actual_class: 1,
      score: 0.5,
      segments: null,
    },
    { key: ['2', 'b'], label: 'no', source_id: null, revision: 1, ...none },
  ]);
  expect((await superuser.query('select score from public.of_an_analyst')).rows).toEqual([{ score: 0.25 }]);
});
