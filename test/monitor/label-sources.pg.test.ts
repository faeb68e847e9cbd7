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
  ['churn', 'at', 'timestamp with time zone', 'its classes are no, yes', 'case when … then … else … end'],
  ['digit', 'at', 'timestamp with time zone', 'its classes are 0, 1', 'case when … then … else … end'],
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
  for (const [ids, time] of [
    [[1, 2, 3], at],
    [[1], new Date(Date.now() - 777_600_000).toISOString()],
  ] as const)
    await addRun(
      superuser,
      model,
      ids.map((id) => ({ id, at: time, score: 0.75, label: 'yes' })),
    );
  await alice.query(
    `insert into truths values
       -- Judges, on time; judges, five days late; overruled by the one after it.
       (1, now(), 'yes'), (2, now() - interval '5 days', 'yes'), (2, now() - interval '6 days', 'no'),
       -- Known before its prediction's time; of nobody who was predicted.
       (3, now() - interval '11 days', 'yes'), (9, now(), 'yes')`,
  );
  // As one who set them a month ago.
  const setAt = `update pgscore_data.label_source set compared_at = now(), set_at = now() - $1::interval where source_name = 'truths'`;
  await superuser.query(setAt, ['30 days']);
  await superuser.query('select pgscore.refresh()');
  expect((await alice.query(COUNTS)).rows).toEqual([
    { unmatched: 1, before: 1, too_old: 0, late_share: 0.6, is_often_late: true },
  ]);
  // Label 1 judges two predictions by this rule, and is one label.
  await superuser.query(`select pgscore.monitor('counted', pairing => 'all')`);
  await superuser.query('select pgscore_data._count_all_labels(false)');
  expect((await alice.query(COUNTS)).rows).toMatchObject([{ late_share: 0.6 }]);
  await superuser.query(`select pgscore.monitor('counted', pairing => 'latest_before_label')`);
  // One that came in time is not late when it is corrected.
  await superuser.query(`select pgscore.monitor('counted', label_delay => '0')`);
  await superuser.query(`update pgscore_data.evaluation set received_at = known_at where key in ('{1}', '{2}')`);
  await alice.query(`update truths set truth = 'no' where id in (1, 2)`);
  await superuser.query('select pgscore.refresh()');
  expect((await alice.query(COUNTS)).rows).toMatchObject([{ late_share: 0.4 }]);
  await superuser.query(`select pgscore.monitor('counted', label_delay => '1 day')`);
  // A history that was there before is not late: those of now are left.
  await superuser.query(setAt, ['1 hour']);
  await superuser.query('select pgscore_data._count_all_labels(false)');
  expect((await alice.query(COUNTS)).rows).toMatchObject([{ unmatched: 1, late_share: 0, is_often_late: false }]);
});

/** Queues what a source says of the entities 1, 2, …, as a comparison does, and refreshes. */
async function compare(source: string, labels: readonly string[]): Promise<void> {
  await superuser.query(
    `insert into pgscore_data.label_change (model_id, source_id, key, label)
     select s.model_id, s.source_id, array[l.id::text], l.label
       from pgscore_data.label_source s, unnest($2::text[]) with ordinality l (label, id) where s.source_name = $1`,
    [source, labels],
  );
  await superuser.query('delete from pgscore_data.comparison_request');
  await superuser.query('update pgscore_data.label_source set compared_at = now() where source_name = $1', [source]);
  await superuser.query('select pgscore.refresh()');
}

