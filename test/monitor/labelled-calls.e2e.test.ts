import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { howMany, oneIn } from '../support/night.ts';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { callsCounted, expectTotals } from './calls.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_POLL: '0.4' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

beforeAll(async () => {
  await alice.query('set pgscore.execution = online');
});

/** So many calls follow each other within milliseconds. */
const CALLS = howMany(12, 50);

/** A model that predicts x, rows to ask about, and a table for the truth about them. */
async function asked(model: string, key = 'bigint', keys = ['1', '2', '3']): Promise<void> {
  await deployBytes(ada, model, weightedModel({ x: 'float64' }));
  const values = keys.map((id, n) => `(${alice.escapeLiteral(id)}, ${(n + 1) * 10})`).join();
  const tables = `create table ${model}_rows (id ${key} primary key, x float8);
    insert into ${model}_rows values ${values};
    create table ${model}_truth (id ${key} primary key, y float8, known timestamptz)`;
  await alice.query(tables);
}

async function labelled(model: string): Promise<void> {
  await alice.query(`select pgscore.set_labels($1, ($1 || '_truth')::regclass, label => 'y')`, [model]);
}

async function callEach(model: string, condition = 'true'): Promise<void> {
  const call = `select score('${model}', r) from ${model}_rows r where ${condition}`;
  await alice.query(call);
}

