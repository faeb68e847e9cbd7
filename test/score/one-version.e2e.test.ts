import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { deployBytes } from '../support/deploy.ts';
import { createPause, promotedSum } from '../support/paused-planning.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice, bob } = await scoreFixture();

const [FIRST, SECOND] = [21, 12];

beforeAll(async () => {
  for (const model of ['sum', 'other']) {
    await deployBytes(ada, model, weightedModel({ a: 'float32', b: 'float32' }));
    await deployBytes(ada, model, weightedModel({ b: 'float32', a: 'float32' }));
    await ada.query('select pgscore.promote($1)', [`${model}@1`]);
  }
  await alice.query('create table bound as select 1::real as a, 2::real as b');
  await alice.query('create table loose as select 1::real as a, 2::real as b');
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await alice.query(`select pgscore.bind('sum', 'bound')`);
});

const LOOKED_UP = {
  'a row of another table': `score('sum', l)`,
  jsonb: `score('sum', to_jsonb(l))`,
  'predict()': `(pgscore.predict('sum', l) ->> 'value')::float8`,
};
const MENTIONS = {
  'a bound row': `score('sum', p)`,
  'a typed function': 'pgscore_models.sum(p)',
  ...LOOKED_UP,
};

const ALL = `select array[${Object.values(LOOKED_UP).join(', ')}] as answers from bound p, loose l`;

test.each([
  ['simple', ALL],
  ['prepared', { name: 'all', text: ALL }],
  ['parametrized', { text: `${ALL} where $1 = 1`, values: [1] }],
])('all that a %s statement looks up is answered by one version, while others are promoted', async (_, query) => {
  const seen = new Set<string>();
  let [going, promotions] = [true, 0];
  const promoting = (async () => {
    for (; going; promotions += 1) await ada.query('select pgscore.promote($1)', [`sum@${(promotions % 2) + 1}`]);
  })();
  try {
    for (let statements = 0; statements < 100 || promotions < 20; statements += 1) {
      const { rows } = await alice.query<{ answers: number[] }>(query);
      seen.add([...new Set(rows[0]?.answers)].join(' and '));
    }
  } finally {
    going = false;
    await promoting;
  }
  expect([...seen].toSorted()).toEqual([String(SECOND), String(FIRST)]);
});

describe.each(Object.entries(MENTIONS))('%s in a statement that is prepared', (_, mention) => {
  test('follows the champion from one execution to the next', async () => {
    const query = { name: `prepared ${mention}`, text: `select ${mention} as answer from bound p, loose l` };
    const answer = async (): Promise<number | undefined> =>
      (await alice.query<{ answer: number }>(query)).rows[0]?.answer;
    await ada.query(`select pgscore.promote('sum@1')`);
    for (let executed = 0; executed < 7; executed += 1) expect(await answer()).toBe(FIRST);
    await ada.query(`select pgscore.promote('sum@2')`);
    expect(await answer()).toBe(SECOND);
    await ada.query(`select pgscore.rollback('sum')`);
    expect(await answer()).toBe(FIRST);
  });
});

test('whoever promotes sees it in the same transaction, and nobody else before it is committed', async () => {
  const call = `select score('other', '{"a": 1, "b": 2}'::jsonb) as answer`;
  const answer = async (client: typeof ada): Promise<number | undefined> =>
    (await client.query<{ answer: number }>(call)).rows[0]?.answer;
  await ada.query('begin');
  await ada.query(`select pgscore.promote('other@2')`);
  expect(await answer(ada)).toBe(SECOND);
  expect(await answer(alice)).toBe(FIRST);
  await ada.query('rollback');
  expect(await answer(ada)).toBe(FIRST);
});

test('a snapshot from before a promotion does not make later transactions keep to it', async () => {
  const query = { name: 'kept', text: `select score('other', to_jsonb(l)) as answer from alice.loose l` };
  const answer = async (): Promise<number | undefined> =>
    (await alice.query<{ answer: number }>(query)).rows[0]?.answer;
  await alice.query('begin isolation level repeatable read');
  await alice.query('select from loose');
  await ada.query(`select pgscore.promote('other@2')`);
  await answer();
  await alice.query('commit');
  for (let executed = 0; executed < 7; executed += 1) expect(await answer()).toBe(SECOND);
  await ada.query(`select pgscore.promote('other@1')`);
  expect(await answer()).toBe(FIRST);
});

test('a model that is not written as a constant, an alias and a version are looked up', async () => {
  await ada.query(`select pgscore.set_alias('sum@2', 'challenger')`);
  const text = `select array_agg(score(m, to_jsonb(l)) order by n) as answers
    from loose l, unnest(array['sum@1', 'sum@2', 'sum@challenger', 'sum@champion', 'sum', 'other']) with ordinality x (m, n)`;
  await ada.query(`select pgscore.promote('sum@1'), pgscore.promote('other@2')`);
  expect((await alice.query(text)).rows).toEqual([{ answers: [FIRST, SECOND, SECOND, FIRST, FIRST, SECOND] }]);
});

