import { beforeAll, describe, expect, test } from '@jest/globals';

import { bucket } from '../../src/lib/bucket.ts';
import { deployBytes } from '../support/deploy.ts';
import { createPause, whilePlanned } from '../support/paused-planning.ts';
import { refusal } from '../support/refusal.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { armsFixture, ROWS } from './arms-fixture.ts';

const { database, superuser, ada, alice, start, stop, stopAll, saltOf, answers } = await armsFixture();

describe('keys', () => {
  beforeAll(stopAll);

  test.each([
    ['a text', '{code}', (id: number) => [`k ${id}`]],
    ['a uuid', '{uid}', undefined],
    ['char(n), without its padding', '{padded}', (id: number) => [`c${id % 7}`]],
    ['several columns', '{padded,id}', (id: number) => [`c${id % 7}`, id]],
  ] as const)('%s', async (_, columns, keyOf) => {
    await start('sum', { 'sum@2': 25 }, columns);
    const salt = await saltOf('sum');
    const keys = await answers('select id, uid as answer from loose');
    const forms = [
      `select id, score('sum', t) as answer from loose t`,
      `select id, score('sum', t) as answer from bound t`,
      `select id, score('sum', t) as answer from (select * from loose) t`,
      `select id, (pgscore.predict('sum', t) ->> 'value')::float8 as answer from bound t`,
      `select (s.features).id, s.score as answer from pgscore.score_rows('sum', array(select t from loose t)) s`,
    ];
    for (const form of forms) {
      for (const [id, answer] of await answers(form)) {
        const key = keyOf === undefined ? [String(keys.get(id))] : keyOf(id);
        expect([form, id, answer]).toEqual([form, id, bucket(salt, ...key) < 2500 ? 12 : 21]);
      }
    }
    await stop('sum');
  });
});

describe('while statements run', () => {
  beforeAll(stopAll);

  const FROM = 'from bound y, loose l where y.id = l.id and y.id <= 100';
  const CALLS = [
    `score('sum', l)`,
    `score('sum', to_jsonb(l))`,
    `(pgscore.predict('sum', l) ->> 'value')::float8`,
    `(pgscore.predict('sum', y) ->> 'value')::float8`,
    `(select s.score from pgscore.score_rows('sum', array[l]) s)`,
  ];
  const AROUND = `select array_remove(array[${[...CALLS, 'pause()', ...CALLS].join(', ')}], null) as answers ${FROM}`;

  /** How many rows of the statement the arm answered for; each row has one answer. */
  async function armRows(text: string): Promise<number> {
    const { rows } = await alice.query<{ answers: number[] }>(text);
    expect(rows.filter((row) => new Set(row.answers).size !== 1)).toEqual([]);
    return rows.filter((row) => row.answers[0] === 12).length;
  }

  beforeAll(async () => {
    await createPause(alice);
  });

  test('one that is planned while an experiment starts, grows or stops sees one set of arms', async () => {
    const during = (act: () => Promise<unknown>) => whilePlanned(superuser, () => armRows(AROUND), act);
    const after = () => armRows(`select array[${CALLS.join(', ')}] as answers ${FROM}`);
    const first = await during(() => start('sum', { 'sum@2': 20 }));
    const few = await after();
    expect([0, few]).toContain(first);
    expect(few).toBeGreaterThan(5);
    const second = await during(() => ada.query(`select pgscore.set_arms('sum', '{"sum@2": 80}')`));
    const many = await after();
    expect([few, many]).toContain(second);
    expect(many).toBeGreaterThan(60);
    expect([many, 0]).toContain(await during(() => stop('sum')));
    expect(await after()).toBe(0);
  });

  test('a prepared statement and an open transaction follow it as they follow a promotion', async () => {
    const other = await database.client('alice');
    await other.query(`set plan_cache_mode = force_generic_plan`);
    await other.query(`prepare over_bound as select sum((score('sum', y) = 12)::int)::int as n from bound y`);
    await other.query(`prepare over_loose as select sum((score('sum', l) = 12)::int)::int as n from loose l`);
    const counts = async () => [
      (await other.query('execute over_bound')).rows[0].n,
      (await other.query('execute over_loose')).rows[0].n,
    ];
    expect(await counts()).toEqual([0, 0]);
    await start('sum', { 'sum@2': 50 });
    const [half] = await counts();
    expect(await counts()).toEqual([half, half]);
    expect(half).toBeGreaterThan(ROWS * 0.35);
    await other.query('begin isolation level repeatable read');
    expect((await counts())[1]).toBe(half);
    await ada.query(`select pgscore.set_arms('sum', '{"sum@2": 100}')`);
    expect((await counts())[1]).toBe(half);
    await other.query('commit');
    expect(await counts()).toEqual([ROWS, ROWS]);
    await stop('sum');
    expect(await counts()).toEqual([0, 0]);
  });
});

