import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { callsCounted, expectTotals } from './calls.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_POLL: '0.1' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

beforeAll(async () => {
  await alice.query('set pgscore.execution = online');
});

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
    await expectTotals(superuser, 'before', { predicted: 0, failed: 0, labeled: 0, mae: null }).catch(() => undefined);
    await callEach('before');
    await expectTotals(superuser, 'before', { predicted: 3, failed: 0, labeled: 0, mae: null });
    await ada.query(`select pgscore.monitor('before', pairing => 'latest')`);
    await expectTotals(superuser, 'before', { predicted: 3, failed: 0, labeled: 1, mae: 1 });
    await alice.query('update before_rows set x = 14 where id = 1');
    await callEach('before', 'id = 1');
    await expectTotals(superuser, 'before', { predicted: 4, failed: 0, labeled: 1, mae: 3 });
  });
});