test('renamed and dropped models are known by the name that they have', async () => {
  await deployBytes(ada, 'brief', weightedModel({ a: 'float32', b: 'float32' }));
  const call = (model: string): Promise<unknown> => bob.query(`select score($1, '{"a": 1, "b": 2}'::jsonb)`, [model]);
  await ada.query(`select pgscore.grant_model('brief', 'bob')`);
  await call('brief');
  await ada.query(`select pgscore.rename_model('brief', 'shorter')`);
  await call('shorter');
  await expect(call('brief')).rejects.toThrow('model "brief" does not exist');
  await ada.query(`select pgscore.drop_model('shorter')`);
  await expect(call('shorter')).rejects.toThrow();
});

describe('a promotion, and rows of a bound table', () => {
  const CALLS = [
    'pgscore_models.sum(p)',
    `score('sum', p)`,
    `score('sum@champion', p)`,
    `score(n.model, p)`,
    `score((select model from names), p)`,
    'wrapped(p)',
    `(select x.s from lateral (select score('sum', p) as s) x)`,
  ];
  const FROM = 'from bound p, names n';
  const ASK = `select array[${CALLS.join(', ')}] as answers ${FROM}`;
  const AROUND = `select array_remove(array[${[...CALLS, 'pause()', ...CALLS].join(', ')}], null) as answers ${FROM}`;

  beforeAll(async () => {
    await alice.query(`create table names as select 'sum' as model`);
    await alice.query(
      `create function wrapped(bound) returns float8 volatile language sql as 'select score(''sum'', $1)'`,
    );
    await createPause(alice);
  });

  const { promote, answers, answersWhilePromoted } = promotedSum({ superuser, ada, alice });

  beforeEach(async () => {
    await promote(1);
  });

  test('a statement that is planned while another version is promoted has either, and the next one has the new', async () => {
    for (const answer of await answersWhilePromoted(AROUND)) expect([FIRST, SECOND]).toContain(answer);
    expect(await answers(AROUND)).toEqual([SECOND]);
  });

  test.each(['auto', 'force_generic_plan', 'force_custom_plan'])(
    'a prepared statement follows the champion, with the setting %s',
    async (mode) => {
      await alice.query(`select set_config('plan_cache_mode', $1, false)`, [mode]);
      const query = { name: mode, text: ASK };
      for (const version of [1, 2, 1, 2]) {
        await promote(version);
        for (let executed = 0; executed < 7; executed += 1)
          expect(await answers(query)).toEqual([version === 1 ? FIRST : SECOND]);
      }
      await alice.query('reset plan_cache_mode');
    },
  );

  test('one that was planned while another version was promoted follows the next promotion', async () => {
    const query = { name: 'around', text: AROUND };
    await alice.query('set plan_cache_mode = force_generic_plan');
    await answersWhilePromoted(query);
    await promote(1);
    for (let executed = 0; executed < 7; executed += 1) expect(await answers(query)).toEqual([FIRST]);
    await alice.query('reset plan_cache_mode');
  });

  test('one that calls the typed function itself has the new version at once', async () => {
    const query = {
      name: 'typed',
      text: `select array[pgscore_models.sum(p), coalesce(pause(), pgscore_models.sum(p))] as answers from bound p`,
    };
    await alice.query('set plan_cache_mode = force_generic_plan');
    await answersWhilePromoted(query);
    for (let executed = 0; executed < 7; executed += 1) expect(await answers(query)).toEqual([SECOND]);
    await alice.query('reset plan_cache_mode');
  });

  test('a statement keeps to its version while it is executed', async () => {
    const declare = `begin; declare kept cursor for select array[${CALLS.join(', ')}] as answers ${FROM}, generate_series(1, 3)`;
    await alice.query(declare);
    expect(await answers('fetch 1 from kept')).toEqual([FIRST]);
    await promote(2);
    expect(await answers('fetch 2 from kept')).toEqual([FIRST]);
    await alice.query('commit');
  });

  test.each(['repeatable read', 'serializable'])(
    'a %s transaction follows from one statement to the next',
    async (level) => {
      await alice.query(`select set_config('default_transaction_isolation', $1, false)`, [level]);
      await alice.query('begin');
      expect(await answers(ASK)).toEqual([FIRST]);
      await promote(2);
      expect(await answers(ASK)).toEqual([SECOND]);
      await alice.query('commit');
      await alice.query('reset default_transaction_isolation');
    },
  );
});
