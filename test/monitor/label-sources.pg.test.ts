import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { refusal } from '../support/refusal.ts';
import { addMonitoredModel, addRun } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

await addMonitoredModel(superuser, 'price', 'regression');
await addMonitoredModel(superuser, 'churn', 'binary');
await addMonitoredModel(superuser, 'digit', 'binary');
await superuser.query(`update pgscore_data.execution e set class_labels = '{0,1}'
  from pgscore_data.version v join pgscore_data.model m using (model_id) where v.version_id = e.version_id and m.name = 'digit'`);
await addMonitoredModel(superuser, 'odd', 'binary');
await superuser.query(`update pgscore_data.execution e set class_labels = '{1,-1}', score_unit = 'anomaly'
  from pgscore_data.version v join pgscore_data.model m using (model_id) where v.version_id = e.version_id and m.name = 'odd'`);
await alice.query(`create domain answer as boolean;
  create table outcomes (id int primary key, amount numeric, amount_text text, left_us boolean, said answer, code int, at timestamptz,
                         amounts float8[], answers jsonb)`);

const setLabels = (model: string, column: string) =>
  `select pgscore.set_labels('${model}', 'outcomes', label => '${column}')`;

test.each([
  ['price', 'left_us', 'boolean', 'it predicts a number', 'Name a numeric column'],
  ['price', 'said', 'alice.answer', 'it predicts a number', 'Name a numeric column'],
  ['price', 'at', 'timestamp with time zone', 'it predicts a number', 'Name a numeric column'],
  ['price', 'amounts', 'double precision[]', 'one value a row is needed', 'Name a numeric column'],
  ['price', 'answers', 'jsonb', 'one value a row is needed', 'Name a numeric column'],
  ['churn', 'code', 'integer', 'its classes are no, yes', 'Name a column that holds its classes'],
  ['churn', 'left_us', 'boolean', 'its classes are no, yes', 'case when … then … else … end'],
  ['churn', 'amounts', 'double precision[]', 'one value a row is needed', 'Name a column that holds its classes'],
])('the truth about %s cannot be in %s', async (model, column, type, reason, remedy) => {
  expect(await refusal(alice, setLabels(model, column))).toMatchObject({
    code: '42804',
    message: `label column "${column}" of alice.outcomes, which is ${type}, cannot be the truth about model "${model}": ${reason}`,
    hint: expect.stringContaining(remedy),
  });
});

test.each([
  ['price', 'amount'],
  ['price', 'amount_text'],
  ['price', 'code'],
  ['churn', 'amount_text'],
  ['digit', 'left_us'],
  ['digit', 'said'],
  ['digit', 'code'],
  ['odd', 'code'],
  ['odd', 'left_us'],
])('the truth about %s can be in %s', async (model, column) => {
  await expect(alice.query(setLabels(model, column))).resolves.toMatchObject({ rowCount: 1 });
});

test('the remedy for classes works: a view that says them', async () => {
  await alice.query(
    `create view churned as select id, case when left_us then 'yes' else 'no' end as answer from outcomes`,
  );
  const labels = `select pgscore.set_labels('churn', 'churned', label => 'answer', key => 'id')`;
  await expect(alice.query(labels)).resolves.toMatchObject({ rowCount: 1 });
});

const COUNTS = `select n_unmatched::int as unmatched, n_before::int as before, n_too_old::int as too_old, late_share, is_often_late
  from pgscore.label_sources where model = 'counted'`;

test('label_sources says which labels judge nothing, and how many came late', async () => {
  const model = await addMonitoredModel(superuser, 'counted', 'binary');
  const create = `create table truths (id int, known_at timestamptz, truth text, primary key (id, known_at))`;
  await alice.query(create);
  await alice.query(
    `select pgscore.set_labels('counted', 'truths', label => 'truth', key => 'id', known_at => 'known_at')`,
  );
  const { rows } = await superuser.query<{ at: string }>(`select (now() - interval '10 days')::text as at`);
  const at = rows[0]?.at ?? '';
  await addRun(
    superuser,
    model,
    [1, 2, 3].map((id) => ({ id, at, score: 0.75, label: 'yes' })),
  );
  await alice.query(
    `insert into truths values
       -- Judges, on time; judges, five days late; overruled by the one after it.
       (1, now(), 'yes'), (2, now() - interval '5 days', 'yes'), (2, now() - interval '6 days', 'no'),
       -- Known before its prediction's time; of nobody who was predicted.
       (3, now() - interval '11 days', 'yes'), (9, now(), 'yes')`,
  );
  await superuser.query('select pgscore.refresh()');
  expect((await alice.query(COUNTS)).rows).toEqual([
    { unmatched: 1, before: 1, too_old: 0, late_share: 0.6, is_often_late: true },
  ]);
});
