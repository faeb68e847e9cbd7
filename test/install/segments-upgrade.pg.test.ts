import { expect, test } from '@jest/globals';

import { asOwner } from '../../src/install/as-owner.ts';
import { migrationFiles } from '../../src/install/migrations.ts';
import { ensureRoles } from '../../src/install/roles.ts';
import { ensureSchemas } from '../../src/install/schemas.ts';
import { emptyDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';

const database = await emptyDatabase();
const superuser = await database.client();
const SEGMENTS = '0015_segments';

const OF_BEFORE = `
  insert into pgscore_data.model (name, created_by) values ('old', 'ada');
  insert into pgscore_data.monitor (model_id) values (1);
  insert into pgscore_data.version (model_id, number, sha256, size_bytes, deployed_by) values (1, 1, '', 1, 'ada');
  insert into pgscore_data.target (owner, view_schema, view_name, task, key_columns, class_labels) values ('alice', 'alice', 'scores', 'binary', '[]', '{no,yes}');
  create table pgscore_predictions.target_1 (generation int not null, id int not null, score double precision, run_id bigint not null) partition by list (generation);
  create table pgscore_predictions.target_1_g0 partition of pgscore_predictions.target_1 for values in (0);
  create table pgscore_predictions.target_1_g7 partition of pgscore_predictions.target_1 for values in (7);
  insert into pgscore_predictions.target_1 values (0, 1, 0.1, 1), (7, 2, 0.2, 2);
  insert into pgscore_data.cell_volume values (1, '2026-03-01', 10, 1);
  insert into pgscore_data.cell_outcome values (1, '2026-03-01', 0, 1, 0, 9, 2.5, 3.5);
  insert into pgscore_data.cell_rank values (1, '2026-03-01', 2, 9);
  insert into pgscore_data.cell_regression values (1, '2026-03-01', 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9);
  insert into pgscore_data.evaluation (model_id, key, version_id, run_id, day, event_time, known_at, age_band) values (1, '{1}', 1, 1, '2026-03-01', '2026-03-01', '2026-03-02', 0)`;

async function read(table: string): Promise<unknown[]> {
  const rows = `select to_jsonb(t) as row from ${table} t order by 1`;
  return (await superuser.query<{ row: unknown }>(rows)).rows.map(({ row }) => row);
}

test('what was counted before there were segments is of all predictions, and predictions from then are in none', async () => {
  await ensureRoles(superuser);
  await ensureSchemas(superuser);
  const files = await migrationFiles();
  const tables = ['cell_volume', 'cell_outcome', 'cell_rank', 'cell_regression'].map((cell) => `pgscore_data.${cell}`);
  const segments = files.find(({ name }) => name === SEGMENTS);
  expect(segments).toBeDefined();
  const before: unknown[][] = [];
  await asOwner(superuser, async () => {
    await superuser.query(
      'create table pgscore_data.migration (name text); create table pgscore_data.migration_lock (id text)',
    );
    for (const { text } of files.filter(({ name }) => name < SEGMENTS)) await superuser.query(text);
    await superuser.query(OF_BEFORE);
    for (const table of tables) before.push(await read(table));
    await superuser.query('begin');
    await superuser.query(
      `update pgscore_data.target set key_columns = '[{"name": "id"}, {"name": "pgscore_segments"}]'`,
    );
    expect(await refusal(superuser, segments?.text ?? '')).toMatchObject({
      message:
        'target "alice"."scores" of alice is keyed by "pgscore_segments", a column of every prediction from now on, and must be dropped before',
      hint: expect.stringContaining(`select pgscore.drop_target('scores', 'alice');`),
    });
    await superuser.query('rollback');
    await superuser.query(segments?.text ?? '');
  });
  for (const [index, table] of tables.entries()) {
    const was = before[index]?.map((row) => expect.objectContaining({ ...(row as object), segment_id: 0 }));
    expect([table, await read(table)]).toEqual([table, was]);
  }
  expect(await read('pgscore_predictions.target_1')).toEqual([
    { generation: 0, id: 1, score: 0.1, run_id: 1, pgscore_segments: null },
    { generation: 7, id: 2, score: 0.2, run_id: 2, pgscore_segments: null },
  ]);
  expect(await read('pgscore_data.evaluation')).toMatchObject([{ key: ['1'], segments: null }]);
  expect(await read('pgscore_data.monitor')).toMatchObject([{ model_id: 1, segments: [] }]);
});
