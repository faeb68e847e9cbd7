import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const { rows: routines } = await superuser.query<{ name: string; kind: string; arguments: string }>(
  `select p.oid::regprocedure::text as name, p.prokind as kind,
          p.oid::regproc || '(' || (select string_agg(n || ' => null::' || replace(format_type(p.proargtypes[i - 1], null), 'anyelement', 'pgscore.models'), ', ' order by i)
             from unnest(p.proargnames[1:p.pronargs]) with ordinality as a (n, i)) || ')' as arguments
     from pg_proc p where p.pronamespace = 'pgscore'::regnamespace and p.proname !~ '^_' order by 1`,
);

test.each(routines)('$name can be called with every argument named', async ({ kind, arguments: call }) => {
  const text =
    kind === 'p' ? `do $$ begin if false then call ${call}; end if; end $$` : `prepare named as select ${call}`;
  await superuser.query(text);
  if (kind !== 'p') await superuser.query('deallocate named');
});

test('no function takes an argument without a name', async () => {
  const { rows } = await superuser.query(
    `select p.oid::regprocedure::text as name from pg_proc p
      where p.pronamespace = 'pgscore'::regnamespace and p.pronargs > 0
        and coalesce('' = any (p.proargnames), true)`,
  );
  expect(rows).toEqual([]);
});
