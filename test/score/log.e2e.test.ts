import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { deployBytes } from '../support/deploy.ts';
import { asPlanned, showPlans } from '../support/plans-shown.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, superuser, ada, alice, bob } = await scoreFixture();

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'toned', weightedModel({ a: 'float32', tone: 'string' }));
  await deployBytes(ada, 'single', weightedModel({ a: 'float64' }));
  await superuser.query('grant usage on schema alice to bob');
  for (const client of [superuser, alice, bob]) await client.query('set pgscore.execution = online');
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

test('a share is between 0 and 1', async () => {
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

/** Calls under a request id. */
async function callAs(client: Client, id: string, row: string): Promise<void> {
  await client.query("select set_config('pgscore.request_id', $1, false)", [id]);
  await client.query(`select pgscore.score('single', $1::jsonb)`, [row]);
}

/** What is kept under a request id, once anything is. */
async function keptUnder(client: Client, id: string): Promise<Record<string, unknown>[]> {
  return waitFor(
    async () => {
      const { rows } = await client.query<Record<string, unknown>>(
        'select model, version, requested_by, inputs, score, error from pgscore.online_predictions where request_id = $1',
        [id],
      );
      return rows.length > 0 ? rows : undefined;
    },
    { message: `a kept call ${id}` },
  );
}

describe('a call that the service answers', () => {
  test('is kept with who asked, what for, and the answer, without the columns that the model does not take', async () => {
    await callAs(alice, 'first', '{"a": 3, "secret": 1}');
    expect(await keptUnder(alice, 'first')).toEqual([
      { model: 'single', version: 1, requested_by: 'alice', inputs: { a: 3 }, score: 3, error: null },
    ]);
  });

  test('is kept where its transaction is rolled back, and where it failed', async () => {
    await alice.query('begin');
    await callAs(alice, 'rolled back', '{"a": 4}');
    await alice.query('rollback');
    expect(await keptUnder(alice, 'rolled back')).toMatchObject([{ score: 4 }]);
    await expect(callAs(alice, 'failed', '{"a": null}')).rejects.toThrow('a is NULL');
    expect(await keptUnder(alice, 'failed')).toMatchObject([{ inputs: null, score: null, error: 'a is NULL' }]);
  });

  test('is kept once, whichever function asks', async () => {
    await alice.query(`set pgscore.request_id = 'once'`);
    await alice.query(`select pgscore.predict('single', '{"a": 3}')`);
    expect(await keptUnder(alice, 'once')).toHaveLength(1);
  });

  test('is shown to who asked and to deployers, and to nobody else', async () => {
    await callAs(bob, 'of bob', '{"a": 5}');
    expect(await keptUnder(ada, 'of bob')).toMatchObject([{ requested_by: 'bob', score: 5 }]);
    const { rows } = await alice.query("select from pgscore.online_predictions where requested_by <> 'alice'");
    expect(rows).toEqual([]);
  });

  test('is kept without its features, or not at all, as a deployer says', async () => {
    await ada.query(`select pgscore.log_calls('single', inputs => false)`);
    await callAs(alice, 'without', '{"a": 6}');
    expect(await keptUnder(alice, 'without')).toMatchObject([{ inputs: null, score: 6 }]);
    await ada.query(`select pgscore.log_calls('single', sampling => 0)`);
    await callAs(alice, 'unkept', '{"a": 7}');
    await ada.query(`select pgscore.log_calls('single', sampling => 1, inputs => true)`);
    await callAs(alice, 'after', '{"a": 8}');
    expect(await keptUnder(alice, 'after')).toMatchObject([{ inputs: { a: 8 } }]);
    expect((await alice.query(`select from pgscore.online_predictions where request_id = 'unkept'`)).rows).toEqual([]);
    expect((await refusal(alice, `select pgscore.log_calls('single', 0)`)).code).toBe('42501');
  });

  test('stays as it was in what a deployer does not name, and everybody sees how that is', async () => {
    await deployBytes(ada, 'private', weightedModel({ a: 'float64' }));
    const shown = async (said?: string): Promise<unknown> => {
      const call = `select pgscore.log_calls('private', ${said})`;
      if (said !== undefined) await ada.query(call);
      return (await alice.query(`select calls_kept from pgscore.models where model = 'private'`)).rows[0]?.calls_kept;
    };
    expect(await shown()).toBe('all, with inputs');
    expect(await shown('inputs => false')).toBe('all, without inputs');
    expect(await shown('sampling => 0.07')).toBe('7 %, without inputs');
    expect(await shown(`key => array['shop', 'till']`)).toBe('7 %, without inputs, by shop, till');
    expect(await shown('sampling => 0')).toBe('none');
    expect(await shown(`sampling => 1, key => '{}'`)).toBe('all, without inputs');
    expect(await shown('inputs => true')).toBe('all, with inputs');
  });
});

test('neither the connection to the service nor its password is within the reach of who calls', async () => {
  await callAs(alice, 'connected', '{"a": 9}');
  for (const attempt of [
    `select * from pgscore_dblink.dblink('pgscore', 'ping') as t (x text)`,
    `select pgscore_dblink.dblink_get_connections()`,
    `select password from pgscore_data.gateway`,
    `select pgscore_data._ask('ping')`,
  ]) {
    expect((await refusal(alice, attempt)).code).toBe('42501');
  }
});

/** For whom a request was logged. */
async function askedBy(request: string): Promise<unknown> {
  const logged = `select requested_by from pgscore.online_predictions where request_id = $1`;
  await waitFor(async () => (await superuser.query(logged, [request])).rows.length > 0);
  return (await superuser.query<{ requested_by: string }>(logged, [request])).rows[0]?.requested_by;
}

test('a trigger on a table to which a foreign key cascades asks as its owner', async () => {
  await alice.query('create table parents (id int primary key)');
  await alice.query('insert into parents values (1)');
  await alice.query(
    'create table children (id int references parents on update cascade, a real, b real, score float8)',
  );
  const keep = `create function keep_score() returns trigger language plpgsql as
    $$ begin new.score := public.score('sum', new); return new; end $$`;
  await alice.query(keep);
  await alice.query('create trigger keep before update on children for each row execute function keep_score()');
  await alice.query('insert into children values (1, 1, 2)');
  await alice.query('grant all on parents to bob');
  await bob.query(`set pgscore.request_id = 'cascaded'`);
  await bob.query('update alice.parents set id = 2');
  expect((await alice.query('select id, score from children')).rows).toEqual([{ id: 2, score: 21 }]);
  expect(await askedBy('cascaded')).toBe('alice');
});

test('a materialized view that another refreshes asks as its owner', async () => {
  await alice.query(
    `create materialized view scores as select score('sum', r) as score from (select 1 as a, 2 as b) r with no data`,
  );
  await superuser.query(`set pgscore.request_id = 'refreshed'`);
  await superuser.query('refresh materialized view alice.scores');
  expect((await alice.query('select score from scores')).rows).toEqual([{ score: 21 }]);
  expect(await askedBy('refreshed')).toBe('alice');
});

test('who has the plans of her session shown sees no password of the gateway in them', async () => {
  const client = await database.client('alice');
  await client.query('set pgscore.execution = online');
  const shown = await showPlans(client);
  for (const text of [
    `select score('sum', '{"a": 3, "b": 1}')`,
    `select score('sum', r) from (select 3 as a, 1 as b) r`,
    `select pgscore.predict('sum', '{"a": 3, "b": 1}')`,
    `select * from pgscore.score_rows('sum', array(select to_jsonb(r) from (select n as a, 1 as b from generate_series(1, 2500) n) r))`,
  ]) {
    await client.query(text);
  }
  expect(shown()).toContain(asPlanned(Buffer.from('tcp_user_timeout')));
  const { rows } = await superuser.query<{ secret: Buffer }>(
    `select convert_to(password, 'UTF8') as secret from pgscore_data.gateway
     union all select unnest(array[inner_key, outer_key]) from pgscore_data.signing_keys`,
  );
  const known = rows.map(({ secret }) => asPlanned(secret));
  expect(known).toHaveLength(3);
  expect(known.filter((secret) => shown().includes(secret))).toEqual([]);
});
