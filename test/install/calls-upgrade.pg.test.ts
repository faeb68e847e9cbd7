import { expect, test } from '@jest/globals';

import { asOwner } from '../../src/install/as-owner.ts';
import { migrationFiles } from '../../src/install/migrations.ts';
import { ensureRoles } from '../../src/install/roles.ts';
import { ensureSchemas } from '../../src/install/schemas.ts';
import { emptyDatabase } from '../support/database.ts';

const database = await emptyDatabase();
const superuser = await database.client();
const HISTORY = '0024_online_history';

/** Three models: with labels, with a run of which nothing is labelled, and with neither. */
const OF_BEFORE = `
  insert into pgscore_data.model (name, created_by) values ('labelled', 'ada'), ('run', 'ada'), ('asked', 'ada');
  insert into pgscore_data.monitor (model_id) values (1), (2), (3);
  insert into pgscore_data.version (model_id, number, sha256, size_bytes, deployed_by) select n, 1, '', 1, 'ada' from generate_series(1, 3) n;
  insert into pgscore_data.target (owner, view_schema, view_name, task, key_columns, class_labels) values ('alice', 'alice', 'scores', 'binary', '[{"name": "shop"}, {"name": "day"}]', '{no,yes}');
  insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, plan, rls, state)
  select 'alice', n, 1, 'alice', 'source', 'ctid', '{}', 'error', 'done' from generate_series(1, 2) n;
  insert into pgscore_data.label_source (model_id, set_by, source_schema, source_name, label_column, key_columns) values (1, 'alice', 'alice', 'truth', 'y', '{customer}');
  insert into pgscore_data.online_prediction (version_id, requested_by, asked_at, duration_ms, score) values (3, 'alice', now(), 1, 0.5)`;

/** Calls as gateways of before and of now write them. */
const BLOCKS_AND_CALLS = [1000, 1, 2, 1]
  .map((n) =>
    n > 1
      ? `insert into pgscore_data.online_block (version_id, requested_by, asked_at, duration_ms, n_predictions, scores)
         values (3, 'alice', now(), 1, ${n}, array_fill(0.5::float8, array[${n}]))`
      : `insert into pgscore_data.online_prediction (version_id, requested_by, asked_at, duration_ms, score) values (3, 'alice', now(), 1, 0.5)`,
  )
  .join(';');

test('the key of calls is that of labels or runs from before, and calls from before have none', async () => {
  await ensureRoles(superuser);
  await ensureSchemas(superuser);
  const files = await migrationFiles();
  await asOwner(superuser, async () => {
    await superuser.query(
      'create table pgscore_data.migration (name text); create table pgscore_data.migration_lock (id text)',
    );
    for (const { text } of files.filter(({ name }) => name < HISTORY)) await superuser.query(text);
    await superuser.query(OF_BEFORE);
    await superuser.query(files.find(({ name }) => name === HISTORY)?.text ?? '');
  });
  const keys = 'select key_columns::text[] as columns from pgscore_data.monitor order by model_id';
  expect((await superuser.query(keys)).rows.map(({ columns }) => columns)).toEqual([
    ['customer'],
    ['shop', 'day'],
    null,
  ]);
  expect((await superuser.query('select score, key from pgscore_data.online_prediction')).rows).toEqual([
    { score: 0.5, key: null },
  ]);
});

test('numbers of predictions go on behind those from before, with room for those of a block', async () => {
  const files = await migrationFiles();
  await asOwner(superuser, async () => {
    for (const { text } of files.filter(({ name }) => name > HISTORY)) await superuser.query(text);
    await superuser.query(BLOCKS_AND_CALLS);
  });
  const numbers = `select prediction_id::int as first, 1 as n from pgscore_data.online_prediction
    union all select prediction_id::int, n_predictions from pgscore_data.online_block order by first`;
  expect((await superuser.query(numbers)).rows).toEqual([
    { first: 1, n: 1 },
    { first: 1001, n: 1000 },
    { first: 2001, n: 1 },
    { first: 3001, n: 2 },
    { first: 4001, n: 1 },
  ]);
});
