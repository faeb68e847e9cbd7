import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
const [superuser, ada, mallory] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('mallory'),
]);
const model = weightedModel({ a: 'float32' });

async function whyNotNative(version: string): Promise<unknown> {
  const text = `select not_native from pgscore.models where model || '@' || version = $1`;
  return (await superuser.query<{ not_native: string | null }>(text, [version])).rows[0]?.not_native;
}

test('a version that was deployed with native => false, or checked by a service that compiles none, has no function to be read', async () => {
  const service = await startTestService(database);
  expect(await whyNotNative(await deployBytes(ada, 'open', model))).toBeNull();
  expect(await whyNotNative(await deployBytes(ada, 'closed', model, { native: false }))).toBe(
    'it was deployed with native => false',
  );
  await service.stop();
  await startTestService(database, { PGSCORE_NATIVE: 'off' });
  expect(await whyNotNative(await deployBytes(ada, 'off', model))).toMatch(/PGSCORE_NATIVE=off/);
  const names = `select v.name from (select m.name, v.version_id from pgscore_data.version v join pgscore_data.model m using (model_id)) v
    where exists (select from pg_proc p where p.proname = '_v' || v.version_id and p.pronamespace = 'pgscore_models'::regnamespace)`;
  expect((await superuser.query(names)).rows).toEqual([{ name: 'open' }]);
});

test('who revokes a model that is compiled is told that it can still be read', async () => {
  const told: (string | undefined)[] = [];
  ada.on('notice', ({ message }) => told.push(message));
  for (const name of ['open', 'closed']) await ada.query(`select pgscore.revoke_model($1, 'pgscore_user')`, [name]);
  expect(told).toEqual(['whoever may connect can still read model "open", as the source of its compiled functions']);
  const source = `select from pg_proc p where p.pronamespace = (select oid from pg_namespace where nspname = 'pgscore_models') and p.proname ~ '^_v[0-9]+$'`;
  expect((await mallory.query(source)).rowCount).toBe(1);
});
