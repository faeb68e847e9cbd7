import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { stage } from './golden/staged.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

const TASKS = ['binary', 'multiclass', 'regression'] as const;
/** The kinds of cells that pairs are counted in. */
const AUDITED = ['cell_outcome', 'cell_outcome_score', 'cell_rank', 'cell_class_score', 'cell_regression'];
const CELLS = [...AUDITED, 'cell_error'];

for (const task of TASKS) await stage(superuser, alice, task);

/** Makes the first cell, or the first cell of each row, of a kind wrong. */
function spoil(kind: string): string {
  return kind === 'cell_outcome_score'
    ? 'update pgscore_data.score_log set counts[1] = counts[1] + 1'
    : `update pgscore_data.${kind} set n = n + 1`;
}

async function cells(): Promise<Map<string, unknown[]>> {
  const all = new Map<string, unknown[]>();
  for (const kind of CELLS) {
    // Of scores a cell is the sum of its rows.
    const held =
      kind === 'cell_outcome_score'
        ? `(select version_id, day, positive, bin, sum(n) as n, sum(sum_score) as sum_score from pgscore_data.${kind} group by 1, 2, 3, 4)`
        : `pgscore_data.${kind}`;
    const read = `select to_jsonb(c) as cell from ${held} c where n <> 0 order by c`;
    all.set(kind, (await superuser.query(read)).rows);
  }
  return all;
}

test('a rebuild gives the cells that refreshes gave, of every kind', async () => {
  const before = await cells();
  for (const kind of CELLS) {
    expect([kind, before.get(kind)?.length]).not.toEqual([kind, 0]);
    await superuser.query(spoil(kind));
  }
  for (const task of TASKS) await superuser.query('select pgscore.rebuild($1)', [task]);
  expect(await cells()).toEqual(before);
});

test.each(AUDITED)('the nightly audit notices a wrong %s', async (kind) => {
  await superuser.query('begin');
  await superuser.query('truncate pgscore_data.rollup_audit');
  const [table, held] = kind === 'cell_outcome_score' ? ['score_log', 'counts[1] <> 0'] : [kind, 'n <> 0'];
  const first = `${spoil(kind)} where ctid = (select min(ctid) from pgscore_data.${table} where ${held})`;
  await superuser.query(first);
  const { rows } = await superuser.query('select pgscore_data._audit(1000) as wrong');
  await superuser.query('rollback');
  expect(rows).toEqual([{ wrong: '1' }]);
});

test('the nightly audit finds nothing wrong where nothing is', async () => {
  const { rows } = await superuser.query('select pgscore_data._audit(1000) as wrong');
  expect(rows).toEqual([{ wrong: '0' }]);
});

test('what was labelled before classes were ranked is said to be not counted, until it is', async () => {
  const read = `select window_date::text, macro_roc_auc, top_2_accuracy, undefined_reason from pgscore_bi.multiclass_performance_daily where model_name = 'multiclass' order by 1 limit 1`;
  const counted = (await superuser.query(read)).rows;
  const forget = `truncate pgscore_data.cell_rank, pgscore_data.cell_class_score;
    update pgscore_data.evaluation set rank = null, class_bins = null`;
  await superuser.query(forget);
  const correct = `update multiclass_truth set truth = case truth when 'a' then 'b' when 'b' then 'a' end where id = (select min(id) from multiclass_truth where truth < 'c')`;
  for (const _ of ['there', 'and back']) {
    await alice.query(correct);
    await superuser.query('select pgscore.refresh()');
  }
  expect((await superuser.query(read)).rows).toMatchObject([
    { macro_roc_auc: null, top_2_accuracy: null, undefined_reason: 'not_counted' },
  ]);
  await superuser.query(`select pgscore.rebuild('multiclass')`);
  await superuser.query('select pgscore.refresh()');
  expect((await superuser.query(read)).rows).toEqual(counted);
});
