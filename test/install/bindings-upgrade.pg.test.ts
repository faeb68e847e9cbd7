import { expect, test } from '@jest/globals';

import { asOwner } from '../../src/install/as-owner.ts';
import { migrationFiles } from '../../src/install/migrations.ts';
import { ensureRoles } from '../../src/install/roles.ts';
import { ensureSchemas } from '../../src/install/schemas.ts';
import { emptyDatabase } from '../support/database.ts';

const database = await emptyDatabase();
const superuser = await database.client();
const FOLLOWED = '0033_followed_bindings';

/** Bound by name: a table, one that was renamed since beside another of its old name, and one that is gone. */
const OF_BEFORE = `
  create view pgscore.bindings as select m.name as model, b.relation_schema, b.relation_name, b.bound_by, b.bound_at from pgscore_data.binding b join pgscore_data.model m using (model_id);
  insert into pgscore_data.model (name, created_by) values ('sum', 'ada');
  create function pgscore_models.sum(sources.kept) returns float8 language sql as 'select 1::float8';
  create function pgscore_models.sum(sources.renamed) returns float8 language sql as 'select 1::float8';
  insert into pgscore_data.binding (model_id, relation_schema, relation_name, bound_by)
  values (1, 'sources', 'kept', 'bob'), (1, 'sources', 'early', 'bob'), (1, 'sources', 'gone', 'bob')`;

test('tables that were bound by name are bound wherever they are, renamed ones too', async () => {
  await ensureRoles(superuser);
  await ensureSchemas(superuser);
  await superuser.query(`create schema sources; grant usage on schema sources to pgscore_owner;
    create table sources.kept (a real); create table sources.renamed (a real); create table sources.early (a real);
    alter table sources.renamed owner to alice`);
  const files = await migrationFiles();
  await asOwner(superuser, async () => {
    await superuser.query(
      'create table pgscore_data.migration (name text); create table pgscore_data.migration_lock (id text)',
    );
    for (const { text } of files.filter(({ name }) => name < FOLLOWED)) await superuser.query(text);
    await superuser.query(OF_BEFORE);
    await superuser.query(files.find(({ name }) => name === FOLLOWED)?.text ?? '');
  });
  await superuser.query('alter table sources.kept rename to moved');
  const { rows } = await superuser.query(
    'select model, relation_name, bound_by from pgscore.bindings order by relation_name',
  );
  expect(rows).toEqual([
    { model: 'sum', relation_name: 'moved', bound_by: 'bob' },
    { model: 'sum', relation_name: 'renamed', bound_by: 'alice' },
  ]);
});