describe('calls of a model that is only ever asked online', () => {
  test('are paired with labels that come later, are corrected and withdrawn', async () => {
    await asked('later');
    await labelled('later');
    await callEach('later');
    await expectTotals(superuser, 'later', { predicted: 3, failed: 0, labeled: 0, mae: null });
    await alice.query('insert into later_truth values (1, 12), (2, 24)');
    await expectTotals(superuser, 'later', { predicted: 3, failed: 0, labeled: 2, mae: 3 });
    await alice.query('update later_truth set y = 20 where id = 2');
    await expectTotals(superuser, 'later', { predicted: 3, failed: 0, labeled: 2, mae: 1 });
    await alice.query('delete from later_truth where id = 1');
    await expectTotals(superuser, 'later', { predicted: 3, failed: 0, labeled: 1, mae: 0 });
  });

  test('are listed one by one with their truth', async () => {
    const { rows } = await superuser.query(
      `select d.entity_key, d.score, d.actual, d.error, d.run, p.key, p.score as kept
         from pgscore_bi.prediction_detail d join pgscore.online_predictions p on p.prediction_id = d.online_prediction where d.model_name = 'later'`,
    );
    expect(rows).toEqual([{ entity_key: '2', score: 20, actual: '20', error: 0, run: null, key: ['2'], kept: 20 }]);
  });

  test('are not paired with a label that was known before, unless the rule says so', async () => {
    await asked('before');
    await labelled('before');
    await alice.query('insert into before_truth values (1, 11)');
    await superuser.query('select pgscore.refresh()');
    await callEach('before');
    await expectTotals(superuser, 'before', { predicted: 3, failed: 0, labeled: 0, mae: null });
    await ada.query(`select pgscore.monitor('before', pairing => 'latest')`);
    await expectTotals(superuser, 'before', { predicted: 3, failed: 0, labeled: 1, mae: 1 });
    await alice.query('update before_rows set x = 14 where id = 1');
    await callEach('before', 'id = 1');
    await expectTotals(superuser, 'before', { predicted: 4, failed: 0, labeled: 1, mae: 3 });
  });

  test('count where the transaction of the caller was rolled back', async () => {
    await asked('undone');
    await labelled('undone');
    await alice.query('begin');
    await callEach('undone');
    await alice.query('rollback');
    await alice.query('insert into undone_truth values (3, 31)');
    await expectTotals(superuser, 'undone', { predicted: 3, failed: 0, labeled: 1, mae: 1 });
  });

  test('count as often as they were made, each as failed that has no prediction', async () => {
    await asked('again');
    await labelled('again');
    await callEach('again');
    await callEach('again', 'id = 1');
    await alice.query(`select score('again', '{"id": 1, "x": null}')`).catch(() => undefined);
    await alice.query('insert into again_truth values (1, 11)');
    await expectTotals(superuser, 'again', { predicted: 4, failed: 1, labeled: 1, mae: 1 });
    await ada.query(`select pgscore.monitor('again', pairing => 'all')`);
    await expectTotals(superuser, 'again', { predicted: 4, failed: 1, labeled: 2, mae: 1 });
  });

  test('count without ever having a label where their rows do not say what they are about', async () => {
    await asked('nameless');
    await labelled('nameless');
    await alice.query(`select score('nameless', '{"x": 1}'), score('nameless', '{"x": 2, "id": null}')`);
    await alice.query('insert into nameless_truth values (1, 11)');
    await expectTotals(superuser, 'nameless', { predicted: 2, failed: 0, labeled: 0, mae: null });
  });

  test('are each paired with the label that came next, where one follows the other within milliseconds', async () => {
    await asked('quick');
    await alice.query(
      `select pgscore.set_labels('quick', 'quick_truth', label => 'y', key => 'id', known_at => 'known')`,
    );
    await alice.query('alter table quick_truth drop constraint quick_truth_pkey');
    for (let n = 0; n < CALLS; n += 1) {
      await alice.query(`select score('quick', '{"id": 1, "x": 5}')`);
      await alice.query('insert into quick_truth values (1, 7, clock_timestamp())');
      // To the millisecond.
      await alice.query('select pg_sleep(0.0015)');
    }
    await expectTotals(superuser, 'quick', { predicted: CALLS, failed: 0, labeled: CALLS, mae: 2 });
  });

  test('are not paired with a label that was known just before, however soon after another call', async () => {
    await asked('late');
    await alice.query(
      `select pgscore.set_labels('late', 'late_truth', label => 'y', key => 'id', known_at => 'known')`,
    );
    for (let id = 0; id < CALLS; id += 1) {
      await alice.query(`select score('late', jsonb_build_object('id', 1000, 'x', $1::int))`, [id]);
      await alice.query('insert into late_truth values ($1, 7, clock_timestamp())', [id]);
      await alice.query('select pg_sleep(0.0015)');
      await alice.query(`select score('late', jsonb_build_object('id', $1::int, 'x', 1))`, [id]);
    }
    await expectTotals(superuser, 'late', { predicted: 2 * CALLS, failed: 0, labeled: 0, mae: null });
  });

  test('are paired by whichever function asks', async () => {
    await asked('ways');
    await labelled('ways');
    for (const call of [
      `pgscore.predict('ways', r)`,
      `pgscore.score('ways', to_jsonb(r))`,
      `pgscore.score('ways', jsonb_build_object('X', r.x, 'id', r.id))`,
      `pgscore.score('ways', s) from (select x, id from ways_rows where id = 2) s`,
      `(pgscore.score_rows('ways', array[r])).score`,
    ]) {
      const ask = call.includes(' from ') ? `select ${call}` : `select ${call} from ways_rows r where id = 2`;
      await alice.query(ask);
    }
    await ada.query(`select pgscore.monitor('ways', pairing => 'all')`);
    await alice.query('insert into ways_truth values (2, 22)');
    await expectTotals(superuser, 'ways', { predicted: 5, failed: 0, labeled: 5, mae: 2 });
  });

  test('count by the share of them that is kept', async () => {
    await asked('some');
    await labelled('some');
    await callEach('some', 'id = 1');
    await callsCounted(superuser, 'some', 1);
    await ada.query(`select pgscore.log_calls('some', 0)`);
    await callEach('some', 'id = 2');
    await ada.query(`select pgscore.log_calls('some', 1)`);
    await callEach('some', 'id = 3');
    await alice.query('insert into some_truth values (1, 10), (2, 20), (3, 32)');
    await expectTotals(superuser, 'some', { predicted: 2, failed: 0, labeled: 2, mae: 1 });
  });

  test('are paired after their version was dropped, and by each version', async () => {
    await asked('dropped');
    await labelled('dropped');
    await callEach('dropped');
    await callsCounted(superuser, 'dropped', 3);
    await deployBytes(ada, 'dropped', weightedModel({ x: 'float64', id: 'float64' }));
    await alice.query('insert into dropped_truth values (1, 11)');
    await expectTotals(superuser, 'dropped', { predicted: 3, failed: 0, labeled: 1, mae: 1 });
    await ada.query(`select pgscore.promote('dropped@2')`);
    await ada.query(`select pgscore.drop_version('dropped@1')`);
    await superuser.query('select pgscore.refresh()');
    await callEach('dropped', 'id = 1');
    await alice.query('insert into dropped_truth values (2, 27)');
    await callsCounted(superuser, 'dropped', 4);
    const volume = `select count(distinct c.version_id)::int as versions, sum(c.n_predictions)::int as predictions from pgscore_data.cell_volume c
      join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id) where m.name = 'dropped'`;
    expect((await superuser.query(volume)).rows).toEqual([{ versions: 2, predictions: 4 }]);
  });
});

describe('a model with runs and calls', () => {
  test('has both in its accuracy, and labels judge the later of them', async () => {
    await asked('both');
    await labelled('both');
    expect(await scoreTable(alice, 'both', 'both_rows')).toMatchObject({ state: 'done' });
    await alice.query('update both_rows set x = 16 where id = 1');
    await callEach('both', 'id < 3');
    await alice.query('insert into both_truth values (1, 18), (3, 36)');
    await expectTotals(superuser, 'both', { predicted: 5, failed: 0, labeled: 2, mae: 4 });
    await ada.query(`select pgscore.monitor('both', pairing => 'all')`);
    await expectTotals(superuser, 'both', { predicted: 5, failed: 0, labeled: 3, mae: 16 / 3 });
    await ada.query(`select pgscore.monitor('both', pairing => 'first')`);
    await expectTotals(superuser, 'both', { predicted: 5, failed: 0, labeled: 2, mae: 7 });
  });

  test('takes the key of its runs for that of calls before there are labels', async () => {
    await asked('keyed');
    expect(await scoreTable(alice, 'keyed', 'keyed_rows')).toMatchObject({ state: 'done' });
    await expectTotals(superuser, 'keyed', { predicted: 3, failed: 0, labeled: 0, mae: null });
    await alice.query('update keyed_rows set x = x + 5');
    await callEach('keyed');
    await callsCounted(superuser, 'keyed', 3);
    await alice.query(`select pgscore.record_label('keyed', '1', '18')`);
    await expectTotals(superuser, 'keyed', { predicted: 6, failed: 0, labeled: 1, mae: 3 });
  });
});

