import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { ada, alice, bob } = await scoreFixture();

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float64' }));
  for (const client of [alice, bob]) await client.query('set pgscore.execution = online');
});

/** Calls under a request id. */
async function call(client: Client, id: string, row: string): Promise<void> {
  await client.query("select set_config('pgscore.request_id', $1, false)", [id]);
  await client.query(`select pgscore.score('sum', $1::jsonb)`, [row]);
}

/** What is kept under a request id, once anything is. */
async function kept(client: Client, id: string): Promise<Record<string, unknown>[]> {
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
    await call(alice, 'first', '{"a": 3, "secret": 1}');
    expect(await kept(alice, 'first')).toEqual([
      { model: 'sum', version: 1, requested_by: 'alice', inputs: { a: 3 }, score: 3, error: null },
    ]);
  });

  test('is kept where its transaction is rolled back, and where it failed', async () => {
    await alice.query('begin');
    await call(alice, 'rolled back', '{"a": 4}');
    await alice.query('rollback');
    expect(await kept(alice, 'rolled back')).toMatchObject([{ score: 4 }]);
    await expect(call(alice, 'failed', '{"a": null}')).rejects.toThrow('a is NULL');
    expect(await kept(alice, 'failed')).toMatchObject([{ inputs: null, score: null, error: 'a is NULL' }]);
  });

  test('is kept once, whichever function asks', async () => {
    await alice.query(`set pgscore.request_id = 'once'`);
    await alice.query(`select pgscore.predict('sum', '{"a": 3}')`);
    expect(await kept(alice, 'once')).toHaveLength(1);
  });

  test('is shown to who asked and to deployers, and to nobody else', async () => {
    await call(bob, 'of bob', '{"a": 5}');
    expect(await kept(ada, 'of bob')).toMatchObject([{ requested_by: 'bob', score: 5 }]);
    const { rows } = await alice.query("select from pgscore.online_predictions where requested_by <> 'alice'");
    expect(rows).toEqual([]);
  });

  test('is kept without its features, or not at all, as a deployer says', async () => {
    await ada.query(`select pgscore.log_calls('sum', inputs => false)`);
    await call(alice, 'without', '{"a": 6}');
    expect(await kept(alice, 'without')).toMatchObject([{ inputs: null, score: 6 }]);
    await ada.query(`select pgscore.log_calls('sum', sampling => 0)`);
    await call(alice, 'unkept', '{"a": 7}');
    await ada.query(`select pgscore.log_calls('sum', sampling => 1, inputs => true)`);
    await call(alice, 'after', '{"a": 8}');
    expect(await kept(alice, 'after')).toMatchObject([{ inputs: { a: 8 } }]);
    expect((await alice.query(`select from pgscore.online_predictions where request_id = 'unkept'`)).rows).toEqual([]);
    expect((await refusal(alice, `select pgscore.log_calls('sum', 0)`)).code).toBe('42501');
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
  await call(alice, 'connected', '{"a": 9}');
  for (const attempt of [
    `select * from pgscore_dblink.dblink('pgscore', 'ping') as t (x text)`,
    `select pgscore_dblink.dblink_get_connections()`,
    `select password from pgscore_data.gateway`,
    `select pgscore_data._ask('ping')`,
  ]) {
    expect((await refusal(alice, attempt)).code).toBe('42501');
  }
});
