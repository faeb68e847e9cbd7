import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { expectCommitted } from '../support/committed.ts';
import { addMonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const COLUMNS = `from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = 'pgscore_bi'::regnamespace and c.relkind = 'v'`;

test('the columns of the analysts are those that were promised: they are only ever added to', async () => {
  // The collation, too: CREATE OR REPLACE VIEW cannot change it where the view is there.
  const all = `select concat(c.relname, '.', a.attname, ' ', format_type(a.atttypid, null),
      case when a.attcollation not in (0, 'pg_catalog."default"'::regcollation) then ' collate ' || a.attcollation::regcollation end) as line ${COLUMNS} order by c.relname, a.attnum`;
  const { rows } = await superuser.query<{ line: string }>(all);
  await expectCommitted('test/monitor/columns.txt', `${rows.map(({ line }) => line).join('\n')}\n`);
});

test('no column has a type that a BI tool stumbles over', async () => {
  const strange = `select c.relname, a.attname, format_type(a.atttypid, null) ${COLUMNS}
       and a.atttypid not in ('text'::regtype, 'bigint'::regtype, 'float8'::regtype, 'boolean'::regtype, 'date'::regtype, 'timestamptz'::regtype)`;
  const { rows } = await superuser.query(strange);
  expect(rows).toEqual([]);
});

test('every view and column says what it means', async () => {
  const uncommented = `select c.relname, a.attname ${COLUMNS} and col_description(c.oid, a.attnum) is null`;
  const silent = await superuser.query(uncommented);
  expect(silent.rows).toEqual([]);
  const { rows } = await superuser.query(
    `select view_name from pgscore_bi.data_dictionary where meaning is null or meaning = ''`,
  );
  expect(rows).toEqual([]);
});

test('the dictionary has each column once, and of every metric its formula and what it was compared with', async () => {
  const twice = `select view_name, column_name from pgscore_bi.data_dictionary group by 1, 2 having count(*) > 1`;
  expect((await superuser.query(twice)).rows).toEqual([]);
  const { rows } = await superuser.query(
    `select d.view_name, d.column_name from pgscore_bi.data_dictionary d
      where d.view_name ~ '^(binary|multiclass|regression|class|feature)_(performance|drift)_' and (d.formula is null or d.golden_reference is null)
        and (d.column_name in (select k.metric from pgscore_data.metric_kind k where k.kind in ('performance', 'drift') and k.better <> 'neither') or d.column_name ~ '_ci_(low|high)$')`,
  );
  expect(rows).toEqual([]);
});

test('whatever is told of windows says when they begin and end, and whether it is of all predictions', async () => {
  const { rows } = await superuser.query(
    `select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
      where c.relnamespace = 'pgscore_bi'::regnamespace and c.relkind = 'v' and c.relname <> 'rollup_audit'
      group by 1 having bool_or(a.attname = 'window_date')
        and not array_agg(a.attname::text) @> '{model_name,model_version,segment_key,segment_value,window_start,window_end}'`,
  );
  expect(rows).toEqual([]);
});

const WITH_COLUMNS = `select c.relname, array_agg(a.attname::text) as columns ${COLUMNS} group by 1`;

test('whatever is told of the truth of a window says on how many labels it rests, and whether they are there', async () => {
  // Features, alerts on windows that are mature, and the audit need no labels.
  const untold = `select relname from (${WITH_COLUMNS}) v where 'window_date' = any (columns) and relname !~ '^(feature|dataset)_|^alert|^rollup_audit$'
      and not (columns && '{n,n_labeled}' and columns @> '{label_coverage,is_mature}')`;
  const { rows } = await superuser.query(untold);
  expect(rows).toEqual([]);
});

test('whatever counts the predictions of a window says of how many the truth is known, is awaited, and never comes', async () => {
  const untold = `select relname from (${WITH_COLUMNS}) v where columns @> '{window_date,n_predictions}'
      and not columns @> '{n_labeled,n_awaiting,n_superseded}'`;
  const { rows } = await superuser.query(untold);
  expect(rows).toEqual([]);
});

test('whatever has a metric says why where it is NULL', async () => {
  const silent = `select relname from (${WITH_COLUMNS}) v where not 'undefined_reason' = any (columns)
      and columns && array(select k.metric from pgscore_data.metric_kind k where k.kind in ('performance', 'drift'))`;
  const { rows } = await superuser.query(silent);
  expect(rows).toEqual([]);
});

test('an analyst without a grant on a model reads every view, and sees no model', async () => {
  const { rows } = await superuser.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'pgscore_bi'::regnamespace and relkind = 'v'`,
  );
  expect(rows.length).toBeGreaterThan(20);
  await addMonitoredModel(superuser, 'hidden', 'binary');
  await superuser.query('begin');
  await superuser.query('create role newcomer in role pgscore_analyst');
  await superuser.query('set local role newcomer');
  for (const { name } of rows) {
    const read = `select count(*)::int as n from pgscore_bi.${name}`;
    const [seen] = (await superuser.query<{ n: number }>(read)).rows;
    expect([name, seen?.n === 0 || name === 'data_dictionary']).toEqual([name, true]);
  }
  await superuser.query('rollback');
});