describe('the key of calls', () => {
  const types: readonly [type: string, keys: string[]][] = [
    ['text', ['a b', 'ä"\\', '']],
    ['bigint', ['-7', '9007199254740991', '3']],
    ['date', ['2024-02-29', '0044-03-15 BC', '12024-01-01']],
    [
      'uuid',
      [
        '00000000-0000-4000-8000-00000000000A',
        'ffffffff-0000-4000-8000-000000000002',
        '10000000-0000-4000-8000-000000000003',
      ],
    ],
    ['bpchar', ['AB  ', 'c d', 'E ']],
    ['boolean', ['true', 'false']],
  ];

  test.each(oneIn(2, types))('may be of type %s', async (type, keys) => {
    const model = `by_${type}`;
    await asked(model, type, keys);
    await labelled(model);
    await alice.query(`set datestyle = 'German'`);
    await callEach(model);
    const labels = `insert into ${model}_truth select id, x + 1 from ${model}_rows`;
    await alice.query(labels);
    await expectTotals(superuser, model, { predicted: keys.length, failed: 0, labeled: keys.length, mae: 1 });
  });

  test.each([
    ['bigint', '9007199254740993'],
    ['numeric', '1.50'],
    ['timestamptz', '2024-01-01 00:00+00'],
  ])('of type %s is not taken where JSON does not have %s as labels spell it', async (type, key) => {
    const model = `not_by_${type}`;
    await asked(model, type, [key]);
    await labelled(model);
    await callEach(model);
    const label = `insert into ${model}_truth select id, x from ${model}_rows`;
    await alice.query(label);
    await expectTotals(superuser, model, { predicted: 1, failed: 0, labeled: 0, mae: null });
    expect(
      (await superuser.query('select key from pgscore.online_predictions where model = $1', [model])).rows,
    ).toEqual([{ key: null }]);
  });

  test('may be of several columns', async () => {
    await deployBytes(ada, 'pairs', weightedModel({ x: 'float64' }));
    await alice.query(`create table pairs_truth (shop text, day date, y float8, primary key (shop, day))`);
    await alice.query(`select pgscore.set_labels('pairs', 'pairs_truth', label => 'y', key => array['shop', 'day'])`);
    await alice.query(`select score('pairs', s) from (select 'a, b' as shop, date '2024-01-01' as day, 5 as x) s`);
    await alice.query(`insert into pairs_truth values ('a, b', '2024-01-01', 7), ('a', '2024-01-01', 9)`);
    await expectTotals(superuser, 'pairs', { predicted: 1, failed: 0, labeled: 1, mae: 2 });
  });

  test('is what a deployer says where rows call it otherwise, or labels come one by one', async () => {
    await deployBytes(ada, 'told', weightedModel({ x: 'float64' }));
    const label = `select pgscore.record_label('told', '42', '3')`;
    await expect(alice.query(label)).rejects.toThrow('has no predictions that a label could be about');
    await ada.query(`select pgscore.log_calls('told', key => array['customer'])`);
    await alice.query(`select score('told', '{"customer": 42, "x": 1}')`);
    await callsCounted(superuser, 'told', 1);
    await alice.query(label);
    await expectTotals(superuser, 'told', { predicted: 1, failed: 0, labeled: 1, mae: 2 });
    await ada.query(`select pgscore.log_calls('told', inputs => false)`);
    await alice.query(`select score('told', '{"customer": 43, "x": 1}')`);
    await callsCounted(superuser, 'told', 2);
    await ada.query(`select pgscore.log_calls('told', key => array['shop', 'till'])`);
    await alice.query(`select score('told', '{"shop": 1, "till": 2, "customer": 44, "x": 1}')`);
    await callsCounted(superuser, 'told', 3);
    const keys = `select key from pgscore.online_predictions where model = 'told' order by prediction_id`;
    expect((await superuser.query(keys)).rows.map(({ key }) => key)).toEqual([['42'], ['43'], null]);
    await expect(ada.query(`select pgscore.log_calls('told', key => array['a', null])`)).rejects.toThrow(
      'no list of columns',
    );
    const many = Array.from({ length: 32 }, (_, n) => `c${n}`);
    await expect(ada.query(`select pgscore.log_calls('later', key => $1::text[])`, [many])).rejects.toThrow(
      'names 32 columns, more than the 31',
    );
  });
});
