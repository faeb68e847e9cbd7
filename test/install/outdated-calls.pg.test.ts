import { expect, test } from '@jest/globals';

import { migrate } from '../../src/install/migrate.ts';
import { cloneDatabase } from '../support/database.ts';

const database = await cloneDatabase();
const superuser = await database.client();

async function outdated(): Promise<unknown[]> {
  const text = `select p.proname from pg_proc p
     where p.pronamespace = 'pgscore_models'::regnamespace and p.proname in ('_score', '_score_row') and p.proargtypes[0] = 'pgscore_models._routing'::regtype`;
  return (await superuser.query(text)).rows;
}

test('what score() went by before is dropped, and for rows of a schema that was closed meanwhile once it is open', async () => {
  await superuser.query(`create schema closed; create table closed.t (a real); grant usage on schema closed to pgscore_owner;
    create function pgscore_models._score(route pgscore_models._routing, model name, features closed.t) returns double precision language sql as 'select 1::float8';
    create function pgscore_models._score_row(route pgscore_models._routing, model text, features anyelement, shape bigint) returns double precision language sql as 'select 1::float8';
    alter function pgscore_models._score(pgscore_models._routing, name, closed.t) owner to pgscore_owner;
    alter function pgscore_models._score_row(pgscore_models._routing, text, anyelement, bigint) owner to pgscore_owner;
    revoke usage on schema closed from pgscore_owner`);
  await migrate({ url: database.url() });
  expect(await outdated()).toEqual([{ proname: '_score' }]);
  await superuser.query('grant usage on schema closed to pgscore_owner');
  await migrate({ url: database.url() });
  expect(await outdated()).toEqual([]);
});
