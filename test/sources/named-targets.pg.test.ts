import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);
await addReadyModel(superuser, 'model');
await alice.query('create table "Order Items" ("Id" int primary key, x real)');
await alice.query('create table "orders" (id int primary key, x real)');
await alice.query('create view "Features" as select * from "Order Items"');

const watch = (target: string) => alice.query(`select pgscore.watch('model', 'orders', target => $1)`, [target]);
const targets = async (): Promise<string[]> => {
  const { rows } = await alice.query<{ target: string }>('select target from pgscore.targets order by target');
  return rows.map((row) => row.target);
};

test.each([
  ['Live', '"Live"', 'alice.Live', 'alice."Live"', '"alice"."Live"'],
  ['Live Items', '"Live Items"', 'alice.Live Items', 'alice."Live Items"', '"alice"."Live Items"'],
  ['Ann\'s "Live"', '"Ann\'s ""Live"""', 'alice.Ann\'s "Live"', 'alice."Ann\'s ""Live"""', '"alice"."Ann\'s ""Live"""'],
  ['live', '"live"', 'alice.live', 'ALICE.Live', 'LIVE'],
])(
  'the target %s is found by its name as it was given, as pgscore.targets shows it, and as SQL writes it',
  async (...names) => {
    for (const name of names) {
      await watch(names[0]);
      await alice.query('select pgscore.pause_watch($1)', [name]);
      await alice.query('select pgscore.resume_watch($1)', [name]);
      await alice.query('select pgscore.unwatch($1)', [name]);
      await alice.query(`select pgscore.keep_history($1, '1 day')`, [name]);
      expect(await targets()).toEqual([`alice.${names[0]}`]);
      await alice.query('select pgscore.drop_target($1)', [name]);
      expect(await targets()).toEqual([]);
    }
  },
);

test('a new target whose name begins with a schema is refused, as it would be a view of that name in another', async () => {
  expect(await refusal(alice, `select pgscore.score_table('model', 'orders', target => 'bob.live')`)).toMatchObject({
    code: '42602',
    message: `target => 'bob.live' has a schema in its name`,
    hint: `Write target => 'live', target_schema => 'bob'.`,
  });
});

test('of two targets whose names differ in case the one is meant that is named exactly', async () => {
  await watch('live');
  await watch('Live');
  await alice.query(`select pgscore.unwatch('Live')`);
  await alice.query(`select pgscore.drop_target('Live')`);
  expect(await targets()).toEqual(['alice.live']);
  expect(await refusal(alice, `select pgscore.unwatch('bob.live')`)).toMatchObject({ code: '42704' });
  expect(await refusal(alice, `select pgscore.drop_target('"LIVE"')`)).toMatchObject({ code: '42704' });
  await alice.query(`select pgscore.unwatch('live')`);
});

test('a name with a dot is read as SQL reads it, with a schema', async () => {
  await watch('later.live');
  await superuser.query('create schema later authorization alice');
  await alice.query(`select pgscore.watch('model', 'orders', target => 'live', target_schema => 'later')`);
  await alice.query(`select pgscore.unwatch('later.live')`);
  await alice.query(`select pgscore.drop_target('later.live')`);
  await alice.query(`select pgscore.drop_target('alice.live')`);
  expect(await targets()).toEqual(['alice.later.live']);
});

test.each([['Order Items'], ['alice.Order Items'], ['"Order Items"'], ['alice."Order Items"']])(
  'on_change_of finds a table by the name %s',
  async (name) => {
    const text = `select pgscore.watch('model', '"Features"', key => 'Id', on_change_of => $1) as capture`;
    const { rows } = await alice.query<{ capture: string }>(text, [{ [name]: 'Id' }]);
    expect(rows).toEqual([{ capture: 'triggers' }]);
  },
);