describe('in open transactions', () => {
  beforeAll(stopAll);

  const BOTH = `select (select sum((score('sum', y) = 12)::int)::int from bound y) as bound,
                       (select sum((score('sum', l) = 12)::int)::int from loose l) as loose`;

  test('what is started, grows and stops there is seen by it alone until it commits', async () => {
    const counts = async () => (await alice.query(BOTH)).rows[0];
    const none = { bound: 0, loose: 0 };
    const all = { bound: ROWS, loose: ROWS };
    await ada.query('begin');
    await start('sum', { 'sum@2': 50 });
    await ada.query(`select pgscore.set_arms('sum', '{"sum@2": 100}')`);
    expect((await ada.query(`select pgscore.arm('sum', '1') as arm`)).rows).toEqual([{ arm: 'sum@2' }]);
    expect(await counts()).toEqual(none);
    await ada.query('rollback');
    expect(await counts()).toEqual(none);
    expect((await alice.query('select from pgscore.experiments where is_running')).rowCount).toBe(0);
    await ada.query('begin');
    await start('sum', { 'sum@2': 100 });
    await ada.query('commit');
    expect(await counts()).toEqual(all);
    await ada.query('begin');
    await stop('sum');
    expect(await counts()).toEqual(all);
    await ada.query('rollback');
    expect(await counts()).toEqual(all);
    await stop('sum');
    expect(await counts()).toEqual(none);
  });

  test('one whose snapshot is older goes on by the arms of before, of unbound tables', async () => {
    const other = await database.client('alice');
    const loose = async () =>
      (await other.query(`select sum((score('sum', l) = 12)::int)::int as n from loose l`)).rows[0].n;
    await other.query('begin isolation level repeatable read');
    expect(await loose()).toBe(0);
    await start('sum', { 'sum@2': 100 });
    expect(await loose()).toBe(0);
    await other.query('commit; begin isolation level repeatable read');
    expect(await loose()).toBe(ROWS);
    await stop('sum');
    expect(await loose()).toBe(ROWS);
    await other.query('commit');
    expect(await loose()).toBe(0);
  });
});

describe('beside bindings, renames and drops', () => {
  beforeAll(stopAll);

  const shareOf = async (text: string) => (await alice.query(text)).rows[0]?.share;
  const bound = (model: string, table = 'bound') =>
    shareOf(
      `select avg((score(${alice.escapeLiteral(model)}, t) = 12)::int)::float8 as share from ${alice.escapeIdentifier(table)} t`,
    );

  test("a table that is bound meanwhile is split; one without the key is the champion's", async () => {
    await start('sum', { 'sum@2': 50 });
    const share = await bound('sum', 'loose');
    await alice.query(`select pgscore.bind('sum', 'loose')`);
    expect(await bound('sum', 'loose')).toBe(share);
    await alice.query(`select pgscore.unbind('sum', 'loose')`);
    expect(await bound('sum', 'loose')).toBe(share);
    await alice.query('create table keyless as select a, b from loose');
    await alice.query(`select pgscore.bind('sum', 'keyless')`);
    expect(await bound('sum', 'keyless')).toBe(0);
  });

  test('a model keeps its arms when it is renamed', async () => {
    const share = await bound('sum');
    await ada.query(`select pgscore.rename_model('sum', 'total')`);
    expect(await bound('total')).toBe(share);
    expect(await bound('total', 'loose')).toBe(share);
    expect(await shareOf(`select avg((pgscore_models.total(t) = 12)::int)::float8 as share from bound t`)).toBe(share);
    await ada.query(`select pgscore.rename_model('total', 'sum')`);
  });

  test('a version that is no arm may be dropped; an arm, once the experiment has stopped', async () => {
    await ada.query(`select pgscore.drop_version('sum@3')`);
    expect(await refusal(ada, `select pgscore.drop_version('sum@2')`)).toMatchObject({
      code: '55000',
      detail: 'sum@2 is an arm of it.',
      hint: `select pgscore.stop_experiment('sum'); first.`,
    });
    await ada.query(`select pgscore.stop_experiment('sum', promote => 'sum@2')`);
    expect(await bound('sum')).toBe(1);
    await ada.query(`select pgscore.rollback('sum')`);
    expect(await bound('sum')).toBe(0);
    await ada.query(`select pgscore.drop_version('sum@2')`);
    expect(
      (await alice.query(`select arms from pgscore.experiments where model = 'sum' and promoted is not null`)).rows,
    ).toEqual([{ arms: { 'sum@2': 50 } }]);
  });

  test('an arm that a bound table does not fit is refused', async () => {
    await deployBytes(ada, 'sum', weightedModel({ a: 'float32', other: 'float32' }));
    expect(
      await refusal(ada, `select pgscore.start_experiment('sum', 'canary', '{"sum@4": 1}', '{id}')`),
    ).toMatchObject({
      code: '2BP01',
      message: expect.stringMatching(/^version "sum@4" does not fit alice\.bound, to which the model is bound/),
    });
  });
});
