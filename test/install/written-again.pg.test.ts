import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';

const database = await cloneDatabase();

/** Bodies that PostgreSQL keeps as it has read them, and writes anew for pg_dump. */
const PARSED = `
  select 'function ' || p.oid::regprocedure as object, pg_get_functiondef(p.oid) as definition
    from pg_proc p where p.pronamespace::regnamespace::text like 'pgscore%' and p.prosqlbody is not null
  union all
  select 'view ' || c.oid::regclass, format('create or replace view %s as %s', c.oid::regclass, pg_get_viewdef(c.oid))
    from pg_class c where c.relnamespace::regnamespace::text like 'pgscore%' and c.relkind = 'v'`;

test('what a dump has of functions and views can be read', async () => {
  const superuser = await database.client();
  const { rows } = await superuser.query<{ object: string; definition: string }>(PARSED);
  expect(rows.length).toBeGreaterThan(100);
  const unread: string[] = [];
  await superuser.query('begin');
  for (const { object, definition } of rows) {
    await superuser.query('savepoint before');
    const problem = await superuser.query(definition).then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (problem !== undefined) unread.push(`${object}: ${problem}`);
    await superuser.query(problem === undefined ? 'release before' : 'rollback to before');
  }
  expect(unread).toEqual([]);
  await superuser.query('rollback');
});
