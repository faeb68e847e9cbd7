import { beforeAll, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice, bob } = await scoreFixture();

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'toned', weightedModel({ a: 'float32', tone: 'string' }));
  for (const client of [alice, bob]) await client.query('set pgscore.execution = online');
});

/** Calls once under a request id of its own. */
async function call(id: string, row = '{"a": 1, "b": 2, "other": "kept to herself"}'): Promise<void> {
  await alice.query("select set_config('pgscore.request_id', $1, false)", [id]);
  await alice.query('select score($1, $2)', ['sum', row]).catch(() => undefined);
}

/** What is kept once a later call is. */
async function kept(id: string): Promise<unknown[]> {
  await ada.query('set pgscore.execution = online');
  await ada.query(`select pgscore.log_calls('sum', 1)`);
  const last = `after ${id}`;
  await ada.query("select set_config('pgscore.request_id', $1, false)", [last]);
  await ada.query(`select score('sum', '{"a": 0, "b": 0}')`);
  const text =
    'select version, requested_by, inputs, score, error from pgscore.online_predictions where request_id = $1';
  await waitFor(async () => (await ada.query(text, [last])).rows.length > 0, { message: 'the log' });
  return (await ada.query(text, [id])).rows;
}

const PREDICTION = { version: 1, requested_by: 'alice', inputs: { a: 1, b: 2 }, score: 21, error: null };

test('a call is kept with the features it used, also one whose transaction rolled back', async () => {
  await alice.query('begin');
  await call('rolled back');
  await alice.query('rollback');
  expect(await kept('rolled back')).toEqual([PREDICTION]);
});

test('features that are not all numbers are kept as they were given', async () => {
  await deployBytes(ada, 'mixed', weightedModel({ a: 'float32', colour: 'string' }));
  await alice.query(`set pgscore.request_id = 'mixed'`);
  await alice.query(`select score('mixed', '{"A": 0.1, "colour": "red\\t\\"", "other": 1}')`);
  expect(await kept('mixed')).toMatchObject([{ inputs: { a: 0.1, colour: 'red\t"' }, score: expect.any(Number) }]);
});

test.each(['a\\u0000', 'a\\ud83d'])(
  'a call with the text "%s", which jsonb can not hold, costs no other',
  async (tone) => {
    await call(`beside ${tone}`);
    const written = `create function written(odd) returns json language sql as $$ select '"${tone}"'::json $$`;
    await alice.query(`create type odd as enum ('odd'); create table toned (a real, tone odd)`);
    await alice.query(written);
    await alice.query('create cast (odd as json) with function written(odd)');
    await alice.query("select set_config('pgscore.request_id', $1, false)", [`odd ${tone}`]);
    await alice.query(`select score('toned', row(1, 'odd')::toned)`);
    await alice.query('drop type odd cascade; drop table toned');
    expect(await kept(`beside ${tone}`)).toEqual([PREDICTION]);
    expect(await kept(`odd ${tone}`)).toMatchObject([{ inputs: null }]);
  },
);

test('a call that failed is kept with its reason', async () => {
  await call('failed', '{"a": null, "b": 2}');
  expect(await kept('failed')).toMatchObject([{ score: null, error: expect.stringContaining('a is NULL') }]);
});

test('a sampling of 0 keeps nothing, and of 1 everything', async () => {
  await ada.query(`select pgscore.log_calls('sum', 0)`);
  for (let n = 0; n < 20; n += 1) await call('none');
  expect(await kept('none')).toEqual([]);
  for (let n = 0; n < 20; n += 1) await call('all');
  expect(await kept('all')).toHaveLength(20);
});

test('a sampling between keeps that share of the calls', async () => {
  await ada.query(`select pgscore.log_calls('sum', 0.25)`);
  await alice.query('select setseed(0.5)');
  for (let n = 0; n < 200; n += 1) await call('some');
  const { length } = await kept('some');
  expect(length).toBeGreaterThan(30);
  expect(length).toBeLessThan(70);
});

test('a row whose features are longer than is kept, is kept without them', async () => {
  for (const [id, length] of [
    ['short', 16_000],
    ['long', 17_000],
  ] as const) {
    await alice.query("select set_config('pgscore.request_id', $1, false)", [id]);
    await alice.query(`select score('toned', jsonb_build_object('a', 1, 'tone', repeat('x', $1)))`, [length]);
  }
  expect(await kept('short')).toMatchObject([{ inputs: { a: 1, tone: 'x'.repeat(16_000) } }]);
  expect(await kept('long')).toMatchObject([{ inputs: null, score: expect.any(Number) }]);
});

test('without inputs a call is kept without them', async () => {
  await ada.query(`select pgscore.log_calls('sum', 1, inputs => false)`);
  await call('blind');
  expect(await kept('blind')).toEqual([{ ...PREDICTION, inputs: null }]);
});

test('a caller reads her own calls, a deployer all', async () => {
  await call('hers');
  await kept('hers');
  const hers = `select from pgscore.online_predictions where request_id = 'hers'`;
  expect((await alice.query(hers)).rows).toHaveLength(1);
  expect((await bob.query(hers)).rows).toHaveLength(0);
  expect((await superuser.query(`select from pgscore.online_predictions where request_id = 'hers'`)).rows).toHaveLength(
    1,
  );
});

test('who logs what is a deployer, and a share is between 0 and 1', async () => {
  expect((await refusal(alice, `select pgscore.log_calls('sum', 0)`)).code).toBe('42501');
  for (const share of ['-0.1', '1.1', `'NaN'`]) {
    expect((await refusal(ada, `select pgscore.log_calls('sum', ${share})`)).code).toBe('22023');
  }
});

test('log_calls() raises no notice', async () => {
  const notices: unknown[] = [];
  ada.on('notice', ({ message }) => notices.push(message));
  await ada.query(`begin; select pgscore.log_calls('sum', 0.5); rollback`);
  expect(notices).toEqual([]);
});
