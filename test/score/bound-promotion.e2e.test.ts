import { beforeAll, beforeEach, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { createPause, whilePlanned } from '../support/paused-planning.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { superuser, ada, alice } = await scoreFixture();

const [FIRST, SECOND] = [21, 12];

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
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'sum', weightedModel({ b: 'float32', a: 'float32' }));
  await alice.query('create table bound as select 1::real as a, 2::real as b');
  await alice.query(`create table names as select 'sum' as model`);
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await alice.query(`select pgscore.bind('sum', 'bound')`);
  await alice.query(
    `create function wrapped(bound) returns float8 volatile language sql as 'select score(''sum'', $1)'`,
  );
  await createPause(alice);
});

const promote = (number: number): Promise<unknown> => ada.query('select pgscore.promote($1)', [`sum@${number}`]);

beforeEach(async () => {
  await promote(1);
});

type Query = string | { readonly name: string; readonly text: string };

/** The different answers that one execution gave. */
async function answers(query: Query): Promise<number[]> {
  const { rows } = await alice.query<{ answers: number[] }>(query);
  return [...new Set(rows.flatMap((row) => row.answers))];
}

/** The same of one that is planned while the second version is promoted. */
const answersWhilePromoted = (query: Query): Promise<number[]> =>
  whilePlanned(
    superuser,
    () => answers(query),
    () => promote(2),
  );

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
