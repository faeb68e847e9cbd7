import { beforeAll, describe, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, ada, alice, bob } = await scoreFixture();
const ANSWER = [{ score: 3 }];

beforeAll(async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float64' }));
});

/** Every function that asks a model about a row. */
const CALLS = [
  `select pgscore.score('sum', '{"a": 3}') as score`,
  `select pgscore.score('sum@1', r) as score from (select 3 as a) r`,
  `select pgscore.predict('sum', '{"a": 3}') as score`,
  `select s.score from pgscore.score_rows('sum', array[jsonb_build_object('a', 3)]) s`,
];

test('a new model may be used by every pgscore_user', async () => {
  for (const client of [ada, alice, bob]) expect((await client.query(CALLS[0] ?? '')).rows).toEqual(ANSWER);
});

describe('a model that is granted to one role', () => {
  beforeAll(async () => {
    await ada.query(`select pgscore.revoke_model('sum', 'pgscore_user'), pgscore.grant_model('sum', 'alice')`);
  });

  test.each(['native', 'online'])('is refused to others with the grant that is missing, %s', async (way) => {
    await bob.query("select set_config('pgscore.execution', $1, false)", [way]);
    for (const call of CALLS) {
      expect(await refusal(bob, call)).toMatchObject({
        code: '42501',
        message: expect.stringMatching(/^model "sum(@1)?" is not granted to "bob"$/),
        hint: "A pgscore_deployer can grant it: select pgscore.grant_model('sum', 'bob');",
      });
    }
    await bob.query('reset pgscore.execution');
  });

  test('scores no table of others either', async () => {
    await bob.query('create table points (id int primary key, a float8)');
    expect(await refusal(bob, `select pgscore.score_table('sum', 'points')`)).toMatchObject({
      code: '42501',
      message: 'model "sum" is not granted to "bob"',
      hint: "A pgscore_deployer can grant it: select pgscore.grant_model('sum', 'bob');",
    });
    await alice.query('create table points (id int primary key, a float8)');
    await alice.query(`select pgscore.score_table('sum', 'points')`);
  });

  test('answers that role, with versions to come too', async () => {
    expect((await alice.query(CALLS[0] ?? '')).rows).toEqual(ANSWER);
    await deployBytes(ada, 'sum', weightedModel({ a: 'float64' }));
    expect((await alice.query(`select pgscore.score('sum@2', '{"a": 3}') as score`)).rows).toEqual(ANSWER);
    expect((await refusal(bob, `select pgscore.score('sum@2', '{"a": 3}')`)).code).toBe('42501');
  });

  test('warns of a grant to a role that may call no model, with what it lacks, unless it is an analyst', async () => {
    const superuser = await database.client();
    await superuser.query('create role "Out Sider"');
    const notices: { severity: string | undefined; message: string | undefined; hint: string | undefined }[] = [];
    ada.on('notice', ({ severity, message, hint }) => notices.push({ severity, message, hint }));
    await ada.query(`begin; select pgscore.grant_model('sum', 'Out Sider'); rollback`);
    expect(notices).toEqual([
      {
        severity: 'WARNING',
        message: 'role "Out Sider" can call no model yet: it is not a member of pgscore_user',
        hint: 'grant pgscore_user to "Out Sider";',
      },
    ]);
    await ada.query(`begin; select pgscore.grant_model('sum', 'bob'); rollback`);
    await superuser.query('grant pgscore_analyst to "Out Sider"');
    await ada.query(`begin; select pgscore.grant_model('sum', 'Out Sider'); rollback`);
    expect(notices).toHaveLength(1);
    await superuser.query('drop role "Out Sider"');
  });

  test('is granted and taken back by deployers alone, who find what they did in the audit', async () => {
    expect((await refusal(alice, `select pgscore.grant_model('sum', 'bob')`)).code).toBe('42501');
    const { rows } = await ada.query(
      `select action, detail ->> 'argument' as role from pgscore.audit where action like '%_model' order by action`,
    );
    expect(rows).toEqual([
      { action: 'grant_model', role: 'alice' },
      { action: 'revoke_model', role: 'pgscore_user' },
    ]);
  });
});
