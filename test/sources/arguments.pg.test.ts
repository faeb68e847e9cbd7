import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { refusal } from '../support/refusal.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const [ada, alice, bob] = await Promise.all([database.client('ada'), database.client('alice'), database.client('bob')]);
await addReadyModel(superuser, 'model');
for (const client of [alice, bob]) await client.query('create table source (id int primary key, x real)');
await alice.query(`select pgscore.schedule('hers', '@daily', 'model', 'source')`);
await bob.query(`select pgscore.schedule('his', '@daily', 'model', 'source')`);

const SCORE = `select pgscore.score_table('model', 'source', `;

test.each([['[1]'], ['"x"'], ['null'], ['{"x": null}'], ['{"x": 1}'], ['{"x": ["x"]}']])(
  'a column_map of %s is refused with the form that it has',
  async (map) => {
    expect(await refusal(alice, `${SCORE} column_map => $1)`, [map])).toMatchObject({
      code: '22023',
      message: `column_map => '${map}' does not map features to columns`,
      hint: 'The keys are features, the values columns: {"feature": "column"}.',
    });
  },
);

test.each([
  [`${SCORE} target => '')`, '42602', "target => '' cannot be used"],
  [`${SCORE} target_schema => '')`, '3F000', "target_schema => '' does not exist"],
  [`${SCORE} key => array[null])`, '22004', 'the key holds NULL'],
  [`select pgscore.schedule(null, '@daily', 'model', 'source')`, '42602', 'schedule name NULL cannot be used'],
  [`select pgscore.schedule('', '@daily', 'model', 'source')`, '42602', "schedule name '' cannot be used"],
  [`select pgscore.drop_target('')`, '42704', 'target "" does not exist, or is not yours'],
  [`select pgscore.drop_target(null)`, '42704', 'target NULL does not exist, or is not yours'],
])('%s is refused with a hint', async (text, code, message) => {
  expect(await refusal(alice, text)).toMatchObject({ code, message, hint: expect.any(String) });
});

test.each([
  [`select pgscore.rename_model('model', null)`, 'model name NULL cannot be used'],
  [`select pgscore.set_alias('model@1', null)`, 'alias NULL cannot be used'],
])('%s is refused with a hint', async (text, message) => {
  expect(await refusal(ada, text)).toMatchObject({ code: '42602', message, hint: expect.stringMatching(/^Begin/) });
});

test('the name of a schedule that is taken comes with what to do', async () => {
  expect(await refusal(alice, `select pgscore.schedule('hers', '@daily', 'model', 'source')`)).toMatchObject({
    code: '42710',
    message: 'schedule "hers" already exists',
    hint: expect.stringContaining(`select pgscore.unschedule('hers');`),
  });
});

test.each([
  [`insert into pgscore._schedule_request (name) values ('x')`],
  [
    `insert into pgscore._schedule_request (name, cron, time_zone, model, source, arguments, overlap, catch_up)
     values ('x', '@daily', 'UTC', 'model', 'source', '{}', 'never', 'all')`,
  ],
])('a schedule that goes round schedule() shows no guard key where it is refused: %s', async (text) => {
  const { code, detail } = await refusal(alice, text);
  expect({ code, detail }).toEqual({ code: '22023', detail: undefined });
});
