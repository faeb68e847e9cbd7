import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, superuser, ada, alice, bob } = await scoreFixture();
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

describe('a version that is dropped', () => {
  const KINDS = `score('kinds', '{"sepal_length": 5, "sepal_width": 3, "petal_length": 1, "petal_width": 0.2}'::jsonb)`;

  beforeAll(async () => {
    await deployBytes(ada, 'first', weightedModel({ a: 'float32' }));
    await deployBytes(ada, 'kinds', await readFile(new URL('../models/iris_multiclass.onnx', import.meta.url)));
  });

  test('calls of a version that was dropped are shown as before', async () => {
    const call = `begin; set local pgscore.execution = online; select score('first', '{"a": 1.5}'::jsonb); commit`;
    await ada.query(call);
    const inputs = async () =>
      (await ada.query(`select inputs from pgscore.online_predictions where model = 'first'`)).rows;
    await waitFor(async () => (await inputs()).length === 1, { message: 'the call' });
    expect(await inputs()).toEqual([{ inputs: { a: 1.5 } }]);
    await ada.query(`select pgscore.drop_model('first')`);
    expect(await inputs()).toEqual([{ inputs: { a: 1.5 } }]);
  });

  test('so are blocks of many, with their labels', async () => {
    await deployBytes(ada, 'dropped', await readFile(new URL('../models/iris_multiclass.onnx', import.meta.url)));
    await ada.query(
      'create table flowers as select n, n / 30.0::real as sepal_length, 3::real as sepal_width, n / 20.0::real as petal_length, 0.2::real as petal_width from generate_series(1, 150) n',
    );
    await ada.query('set pgscore.execution = online');
    await ada.query(`select count(s) from pgscore.score_rows('dropped', array(select f from flowers f)) s`);
    await ada.query('reset pgscore.execution');
    const shown = async () =>
      (await ada.query(`select * from pgscore.online_predictions where model = 'dropped' order by prediction_id`)).rows;
    const before = await waitFor(
      async () => {
        const rows = await shown();
        return rows.length === 150 ? rows : undefined;
      },
      { message: 'the calls' },
    );
    expect(before[0]).toMatchObject({ inputs: { sepal_width: 3 }, label: expect.any(String) });
    await ada.query(`select pgscore.drop_model('dropped')`);
    expect(await shown()).toEqual(before);
  });

  test('a version that is being dropped keeps no other from becoming ready', async () => {
    await deployBytes(ada, 'second', weightedModel({ a: 'float32' }));
    await deployBytes(ada, 'second', weightedModel({ a: 'float64' }));
    const deployer = await database.client('ada');
    await deployer.query(`begin; select pgscore.drop_version('second@2')`);
    await deployBytes(ada, 'third', weightedModel({ a: 'float32' }));
    await deployer.query('commit');
    expect((await ada.query(`select score('third', '{"a": 3}'::jsonb) as score`)).rows).toEqual([{ score: 3 }]);
    const left = `select count(*)::int as left from pgscore_data.version v join pg_proc p on p.proname = format('_v%s_online', v.version_id) where v.state = 'dropped'`;
    expect((await superuser.query(left)).rows).toEqual([{ left: 0 }]);
  });

  test('a version whose functions somebody calls by their own names is not dropped, and names who', async () => {
    await deployBytes(ada, 'called', weightedModel({ a: 'float32' }));
    await deployBytes(ada, 'called', weightedModel({ a: 'float64' }));
    const { rows } = await superuser.query<{ id: number }>('select max(version_id) as id from pgscore_data.version');
    const create = `create view spy as select pgscore_models._v${rows[0]?.id}_json('{"a": 1}') as score`;
    await ada.query(create);
    expect(await refusal(ada, `select pgscore.drop_version('called@2')`)).toMatchObject({
      code: '2BP01',
      message: expect.stringMatching(/^version "called@2" is in use by rule _RETURN on view (ada\.)?spy$/),
      hint: expect.stringContaining('Drop these first'),
    });
    await ada.query(`drop view spy; select pgscore.drop_version('called@2')`);
  });

  test.each(['auto', 'online'])('a model that was dropped is not in the way of others, %s', async (execution) => {
    // What a session has prepared before is none the wiser.
    const fresh = await database.client('alice');
    const set = `set pgscore.execution = ${execution}`;
    await fresh.query(set);
    expect(await refusal(fresh, `select ${KINDS}`)).toMatchObject({
      code: '22023',
      message: 'model "kinds" has 3 classes: score() needs to know which one',
    });
    expect(await refusal(fresh, `select score('kinds', r) from (select 5 as sepal_length) r`)).toMatchObject({
      code: '22023',
    });
  });
});
