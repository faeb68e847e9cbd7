import { beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const [superuser, alice, bob] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client('bob'),
]);

beforeAll(async () => {
  await addReadyModel(superuser, 'single');
  for (const client of [alice, bob]) {
    await client.query('create table source (id int primary key, x real)');
    await client.query(`select pgscore.schedule('nightly', '@daily', 'single', 'source')`);
  }
});

const states = async (client: Client): Promise<unknown> =>
  (await client.query('select owner, state from pgscore.schedules order by owner')).rows;

test('two roles have a schedule of one name, and each means her own', async () => {
  await alice.query(`select pgscore.pause_schedule('nightly')`);
  expect([await states(alice), await states(bob)]).toEqual([
    [{ owner: 'alice', state: 'paused' }],
    [{ owner: 'bob', state: 'active' }],
  ]);
});

test("another role's is named after it, by whoever has its rights", async () => {
  expect(await refusal(alice, `select pgscore.pause_schedule('bob.nightly')`)).toMatchObject({ code: '42704' });
  expect(await refusal(superuser, `select pgscore.pause_schedule('nightly')`)).toMatchObject({ code: '42704' });
  await superuser.query(`select pgscore.pause_schedule('bob.nightly')`);
  expect(await states(bob)).toEqual([{ owner: 'bob', state: 'paused' }]);
  await superuser.query(`select pgscore.unschedule('alice.nightly')`);
  expect(await states(alice)).toEqual([]);
});
