import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await superuser.query('drop extension if exists dblink; create extension dblink schema public');
await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

test('where dblink stands in an open schema, score() keeps from it, and works as soon as it is moved', async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  const call = `select score('sum', '{"a": 1, "b": 2}') as score`;
  expect((await alice.query(call)).rows).toEqual([{ score: 21 }]);
  await alice.query('set pgscore.execution = online');
  const refused = await refusal(alice, call);
  expect(refused).toMatchObject({
    code: '0A000',
    hint: expect.stringContaining('alter extension dblink set schema pgscore_dblink'),
  });
  expect((await alice.query('select public.dblink_get_connections() as names')).rows).toEqual([{ names: null }]);
  await superuser.query('alter extension dblink set schema pgscore_dblink');
  expect((await alice.query(call)).rows).toEqual([{ score: 21 }]);
});
