import { beforeEach, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { database, superuser, ada, alice } = await scoreFixture();
const carol = await database.client('ada');

const [FIRST, SECOND] = [21, 12];

for (const model of ['sum', 'other']) {
  await deployBytes(ada, model, weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, model, weightedModel({ b: 'float32', a: 'float32' }));
}
await alice.query('create table bound as select 1::real as a, 2::real as b from generate_series(1, 100)');
await alice.query('create table loose as select 1::real as a, 2::real as b');
await superuser.query('grant usage on schema alice to pgscore_owner');
await alice.query(`select pgscore.bind('sum', 'bound')`);

const promote = (version: string, client = ada): Promise<unknown> =>
  client.query('select pgscore.promote($1)', [version]);

beforeEach(async () => {
  await promote('sum@1');
  await promote('other@1');
});

const value = async (text: string, client = alice): Promise<unknown> => {
  const { rows } = await client.query<{ value: unknown }>(text);
  return rows[0]?.value;
};

test('a block that promotes sees what it has done', async () => {
  const { rows } = await ada
    .query<{ told: number[] }>(`create temp table told (told float8);
    do $$ declare one float8; begin
      for n in 1 .. 4 loop
        perform pgscore.promote('sum@' || 1 + n % 2);
        select score('sum', r) into one from (select 1::real as a, 2::real as b) r;
        insert into told values (score('sum', '{"a": 1, "b": 2}')), (one);
      end loop;
    end $$`)
    .then(() => ada.query(`select array_agg(told order by ctid) as told from told`));
  expect(rows[0]?.told).toEqual([SECOND, SECOND, FIRST, FIRST, SECOND, SECOND, FIRST, FIRST]);
});

test('a plan that was made in a promotion which is rolled back is of one version', async () => {
  const text = `select array_agg(score('sum', to_jsonb(r))) as value from (select 1 as a, 2 as b, pg_sleep(0) from generate_series(1, 4)) r`;
  const query = { name: 'rolled back', text };
  await ada.query('begin');
  await promote('sum@2');
  await ada.query(query);
  await ada.query('rollback');
  for (const version of [1, 2, 1]) {
    await promote(`sum@${version}`, carol);
    const { rows } = await ada.query<{ value: number[] }>(query);
    expect(rows[0]?.value).toEqual(Array<number>(4).fill(version === 1 ? FIRST : SECOND));
  }
});

test('a version that is dropped below a running statement still answers it, or fails, and is never NULL', async () => {
  await deployBytes(ada, 'brief', weightedModel({ a: 'float32' }));
  await deployBytes(ada, 'brief', weightedModel({ a: 'float32' }));
  await alice.query(
    `begin; declare c cursor for select pgscore.predict('brief', l) ->> 'version' as value from loose l, generate_series(1, 3)`,
  );
  expect(await value('fetch 1 from c')).toBe('brief@1');
  await promote('brief@2');
  await ada.query(`select pgscore.drop_version('brief@1')`);
  const later = await value('fetch 1 from c').catch((error: Error) => error.message);
  expect(later).toMatch(/^brief@1$|does not exist/);
  await alice.query('rollback');
  expect(await value(`select pgscore.predict('brief', l) ->> 'version' as value from loose l`)).toBe('brief@2');
});

test('a number is of the model that had the name', async () => {
  await alice.query('begin isolation level repeatable read');
  await alice.query('select from loose');
  await promote('other@2');
  for (const [from, to] of [
    ['sum', 'third'],
    ['other', 'sum'],
    ['third', 'other'],
  ])
    await ada.query('select pgscore.rename_model($1, $2)', [from, to]);
  expect(
    await value(
      `select array[score('sum@2', l), score(n, l), score('sum', l)] as value from loose l, (values ('sum@2')) x (n)`,
    ),
  ).toEqual([SECOND, SECOND, FIRST]);
  await alice.query('commit');
  expect(await value(`select score('sum', l) as value from loose l`)).toBe(SECOND);
  for (const [from, to] of [
    ['sum', 'third'],
    ['other', 'sum'],
    ['third', 'other'],
  ])
    await ada.query('select pgscore.rename_model($1, $2)', [from, to]);
});

test('an index by an alias is refused, which could point elsewhere later', async () => {
  await ada.query(`select pgscore.set_alias('sum@1', 'challenger')`);
  for (const alias of ['challenger', 'champion']) {
    expect((await refusal(alice, `create index on bound (score('sum@${alias}', bound))`)).message).toContain(
      'IMMUTABLE',
    );
  }
});

test('the check of a domain goes by the champion', async () => {
  await alice.query(`create domain low as jsonb check (score('sum', value) < 15)`);
  const checked = (): Promise<unknown> =>
    value(`select '{"a": 1, "b": 2}'::jsonb::low as value`).catch((error: Error) => error.message);
  expect(await checked()).toContain('violates');
  await promote('sum@2');
  expect(await checked()).toEqual({ a: 1, b: 2 });
  await promote('sum@1');
  expect(await checked()).toContain('violates');
});

test('in a transaction that began before another model was promoted a bound row is in the plan all the same', async () => {
  const plan = `explain (verbose, costs off) select score('sum', p), pgscore_models.sum(p) from bound p`;
  const usual = (await alice.query(plan)).rows;
  await alice.query('begin isolation level repeatable read');
  await alice.query('select from loose');
  await promote('other@2');
  expect((await alice.query(plan)).rows).toEqual(usual);
  await promote('sum@2');
  expect((await alice.query(plan)).rows).not.toEqual(usual);
  await alice.query('commit');
});

test('transactions that repeat their reads promote models beside each other', async () => {
  await ada.query('begin isolation level repeatable read');
  await ada.query('select pgscore.promote($1)', ['sum@2']);
  await promote('other@2', carol);
  await ada.query('commit');
  expect(
    await value(
      `select array[score('sum', p), score('sum', l), score('other', l)] as value from bound p, loose l limit 1`,
    ),
  ).toEqual([SECOND, SECOND, SECOND]);
});

test('a name that a model had is not kept to by plans that were made before it lost it', async () => {
  const query = { name: 'named', text: `select array[score('brief', l), score('brief@2', l)] as value from loose l` };
  const bob = await database.client('alice');
  await bob.query('begin isolation level repeatable read');
  await bob.query('select from loose');
  await ada.query(`select pgscore.rename_model('brief', 'gone')`);
  for (let executed = 0; executed < 7; executed += 1) expect((await bob.query(query)).rows).toHaveLength(1);
  await bob.query('commit');
  await expect(bob.query(query)).rejects.toThrow('model "brief" does not exist');
});

test('an index by a version is made, and used, in a transaction that has promoted, and in one that is older than a promotion', async () => {
  await superuser.query('grant usage on schema alice to ada; grant select on alice.bound to ada');
  await alice.query('begin isolation level repeatable read');
  await alice.query('select from loose');
  await promote('sum@2');
  await alice.query(`create index by_number on bound (pgscore_models.sum_v1(bound))`);
  await alice.query('set local enable_seqscan = off');
  const plan = `explain (costs off) select from bound p where pgscore_models.sum_v1(p) = 1`;
  expect(JSON.stringify((await alice.query(plan)).rows)).toContain('by_number');
  await alice.query('commit');
  await carol.query('begin');
  await promote('sum@1', carol);
  await carol.query('set local enable_seqscan = off');
  expect(JSON.stringify((await carol.query(plan.replace('bound', 'alice.bound'))).rows)).toContain('by_number');
  await carol.query('commit');
  await alice.query('drop index by_number');
});
