import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const [superuser, ada, alice, bob] = await Promise.all([
  database.client(),
  database.client('ada'),
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
  expect(await refusal(superuser, `select pgscore.pause_schedule('nightly')`)).toMatchObject({
    code: '42725',
    message: 'schedule "nightly" could be any of 2',
    detail: 'alice.nightly, bob.nightly',
  });
  await superuser.query(`select pgscore.pause_schedule('bob.nightly')`);
  expect(await states(bob)).toEqual([{ owner: 'bob', state: 'paused' }]);
  await superuser.query(`select pgscore.unschedule('alice.nightly')`);
  expect(await states(alice)).toEqual([]);
});

afterAll(() => superuser.query('drop role if exists "alice.night", night_shift'));

test('a name that could mean the schedules of two roles is refused, and neither is changed', async () => {
  for (const name of ['night.run', 'run']) {
    await alice.query('select pgscore.schedule($1, $2, $3, $4)', [name, '@daily', 'single', 'source']);
  }
  await superuser.query(
    `create role "alice.night"; update pgscore_data.schedule set owner = 'alice.night' where name = 'run'`,
  );
  expect(await refusal(superuser, `select pgscore.unschedule('alice.night.run')`)).toMatchObject({
    code: '42725',
    detail: 'alice."night.run", "alice.night".run',
  });
  await alice.query(`select pgscore.pause_schedule('night.run')`);
  const read = `select owner, paused from pgscore_data.schedule where name in ('night.run', 'run') order by owner`;
  expect((await superuser.query(read)).rows).toEqual([
    { owner: 'alice', paused: true },
    { owner: 'alice.night', paused: false },
  ]);
});

test("another role's schedule is fired as that role, and who has its rights is told so", async () => {
  expect(await refusal(superuser, `select pgscore.run_schedule('bob.nightly')`)).toMatchObject({
    code: '42501',
    message: 'schedule "nightly" fires with the rights of its owner, bob',
    hint: `Fire it as that role: set role bob; select pgscore.run_schedule('nightly'); reset role;`,
  });
  await superuser.query('set role bob');
  const { rows } = await superuser.query<{ run: string }>(`select pgscore.run_schedule('nightly') as run`);
  await superuser.query('reset role');
  expect((await bob.query('select schedule from pgscore.runs where run = $1', [rows[0]?.run])).rows).toEqual([
    { schedule: 'nightly' },
  ]);
});

test("a group's schedule goes by its name alone for a member who may use no other of that name", async () => {
  await bob.query(`select pgscore.schedule('shared', '@daily', 'single', 'source')`);
  await superuser.query(`create role night_shift; grant night_shift to alice;
    update pgscore_data.schedule set owner = 'night_shift' where name = 'shared'`);
  await alice.query(`select pgscore.pause_schedule('shared')`);
  const read = `select owner, state from pgscore.schedules where name = 'shared'`;
  expect((await alice.query(read)).rows).toEqual([{ owner: 'night_shift', state: 'paused' }]);
  expect(await refusal(bob, `select pgscore.pause_schedule('shared')`)).toMatchObject({ code: '42704' });
});

test('a schedule whose owner was dropped or renamed is seen and ended by deployers, and by nobody else', async () => {
  await bob.query(`select pgscore.schedule('orphan', '@daily', 'single', 'source')`);
  await superuser.query(`update pgscore_data.schedule set owner = 'nobody_left' where name = 'orphan'`);
  const read = `select name from pgscore.schedules where name = 'orphan'`;
  expect((await alice.query(read)).rows).toEqual([]);
  expect(await refusal(alice, `select pgscore.unschedule('nobody_left.orphan')`)).toMatchObject({ code: '42704' });
  expect((await ada.query(read)).rows).toEqual([{ name: 'orphan' }]);
  const submits = `select from pg_proc where prosrc like '%pgscore._fire(%'`;
  const before = (await superuser.query(submits)).rowCount ?? 0;
  await ada.query(`select pgscore.unschedule('nobody_left.orphan')`);
  expect((await ada.query(read)).rows).toEqual([]);
  expect((await superuser.query(submits)).rowCount).toBe(before - 1);
});
