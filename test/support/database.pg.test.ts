import { expect, test } from '@jest/globals';

import { cloneDatabase, emptyDatabase } from './database.ts';
import { ORDINARY_ROLES } from './ordinary-roles.ts';

const database = await cloneDatabase();
const bare = await emptyDatabase();

test.each(ORDINARY_ROLES)('%s is an ordinary login with a schema of her own', async (role) => {
  const client = await database.client(role);
  const { rows } = await client.query(`
    select
      current_user as role,
      current_schema() as schema,
      rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication as privileged
    from pg_roles
    where rolname = current_user
  `);
  expect(rows).toEqual([{ role, schema: role, privileged: false }]);
});

test('every file has databases of its own', async () => {
  expect(database.name).not.toBe(bare.name);
  const client = await bare.client();
  const { rows } = await client.query("select count(*)::int as n from pg_namespace where nspname = 'alice'");
  expect(rows).toEqual([{ n: 0 }]);
});