test('labels that are none of the classes are warned of, counted, and named by the verdict', async () => {
  const model = await addMonitoredModel(superuser, 'spelled', 'binary');
  const at = new Date(Date.now() - 864_000_000).toISOString();
  const rows = [1, 2, 3].map((id) => ({ id, at, score: 0.75, label: 'yes' }));
  await addRun(superuser, model, rows);
  await alice.query(`create table spelled_truth (id int primary key, yn text);
    insert into spelled_truth values (1, 'Y'), (2, 'J'), (3, 'Y'), (4, 'Y'), (5, null)`);
  const notices: string[] = [];
  alice.on('notice', ({ severity, message, hint }) => notices.push([severity, message, hint].join(' | ')));
  await alice.query(`select pgscore.set_labels('spelled', 'spelled_truth', label => 'yn')`);
  expect(notices).toEqual([
    'WARNING | "J" of alice.spelled_truth is no label of model "spelled": it takes one of its classes | ' +
      'Its classes: no, yes. Other labels judge nothing: set labels from a view that says them.',
  ]);
  await compare('spelled_truth', ['Y', 'J', 'Y', 'Y']);
  const counts = `select n_unmatched, n_before, n_too_old, n_invalid, invalid_label from pgscore.label_sources where model = 'spelled'`;
  expect((await alice.query(counts)).rows).toEqual([
    { n_unmatched: '1', n_before: '0', n_too_old: '0', n_invalid: '4', invalid_label: 'J' },
  ]);
  const verdict = `select cause, sentence from pgscore_bi.model_verdict where model_name = 'spelled'`;
  expect((await superuser.query(verdict)).rows).toEqual([
    {
      cause: 'labels_invalid',
      sentence: 'Labels of alice.spelled_truth are none of this model, such as "J". Its classes: no, yes.',
    },
  ]);
  await alice.query(`update spelled_truth set yn = 'yes' where yn is not null`);
  await superuser.query('select pgscore.refresh()');
  expect((await alice.query(counts)).rows).toMatchObject([{ n_invalid: '0', invalid_label: null }]);
});

test('the verdict says so too where other labels count, and a service counts a source that is new', async () => {
  const model = await addMonitoredModel(superuser, 'partly', 'binary');
  const rows = Array.from({ length: 40 }, (_, n) => ({
    id: n + 1,
    at: '2024-01-10 10:00+00',
    score: 0.75,
    label: 'yes',
  }));
  await addRun(superuser, model, rows);
  await alice.query(`create table partly_truth (id int primary key, yn text);
    select pgscore.set_labels('partly', 'partly_truth', label => 'yn')`);
  await compare(
    'partly_truth',
    rows.map(({ id }) => (id <= 30 ? 'yes' : 'Y')),
  );
  const verdict = `select cause, sentence from pgscore_bi.model_verdict where model_name = 'partly'`;
  expect((await superuser.query(verdict)).rows).toEqual([
    { cause: 'labels_late', sentence: expect.stringMatching(/ 10 labels are none of this model, such as "Y"\.$/) },
  ]);
  const counted = `select n_invalid from pgscore.label_sources where model = 'partly'`;
  await superuser.query(`update pgscore_data.label_source set counted_at = null, n_invalid = null`);
  await superuser.query(`begin; insert into pgscore_data.label_change (model_id, source_id, key, label)
      select model_id, source_id, '{41}', 'Y' from pgscore_data.label_source where source_name = 'partly_truth';
    select pgscore_data._count_all_labels(false)`);
  expect((await superuser.query(counted)).rows).toEqual([{ n_invalid: null }]);
  await superuser.query(
    `rollback; begin; update pgscore_data.label_source set compared_at = null; select pgscore.refresh()`,
  );
  expect((await superuser.query(counted)).rows).toEqual([{ n_invalid: null }]);
  await superuser.query('rollback');
  await superuser.query('select pgscore_data._count_all_labels(true)');
  expect((await alice.query(counted)).rows).toEqual([{ n_invalid: '10' }]);
  await superuser.query(`update pgscore_data.label_source set n_invalid = null`);
  await superuser.query('select pgscore_data._count_all_labels(true)');
  expect((await alice.query(counted)).rows).toEqual([{ n_invalid: null }]);
});

test('a source that its owner holds is counted later, and holds up no other', async () => {
  const holder = await database.client('alice');
  for (const model of ['held', 'free']) {
    await addMonitoredModel(superuser, model, 'binary');
    const set = `create table ${model}_truth (id int primary key, yn text);
      select pgscore.set_labels('${model}', '${model}_truth', label => 'yn')`;
    await alice.query(set);
  }
  await superuser.query(
    `update pgscore_data.label_source set compared_at = now(), counted_at = null; set statement_timeout = '5s'`,
  );
  await holder.query(`begin; select pgscore.unset_labels('held')`);
  const count = superuser.query('select pgscore_data._count_all_labels(false)');
  const [counted] = await Promise.allSettled([count]);
  await holder.query('rollback');
  await superuser.query('reset statement_timeout');
  expect(counted.status).toBe('fulfilled');
  const read = `select m.name from pgscore_data.label_source join pgscore_data.model m using (model_id)
    where counted_at is not null and m.name in ('held', 'free')`;
  expect((await superuser.query(read)).rows).toEqual([{ name: 'free' }]);
  await superuser.query('select pgscore_data._count_all_labels(false)');
  expect((await superuser.query(read)).rowCount).toBe(2);
});

test('keys that can be those of no prediction are refused, and others are not', async () => {
  const model = await addMonitoredModel(superuser, 'keyed', 'binary');
  await alice.query(`create table keyed_truth (flag boolean, said text, amount numeric, day date, answer text)`);
  const keyedBy = (key: string) =>
    `select pgscore.set_labels('keyed', 'keyed_truth', label => 'answer', key => ${key})`;
  await expect(alice.query(keyedBy(`'flag'`))).resolves.toMatchObject({ rowCount: 1 });
  await addRun(superuser, model, [{ id: 1, at: new Date().toISOString(), score: 0.75, label: 'yes' }]);
  for (const [key, types] of [
    [`'flag'`, 'boolean'],
    [`'day'`, 'date'],
    [`array['said', 'day']`, 'text, date'],
  ] as const)
    expect(await refusal(alice, keyedBy(key))).toMatchObject({
      code: '42804',
      message: `labels keyed by ${types} can meet no prediction of model "keyed", which are keyed by bigint`,
      hint: expect.stringContaining(`key => '...'`),
    });
  for (const key of [`'said'`, `'amount'`])
    await expect(alice.query(keyedBy(key))).resolves.toMatchObject({ rowCount: 1 });
});

test('labels of another kind of key wait until those that were withdrawn are gone', async () => {
  await addMonitoredModel(superuser, 'renewed', 'binary');
  await alice.query(`create table renewed_truth (id int primary key, code text, answer text)`);
  const keyedBy = (key: string) =>
    `select pgscore.set_labels('renewed', 'renewed_truth', label => 'answer', key => '${key}')`;
  await alice.query(keyedBy('id'));
  await alice.query(`insert into renewed_truth values (1, 'one', 'yes')`);
  await superuser.query('select pgscore.refresh()');
  expect(await refusal(alice, keyedBy('code'))).toMatchObject({
    code: '42804',
    message: 'the labels of model "renewed" are keyed by bigint, not by text',
  });
  await alice.query(`select pgscore.unset_labels('renewed')`);
  expect(await refusal(alice, keyedBy('code'))).toMatchObject({
    code: '55006',
    message: 'the labels of model "renewed", keyed by bigint, are being withdrawn',
    hint: expect.stringContaining('pgscore.refresh()'),
  });
  await superuser.query('select pgscore.refresh()');
  await expect(alice.query(keyedBy('code'))).resolves.toMatchObject({ rowCount: 1 });
});

test('a model that is dropped leaves no triggers on the table of its labels', async () => {
  await addMonitoredModel(superuser, 'dropped', 'binary');
  await alice.query(`create table dropped_truth (id int primary key, yn text);
    select pgscore.set_labels('dropped', 'dropped_truth', label => 'yn')`);
  const left = `select (select count(*) from pg_trigger t where t.tgrelid = 'dropped_truth'::regclass)::int as triggers,
                       (select count(*) from pgscore.label_sources where model = 'dropped')::int as sources`;
  expect((await alice.query<{ triggers: number }>(left)).rows[0]?.triggers).toBeGreaterThan(0);
  await superuser.query(`select pgscore.drop_model('dropped')`);
  expect((await alice.query(left)).rows).toEqual([{ triggers: 0, sources: 0 }]);
});

test.each([
  ['{id}', '[5:5]={bigint}'],
  ['{id}', '{{bigint}}'],
  ['{{id}}', '{bigint}'],
  ['[0:0]={id}', '{bigint}'],
])(
  'a request that goes round set_labels() with keys %s of types %s is refused, as its parts would not belong together',
  async (columns, types) => {
    const request = `with h as (insert into pgscore._handle_request (kind, digest) values ('function', gen_random_uuid()::text) returning handle_id)
    insert into pgscore._label_request (model, source_schema, source_name, label_columns, key_columns, key_types, time_zone, handle_id)
    select 'price', 'alice', 'outcomes', '{amount}', '${columns}', '${types}', 'UTC', handle_id from h`;
    expect(await refusal(alice, request)).toMatchObject({
      code: '42804',
      message: expect.stringContaining('are no types that labels can be keyed by'),
    });
  },
);
